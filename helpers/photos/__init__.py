"""Photographs: your own folder, the Oxford-IIIT pets, ImageNet weights, and downloads."""

from helpers.photos import imagenet, oxford_pets, pet_archives
from helpers.photos.folder import Listing, find, load
from helpers.photos.reading import read

__all__ = ["Listing", "find", "imagenet", "load", "oxford_pets", "pet_archives", "read"]

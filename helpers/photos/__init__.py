"""Photographs: your own folder, sample photos, the Oxford-IIIT pets, ImageNet, and downloads."""

from helpers.photos import imagenet, oxford_pets, pet_archives
from helpers.photos.folder import Listing, find, load
from helpers.photos.reading import read
from helpers.photos.samples import SAMPLES, samples

__all__ = [
    "SAMPLES",
    "Listing",
    "find",
    "imagenet",
    "load",
    "oxford_pets",
    "pet_archives",
    "read",
    "samples",
]

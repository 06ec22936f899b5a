"""Sliders for looking around, one module for each lesson; `pattern` is what they share."""

from helpers.explorers.cam import grad_cam, own_photo
from helpers.explorers.pattern import Explorer, png
from helpers.explorers.regularization import penalties, polynomial

__all__ = ["Explorer", "grad_cam", "own_photo", "penalties", "png", "polynomial"]

"""Sliders for looking around, one module for each lesson; `pattern` is what they share."""

from helpers.explorers.cam import grad_cam, own_photo
from helpers.explorers.pattern import Explorer, png
from helpers.explorers.transfer import freezing

__all__ = ["Explorer", "freezing", "grad_cam", "own_photo", "png"]

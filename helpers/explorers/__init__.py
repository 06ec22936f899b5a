"""Sliders for looking around, one module for each lesson; `pattern` is what they share."""

from helpers.explorers.cam import grad_cam, own_photo
from helpers.explorers.dream import deep_dream
from helpers.explorers.pattern import Explorer, png

__all__ = ["Explorer", "deep_dream", "grad_cam", "own_photo", "png"]

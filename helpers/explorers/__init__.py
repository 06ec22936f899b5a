"""Sliders for looking around, one module for each lesson; `pattern` is what they share."""

from helpers.explorers.cam import grad_cam, own_photo
from helpers.explorers.channels import channels
from helpers.explorers.pattern import Explorer, png

__all__ = ["Explorer", "channels", "grad_cam", "own_photo", "png"]

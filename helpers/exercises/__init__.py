"""Self-grading exercises, one module for each lesson; `exercise.py` does the grading."""

from helpers.exercises.exercise import BLANK, LESSONS, ____, check, hint, solution

__all__ = ["BLANK", "LESSONS", "____", "check", "hint", "solution"]

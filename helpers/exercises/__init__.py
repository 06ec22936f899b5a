"""Self-grading exercises, one module for each lesson; `exercise.py` does the grading."""

from helpers.exercises.answers import BLANK, Blank, ____
from helpers.exercises.exercise import (
    LESSONS,
    Outcome,
    Question,
    check,
    find,
    hint,
    questions,
    solution,
)

__all__ = [
    "BLANK", "LESSONS", "Blank", "Outcome", "Question", "____", "check", "find", "hint",
    "questions", "solution",
]  # fmt: skip

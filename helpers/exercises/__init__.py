"""Exercises that grade themselves, one module for each lesson; `exercise.py` grades them."""

from helpers.exercises.exercise import (
    BLANK,
    LESSONS,
    Blank,
    Outcome,
    Question,
    ____,
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

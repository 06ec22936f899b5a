"""Lessons first, the longest of them before the others."""

from longest_first import pytest_collection_modifyitems  # noqa: F401

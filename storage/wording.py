"""Numbers and names in sentences: one image, two images, a, b and 3 more."""

from __future__ import annotations

from collections.abc import Sequence


def show_count(number: int, noun: str) -> str:
    """A number with its noun, whose plural ends in s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def show_times(number: int) -> str:
    """How often something happened."""
    return "once" if number == 1 else f"{number} times"


def list_some(names: Sequence[str], most: int = 3) -> str:
    """The first few of many names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown

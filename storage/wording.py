"""Words that messages share: counts with their nouns, and the file that a study's winner goes to."""

from __future__ import annotations

import shlex


def say_count(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun: "1 study", "2 studies".

    Args:
        one: the noun, and what follows it, for one.
        more: the same for any other number; left out, it is `one` with an s.
    """
    return f"{number} {one if number == 1 else more or one + 's'}"


def say_times(number: int) -> str:
    """Return how often something happened."""
    return "once" if number == 1 else f"{number} times"


def best_file(study: str) -> str:
    """Return the name of the file that messages advise for a study's winner, as a shell reads it.

    It is named after the study: one name for all would let the winner of the second overwrite that of the first.
    """
    return shlex.quote(study.replace("/", "-") + ".json")

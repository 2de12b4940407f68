"""Prevalences from the command line."""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import UsageError


def check_prevalences(given: Sequence[float] | None) -> tuple[float, ...]:
    """Prevalences as they were named.

    Raises:
        UsageError: one is no share above 0 and below 1.
    """
    for share in given or ():
        if not 0 < share < 1:
            raise UsageError(
                f"--prevalence {share:g} is no share above 0 and below 1.",
                next_step="Say --prevalence 0.05 for five in a hundred.",
            )
    return tuple(given or ())

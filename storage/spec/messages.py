"""What is said of a spec that is not valid: which key, what it should be, and the nearest valid one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage.errors import SpecError
from storage.spec.ranges import SearchRange

MOST_PROBLEMS = 20
LONGEST_NAME = 100
"""Comparing names takes the square of their length."""
ALL = " (valid: "
KINDS = {
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid string": "a text",
    "a valid tuple": "a list",
    "a finite number": "a number that is not infinite",
    "a valid dictionary": "a section with keys of its own",
}
"""What pydantic calls the kinds of values -> words for people who write a spec."""


def describe_problem(problem: Mapping[str, Any], valid: Iterable[str]) -> str:
    """One sentence on one problem that pydantic found.

    Args:
        problem: one of `ValidationError.errors()`.
        valid: every dotted key that there is.
    """
    key = ".".join(str(part) for part in problem["loc"])
    key = key if len(key) <= LONGEST_NAME else f"{key[:LONGEST_NAME]}.."
    if problem["type"] == "extra_forbidden":
        if problem["loc"][0] == "search" and len(problem["loc"]) > 2:
            of_the_range = key.rpartition(".")[0]
            valid = [f"{of_the_range}.{name}" for name in SearchRange.model_fields]
        return f"{key} is not a key{name_nearest(key, valid)}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if message.startswith("Input should be ") and isinstance(problem["input"], str | int | float):
        wanted = message.removeprefix("Input should be ")
        kind = KINDS.get(wanted.partition(",")[0].partition(" or instance")[0], wanted)
        given = repr(
            problem["input"][:LONGEST_NAME] if isinstance(problem["input"], str) else problem["input"]
        )
        return f"{key} should be {kind}, not {given}"
    return f"{key}: {message[:1].lower()}{message[1:]}" if key else message


def describe_problems(problems: Sequence[Mapping[str, Any]], valid: Iterable[str]) -> str:
    """The first `MOST_PROBLEMS` problems, and how many more there are."""
    valid = list(valid)
    told: list[str] = []
    for problem in problems[:MOST_PROBLEMS]:
        sentence = describe_problem(problem, valid)
        # A list of a hundred keys is read once, if at all.
        before, mark, _ = sentence.partition(ALL)
        told.append(before if mark and any(ALL in earlier for earlier in told) else sentence)
    more = len(problems) - len(told)
    return "; ".join([*told, *([f"and {more} more"] if more else [])])


def unknown_key(key: str, valid: Iterable[str]) -> SpecError:
    """The error for a dotted key that is none of the valid ones."""
    return SpecError(
        f"{key} is not a key of a study spec{name_nearest(key, valid)}.",
        next_step="`orch init` writes a spec with every key explained.",
    )


def name_nearest(name: str, valid: Iterable[str]) -> str:
    """The valid name that was probably meant, in brackets; where none is near, all of them."""
    valid = list(valid)
    near = difflib.get_close_matches(name[:LONGEST_NAME], valid, n=1, cutoff=0.4)
    return f" (did you mean {near[0]}?)" if near else f"{ALL}{', '.join(sorted(valid))})"

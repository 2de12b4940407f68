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
    "a valid dictionary or instance of SearchRange": 'a range or a choice, such as {type="float", low=0.1, high=0.5} or {type="choice", values=[0.1, 0.2]}',
}
"""What pydantic calls the kinds of values -> words for people who write a spec."""


ELSEWHERE = {
    "lr": "learning_rate",
    "dropout": "dropout_rate",
    "bs": "batch_size",
    "batch": "batch_size",
    "wd": "weight_decay",
    "img_size": "image_size",
    "input_size": "image_size",
    "resolution": "image_size",
    "arch": "backbone",
    "architecture": "backbone",
    "network": "backbone",
    "k": "folds",
    "n_folds": "folds",
    "n_splits": "folds",
    "n_trials": "trials",
}
"""What other programs call a key -> its name here."""


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
    if message.startswith("Input should be "):
        wanted = message.removeprefix("Input should be ")
        kind = KINDS.get(wanted) or KINDS.get(wanted.partition(",")[0].partition(" or instance")[0], wanted)
        given = problem["input"]
        if isinstance(given, str | int | float | list | dict):
            said = repr(given)
            return (
                f"{key} should be {kind}, not {said[:LONGEST_NAME]}{'..' if len(said) > LONGEST_NAME else ''}"
            )
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
    near = find_nearest(name, valid)
    return f" (did you mean {near}?)" if near else f"{ALL}{', '.join(sorted(valid))})"


def find_nearest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name that was probably meant: what its short name stands for elsewhere, else the one that is written most alike."""
    valid = list(valid)
    _, _, last = name[:LONGEST_NAME].rpartition(".")
    usual = ELSEWHERE.get(last.lower())
    called = [one for one in valid if usual and one.rpartition(".")[2] == usual]
    near = called or difflib.get_close_matches(name[:LONGEST_NAME], valid, n=1, cutoff=0.4)
    return near[0] if near else None

"""One range of a search: which values it has, how its values are read, and what is not a range."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from storage.spec import SearchRange, axis, order_of

STEPS = {"type": "float", "low": 0.1, "high": 0.5, "step": 0.1}
COUNTS = {"type": "int", "low": 2, "high": 8}
FREE = {"type": "float", "low": 0.1, "high": 0.5}


@pytest.mark.parametrize(
    ("document", "value", "has"),
    [
        (STEPS, 0.1, True),
        (STEPS, 0.3, True),
        (STEPS, 0.5, True),
        (STEPS, 0.35, False),
        (STEPS, 0.6, False),
        (STEPS, 0.0, False),
        (FREE, 0.1, True),
        (FREE, 0.35, True),
        (FREE, 0.5, True),
        (FREE, 0.51, False),
        (FREE, 0.09, False),
        (COUNTS, 3, True),
        (COUNTS, 3.0, True),
        (COUNTS, 3.5, False),
        (COUNTS, 9, False),
        ({"type": "int", "low": 0, "high": 1}, True, False),
        (COUNTS, "3", False),
        ({"type": "choice", "values": [[8], [6, 4]]}, [6, 4], True),
        ({"type": "choice", "values": [[8], [6, 4]]}, [6], False),
        ({"type": "grid", "values": [16, 32]}, 32, True),
        ({"type": "grid", "values": [16, 32]}, 24, False),
    ],
)
def test_a_range_has_its_values_and_no_others(document: dict[str, Any], value: Any, has: bool) -> None:
    assert SearchRange.model_validate(document).may_be(value) is has


@pytest.mark.parametrize(
    ("document", "endless"),
    [
        (FREE, True),
        (STEPS, False),
        (COUNTS, False),
        ({"type": "float", "low": 0.1, "high": 0.1}, False),
        ({"type": "grid", "values": [0.1, 0.5]}, False),
    ],
)
def test_only_a_range_between_two_ends_without_steps_is_endless(
    document: dict[str, Any], endless: bool
) -> None:
    assert SearchRange.model_validate(document).is_continuous is endless


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("batch_size", 16.0, 16),
        ("head_width_2", 64.0, 64),
        ("learning_rate", 1, 1.0),
        ("options.blocks", 3.0, 3),
        ("options.share", 0.5, 0.5),
        ("dropout", 0.0, 0.0),
    ],
)
def test_what_is_counted_is_a_whole_number(name: str, value: float, read: float) -> None:
    [found] = axis(name, SearchRange.model_validate({"type": "grid", "values": [value]}))
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"type": "float", "low": 0.1}, "has `low` and `high`"),
        ({"type": "float", "high": 0.1}, "has `low` and `high`"),
        ({"type": "float", "low": 0.1, "high": 0.2, "values": [0.1]}, "no `values`"),
        ({"type": "float", "low": 0.3, "high": 0.2}, "is above"),
        ({"type": "float", "low": 0.0, "high": 0.2, "log": True}, "above 0"),
        ({"type": "int", "low": 1.5, "high": 4}, "whole numbers"),
        ({"type": "int", "low": 1, "high": 4.5}, "whole numbers"),
        ({"type": "int", "low": 1, "high": 4, "step": 1.5}, "whole number"),
        ({"type": "int", "low": 1, "high": 4, "step": 0}, "above 0"),
        ({"type": "int", "low": 1, "high": 4, "step": 2}, "the last one below it is 3"),
        ({"type": "int", "low": 1, "high": 4, "step": 1, "log": True}, "exclude each other"),
        ({"type": "grid", "values": []}, "at least one"),
        ({"type": "grid", "values": [1, 2], "low": 1}, "neither `low` nor `high`"),
        ({"type": "grid", "values": [1, 2], "high": 1}, "neither `low` nor `high`"),
        ({"type": "grid", "values": [1, 2], "step": 1}, "neither `low` nor `high`"),
        ({"type": "grid", "values": [1, 1]}, "differ"),
        ({"type": "grid", "values": ["a", 1]}, "all numbers or all texts"),
        ({"type": "grid", "values": ["a", "b"], "log": True}, "all numbers or all texts"),
        ({"type": "grid", "values": [0, 1], "log": True}, "above 0"),
        ({"type": "choice", "values": [1, 2], "log": True}, "no order"),
    ],
)
def test_what_is_no_range_is_said_in_words(document: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SearchRange.model_validate(document)


@pytest.mark.parametrize(
    "document",
    [
        {"type": "float", "low": 0.2, "high": 0.2},
        {"type": "float", "low": 1e-9, "high": 0.2, "log": True},
        {"type": "float", "low": 0, "high": 0.2},
        {"type": "grid", "values": [1e-9, 1], "log": True},
        {"type": "grid", "values": ["a", "b"]},
        {"type": "choice", "values": ["a", 1]},
        {"type": "int", "low": 1, "high": 5, "step": 2},
    ],
)
def test_the_least_that_is_a_range_is_one(document: dict[str, Any]) -> None:
    SearchRange.model_validate(document)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (FREE, "[0.1, 0.5]"),
        (STEPS, "[0.1, 0.5] in steps of 0.1"),
        ({"type": "float", "low": 0.1, "high": 0.5, "log": True}, "[0.1, 0.5] log"),
        ({"type": "choice", "values": ["adam", "sgd"]}, "{adam, sgd}"),
        (
            {**FREE, "when": {"optimizer": ["sgd", "adam"], "batch_size": 16}},
            "[0.1, 0.5], when optimizer is sgd or adam and batch_size is 16",
        ),
    ],
)
def test_a_range_is_told_with_its_condition(document: dict[str, Any], told: str) -> None:
    assert SearchRange.model_validate(document).describe() == told


def test_of_two_circles_the_first_by_name_is_told() -> None:
    def hang(on: str) -> SearchRange:
        return SearchRange.model_validate({"type": "choice", "values": [1, 2], "when": {on: [1]}})

    search = {"d": hang("c"), "c": hang("d"), "b": hang("a"), "a": hang("b"), "tail": hang("d")}
    with pytest.raises(ValueError, match=r"search\.a\.when depends on itself: a -> b -> a;"):
        order_of(search)

"""What a study searches or sets without effect: refused where it acts in no trial, warned of where it acts in some."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.planning.plan import describe_idle, refuse_idle_search
from storage.errors import SpecError
from storage.spec import StudySpec, parse

SGD = {"optimizer": {"type": "choice", "values": ["adam", "sgd"]}}
DROPOUT = {"type": "float", "low": 0.1, "high": 0.5}
MOMENTUM = {"momentum": {"type": "float", "low": 0.5, "high": 0.9}}
WHEN_SGD = {"momentum": {**MOMENTUM["momentum"], "when": {"optimizer": ["sgd"]}}}


def make(search: dict[str, Any], sampler: str = "random", **sections: Any) -> StudySpec:
    document = {"study": {"name": "s"}, "search": search, "sampler": {"name": sampler}, **sections}
    return parse(document, source="a test")


@pytest.mark.parametrize(
    ("search", "sampler", "words"),
    [
        ({**SGD, **MOMENTUM}, "random", ['when = { optimizer = ["sgd"] }']),
        ({**SGD, **WHEN_SGD}, "random", []),
        (SGD, "cmaes", ["draws optimizer at random"]),
    ],
)
def test_what_is_searched_and_changes_nothing_in_some_trials_is_warned_of(
    search: dict[str, Any], sampler: str, words: list[str]
) -> None:
    said = describe_idle(make(search, sampler))
    assert len(said) == len(words)
    assert all(part in sentence for part, sentence in zip(words, said, strict=True))


@pytest.mark.parametrize(
    ("search", "model", "words"),
    [
        (MOMENTUM, {}, "search.momentum changes nothing: it acts only where training.optimizer is sgd"),
        ({"cycles": {"type": "int", "low": 0, "high": 3}}, {}, "training.rate_schedule is sgdr"),
        (
            {"dropout_rate": DROPOUT},
            {"kind": "lenet"},
            "search.dropout_rate changes nothing: LeNet has no dropout",
        ),
    ],
)
def test_what_is_searched_and_changes_nothing_at_all_is_refused(
    search: dict[str, Any], model: dict[str, Any], words: str
) -> None:
    with pytest.raises(SpecError, match=words) as refused:
        refuse_idle_search(make(search, model=model))
    assert next(iter(search)) in str(refused.value.next_step)


@pytest.mark.parametrize(
    "search",
    [
        {**SGD, **MOMENTUM},
        {"dropout_rate": DROPOUT},
        {"dropout_rate": DROPOUT, "kind": {"type": "choice", "values": ["transfer", "lenet"]}},
    ],
)
def test_what_acts_in_some_trials_is_not_refused(search: dict[str, Any]) -> None:
    refuse_idle_search(make(search))


def test_what_is_set_and_changes_nothing_is_warned_of() -> None:
    (said,) = describe_idle(make({}, training={"optimizer": "nadam", "beta_1": 0.5}))
    assert "training.beta_1 changes nothing: it acts only where training.optimizer is adam or adamw" in said
    assert describe_idle(make({}, training={"optimizer": "adamw", "beta_1": 0.5})) == []
    assert describe_idle(make(SGD, training={"momentum": 0.5})) == []

"""What a study searches or sets without effect: refused where it acts in no trial, warned of where it acts in some."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.planning.plan import describe_idle, refuse_idle_search
from storage.errors import SpecError
from storage.spec import StudySpec, parse

SGD = {"optimizer": {"type": "choice", "values": ["adam", "sgd"]}}
DROPOUT = {"type": "float", "low": 0.1, "high": 0.5}
DEPTH = {"head_depth": {"type": "int", "low": 1, "high": 3}}
WIDTH = {"type": "int", "low": 16, "high": 64}
SCALE = {"scale": {"type": "choice", "values": ["none", "standardize"]}}
KINDS = {"kind": {"type": "choice", "values": ["transfer", "lenet"]}}
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
        (DEPTH, {"kind": "lenet"}, "search.head_depth changes nothing: no trial has a backbone with a head"),
        ({"head_width_1": WIDTH}, {"kind": "lenet"}, "no trial has a backbone"),
        (
            {"pooling": {"type": "choice", "values": ["avg", "max"]}},
            {"kind": "lenet"},
            "no trial has a backbone",
        ),
        (SCALE, {"trainable": "all", "weights": "none"}, "all trials train on images"),
        (SCALE, {"trainable": "mixed10"}, "all trials train on images"),
        ({"weights_seed": {"type": "int", "low": 0, "high": 3}}, {}, "only where model.weights is none"),
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
        {"dropout_rate": DROPOUT, **DEPTH, **KINDS},
        SCALE,
        {**SCALE, "trainable": {"type": "choice", "values": ["head", "all"]}},
        {"batch_size": {"type": "int", "low": 16, "high": 64}, **KINDS},
    ],
)
def test_what_acts_in_some_trials_is_not_refused(search: dict[str, Any]) -> None:
    refuse_idle_search(make(search))


def test_a_lenet_may_be_searched_over_its_images() -> None:
    sizes = {"image_size": {"type": "choice", "values": [[32, 32], [64, 64]]}}
    refuse_idle_search(make(sizes, model={"kind": "lenet"}))


def test_one_value_that_changes_nothing_is_warned_of() -> None:
    given = make({"dropout_rate": {"type": "choice", "values": [0.0]}}, model={"kind": "lenet"})
    refuse_idle_search(given)
    assert describe_idle(given) == ["search.dropout_rate changes nothing: LeNet has no dropout."]


def test_where_all_images_change_in_each_epoch_nothing_acts_on_features() -> None:
    with pytest.raises(SpecError, match="all trials train on images"):
        refuse_idle_search(make(SCALE, augmentation={"rotation": 5}))


def test_what_is_set_and_changes_nothing_is_warned_of() -> None:
    (said,) = describe_idle(make({}, training={"optimizer": "nadam", "beta_1": 0.5}))
    assert "training.beta_1 changes nothing: it acts only where training.optimizer is adam or adamw" in said
    assert describe_idle(make({}, training={"optimizer": "adamw", "beta_1": 0.5})) == []
    assert describe_idle(make(SGD, training={"momentum": 0.5})) == []

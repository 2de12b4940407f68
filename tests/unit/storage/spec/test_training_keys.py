"""Keys of [training]: what fits the kind of label and the other keys, and what is refused in a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from storage.errors import SpecError
from storage.spec import StudySpec, TrainingSection, from_json, from_toml, parse, to_toml

LOSSES = {"type": "choice", "values": ["cross_entropy", "focal"]}
GAMMA = {"type": "float", "low": 0.5, "high": 5.0}


def make(
    training: dict[str, Any], search: dict[str, Any] | None = None, task: str = "labels", **rest: Any
) -> StudySpec:
    document = {"study": {"name": "x"}, "data": {"task": task, "fingerprint": "sha256:1"}, **rest}
    return parse({**document, "training": training, "search": search or {}}, source="a test")


@pytest.mark.parametrize(
    ("training", "search", "task", "loss"),
    [
        ({}, {}, "labels", "cross_entropy"),
        ({"loss": "focal", "focal_alpha": 0.25}, {}, "labels", "focal"),
        ({"loss": "asymmetric", "gamma_negative": 2.0}, {}, "two-classes", "asymmetric"),
        ({"loss": "focal", "focal_gamma": 1.0}, {}, "classes", "focal"),
        ({"loss": "focal"}, {"focal_gamma": GAMMA}, "labels", "focal"),
        ({}, {"loss": LOSSES, "focal_gamma": {**GAMMA, "when": {"loss": ["focal"]}}}, "classes", "cross_entropy"),
        ({}, {}, "ordered", ""),
    ],
)  # fmt: skip
def test_a_loss_that_fits_is_kept(
    training: dict[str, Any], search: dict[str, Any], task: str, loss: str, tmp_path: Any
) -> None:
    spec = make(training, search, task)
    assert spec.loss == loss
    assert from_json(spec.to_json()) == spec
    (tmp_path / "study.toml").write_text(to_toml(spec))
    assert from_toml(tmp_path / "study.toml") == spec


@pytest.mark.parametrize(
    ("training", "search", "task", "words"),
    [
        ({"loss": "focal"}, {}, "number", "training.loss = focal is no loss of numbers"),
        ({"loss": "focal"}, {}, "ordered", "training.loss = focal is no loss of one of several classes in an order"),
        ({"loss": "asymmetric"}, {}, "classes", "training.loss = asymmetric is no loss of one of several classes"),
        ({"loss": "focal", "focal_alpha": 0.25}, {}, "classes", "training.focal_alpha means nothing for one of several classes"),
        ({}, {"loss": LOSSES}, "number", "search.loss holds cross_entropy, which is no loss of numbers"),
        ({}, {"loss": LOSSES}, "ordered", "search.loss means nothing for one of several classes in an order"),
        ({"focal_gamma": 1.0}, {}, "labels", "training.focal_gamma acts only where training.loss is focal"),
        ({"loss": "focal", "gamma_negative": 1.0}, {}, "labels", "gamma_negative acts only where training.loss is asymmetric"),
        ({}, {"focal_gamma": GAMMA}, "labels", "search.focal_gamma acts only where training.loss is focal"),
        ({"loss": "focal", "focal_gamma": -1.0}, {}, "labels", "training.focal_gamma should be greater than or equal to 0"),
        ({"loss": "focal"}, {"focal_gamma": {**GAMMA, "high": 50.0}}, "labels", "search.focal_gamma holds 50"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_sentence(
    training: dict[str, Any], search: dict[str, Any], task: str, words: str
) -> None:
    with pytest.raises(SpecError) as refused:
        make(training, search, task)
    assert words in str(refused.value)


def test_keys_that_came_later_leave_the_hash_of_a_spec_alone() -> None:
    written = make({}).model_dump(mode="json")["training"]
    assert not set(written) & TrainingSection.later

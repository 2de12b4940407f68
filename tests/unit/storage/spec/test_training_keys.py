"""Keys of [training]: what fits the kind of label and the other keys, and what is refused in a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from storage.errors import SpecError
from storage.spec import StudySpec, TrainingSection, choose_options, from_json, from_toml, parse, to_toml

LOSSES = {"type": "choice", "values": ["cross_entropy", "focal"]}
SWITCH = {"type": "choice", "values": [True, False]}
NAMES = {"type": "choice", "values": ["adam", "nadam"]}
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
        ({"rate_schedule": "cosine", "warmup_epochs": 3, "lowest_rate": 0.1, "global_clipnorm": 1.0}, {}, "ordered", ""),
        ({"use_ema": True, "ema_momentum": 0.9, "clipvalue": 0.5}, {}, "ordered", ""),
        ({}, {"use_ema": SWITCH, "ema_momentum": {**GAMMA, "low": 0.5, "high": 0.99, "when": {"use_ema": [True]}}}, "ordered", ""),
        ({"optimizer": "rmsprop", "optimizer_options": {"rho": 0.95, "centered": True}}, {}, "ordered", ""),
        ({"optimizer": "lion"}, {"optimizer_options": {"beta_1": {**GAMMA, "high": 0.99}}}, "ordered", ""),
        ({}, {"optimizer": NAMES, "optimizer_options": {"beta_2": {**GAMMA, "high": 0.99, "when": {"optimizer": ["nadam"]}}}}, "ordered", ""),
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
        ({"lowest_rate": 0.1}, {}, "labels", "training.lowest_rate acts only where training.rate_schedule is cosine"),
        ({}, {"ema_momentum": {**GAMMA, "high": 0.9}}, "labels", "search.ema_momentum acts only where training.use_ema is true"),
        ({"clipnorm": 1.0, "clipvalue": 0.5}, {}, "labels", "training.clipnorm and training.clipvalue exclude each other"),
        ({"epochs": 5, "warmup_epochs": 5}, {}, "labels", "training.warmup_epochs = 5 leaves nothing of training.epochs = 5"),
        ({"optimizer": "adamm"}, {}, "labels", "training.optimizer should be 'adam', 'sgd'"),
        ({"optimizer": "nadam", "optimizer_options": {"beta1": 0.5}}, {}, "labels", "optimizer_options.beta1 is no key of nadam (did you mean beta_1?)"),
        ({"optimizer_options": {"beta_1": 0.5}}, {}, "labels", "optimizer_options.beta_1 is for optimizers of Keras"),
        ({"optimizer": "nadam"}, {"optimizer_options": {"rho": GAMMA}}, "labels", "optimizer_options.rho is no key of nadam"),
        ({"optimizer": "nadam"}, {"optimizer_options": {"code": GAMMA}}, "labels", "search.optimizer_options.code is not a hyperparameter"),
        ({"optimizer": "nadam"}, {"optimizer_options": GAMMA}, "labels", "search.optimizer_options"),
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


def test_options_of_an_optimizer_are_set_searched_and_put_into_a_trial() -> None:
    spec = make({"optimizer": "rmsprop"}, {"optimizer_options": {"rho": GAMMA}})
    spec = spec.with_values(
        {"training.optimizer_options.momentum": 0.5, "search.optimizer_options.rho.high": 0.99}
    )
    assert spec.search["optimizer_options.rho"].high == 0.99
    assert spec.at({"optimizer_options.rho": 0.9}).training.optimizer_options == {"rho": 0.9, "momentum": 0.5}
    variant = spec.variant({"optimizer_options.rho": 0.9, "batch_size": 16})
    assert variant.training.optimizer_options == {"rho": 0.9, "momentum": 0.5}
    assert [choose_options(name, {"rho": 0.9, "beta_1": 0.8}) for name in ("rmsprop", "lion")] == [
        (("rho", 0.9),),
        (("beta_1", 0.8),),
    ]

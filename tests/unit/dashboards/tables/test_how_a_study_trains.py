"""How a study trains, in words."""

from __future__ import annotations

from typing import Any

import pytest

from dashboards.tables.training import (
    CLIPPED,
    LOSSES,
    OPTIMIZERS,
    describe_training,
    list_unusual,
    optimizer_warnings,
)
from storage.spec import CLIPS, FUSED, parse
from storage.tasks.kinds import TASKS

NAMES = {"type": "choice", "values": ["adam", "nadam"]}
SWITCH = {"type": "choice", "values": [True, False]}
UP_TO_1 = {"type": "float", "low": 0.1, "high": 1.0}


def make(training: dict[str, Any], search: dict[str, Any] | None = None, task: str = "labels") -> Any:
    document = {"study": {"name": "x"}, "data": {"task": task}, "training": training, "search": search or {}}
    return parse(document, source="a test")


@pytest.mark.parametrize(
    ("training", "search", "task", "words"),
    [
        ({}, {}, "labels", "Loss: cross-entropy. Optimizer: Adam. Learning rate: constant."),
        ({"loss": "huber"}, {}, "number", "Loss: Huber's loss. Optimizer: Adam."),
        ({"loss": "asymmetric", "warmup_epochs": 3, "rate_schedule": "cosine"}, {}, "two-classes",
         "asymmetric loss (Ridnik et al. 2021). Optimizer: Adam. Learning rate: cosine annealing, step by step, after a warm-up of 3 epochs."),
        ({"clipnorm": 0.5, "use_ema": True}, {}, "classes",
         "the norm of each weight's gradient is clipped at 0.5. An exponential moving average of the weights is validated and saved (momentum 0.99)."),
        ({}, {"optimizer": NAMES, "use_ema": SWITCH}, "ordered",
         "Optimizer: Adam or Nadam of Keras. Learning rate: constant. In some trials an exponential moving average"),
        ({"optimizer": "rmsprop", "optimizer_options": {"rho": 0.95, "centered": True}}, {"optimizer_options": {"momentum": UP_TO_1}}, "labels",
         "Optimizer: RMSprop of Keras (centered true, momentum 0.1 to 1, rho 0.95)."),
        ({}, {"optimizer": NAMES, "optimizer_options": {"beta_2": {**UP_TO_1, "when": {"optimizer": ["nadam"]}}}}, "labels",
         "Optimizer: Adam or Nadam of Keras (beta_2 0.1 to 1)."),
        ({}, {"clipnorm": {"type": "choice", "values": [0.0, 0.1, 1.0]}}, "labels",
         "Gradients: in some trials the norm of each weight's gradient is clipped at 0.1 to 1."),
        ({"soft_labels": True}, {}, "labels", "The loss was taken towards the share of an image's readers who said yes (soft labels)"),
        ({}, {"soft_labels": SWITCH}, "labels", "In some trials the loss was taken towards the share"),
        ({"warmup_epochs": 1}, {}, "labels", "after a warm-up of 1 epoch."),
        ({}, {"clipvalue": {**UP_TO_1, "low": 0.0}}, "labels", "Gradients: each number of a gradient is clipped at 0 to 1."),
        ({}, {"use_ema": SWITCH, "ema_momentum": {**UP_TO_1, "high": 0.9, "when": {"use_ema": [True]}}}, "labels", "(momentum 0.1 to 0.9)"),
    ],
)  # fmt: skip
def test_every_part_of_a_training_is_said(
    training: dict[str, Any], search: dict[str, Any], task: str, words: str
) -> None:
    assert words in describe_training(make(training, search, task))


def test_every_loss_optimizer_and_clip_has_its_words() -> None:
    assert set(LOSSES) == {"", *(loss for task in TASKS.values() for loss in task.losses)}
    assert set(OPTIMIZERS) == set(FUSED)
    assert set(CLIPPED) == set(CLIPS)


def test_a_slower_optimizer_is_said_once() -> None:
    assert optimizer_warnings(make({"optimizer": "adamw"})) == []
    (said,) = optimizer_warnings(make({"optimizer": "lion"}))
    assert "lion is computed by Keras" in said
    assert "slower" in said


def test_methods_leave_out_what_every_study_does() -> None:
    assert list_unusual(make({})) == []
    (said,) = list_unusual(make({"rate_schedule": "cosine", "optimizer": "sgd"}))
    assert said == "Learning rate: cosine annealing, step by step."
    assert list_unusual(make({"optimizer": "lion"})) == []
    options = {"optimizer": "lion", "optimizer_options": {"beta_1": 0.8}}
    assert list_unusual(make(options)) == ["Optimizer: Lion of Keras (beta_1 0.8)."]

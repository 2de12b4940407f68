"""A searched hyperparameter that changes nothing is found by trying both ends of its range."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from storage.errors import SpecError
from storage.spec import CLIPS, StudySpec, parse
from workers.objective.canary import refuse_idle, try_parameters

IMAGES = 300


def make_spec(**search: dict[str, Any]) -> StudySpec:
    return parse({"study": {"name": "s"}, "search": search}, source="a test")


class PretendFold:
    """Steps by the batch size that arrives; loss and weights by what else is said to act."""

    def __init__(self, values: dict[str, Any], acting: tuple[str, ...], batch_size: int) -> None:
        self._sum = float(sum(values[name] for name in acting))
        self._batch_size = batch_size
        self.train_index = np.arange(IMAGES)

    def run_epoch(self, epoch: int) -> Any:
        steps = math.ceil(IMAGES / self._batch_size)
        return SimpleNamespace(steps=steps, train_loss=0.5 + self._sum * epoch)

    def state(self) -> dict[str, np.ndarray]:
        return {"weight_0": np.array([self._sum])}


def try_with(spec: StudySpec, *acting: str, batch_size: int | None = None) -> dict[str, dict[str, Any]]:
    return try_parameters(
        spec, lambda values: PretendFold(values, acting, batch_size or int(values["batch_size"]))
    )


SEARCH = make_spec(
    batch_size={"type": "int", "low": 16, "high": 2048},
    dropout_rate={"type": "float", "low": 0.0, "high": 0.5},
)


def test_what_acts_is_told_with_its_effect() -> None:
    tried = try_with(SEARCH, "dropout_rate")
    assert tried["batch_size"]["effect"] == ["steps"]
    assert tried["dropout_rate"]["effect"] == ["losses", "weights"]
    refuse_idle(tried)


def test_a_batch_size_that_never_arrives_refuses_the_study() -> None:
    tried = try_with(SEARCH, "dropout_rate", batch_size=128)
    assert tried["batch_size"]["acts"] is False
    with pytest.raises(SpecError, match="batch_size at 16 and at 2048"):
        refuse_idle(tried)


def test_values_in_effect_are_what_is_compared() -> None:
    spec = make_spec(batch_size={"type": "int", "low": 512, "high": 2048})
    tried = try_with(spec)
    assert tried["batch_size"]["acts"] is None
    assert "one full batch of 300 images" in tried["batch_size"]["why"]
    refuse_idle(tried)


def test_a_hyperparameter_that_acts_only_under_another_value_is_no_error() -> None:
    spec = make_spec(
        optimizer={"type": "grid", "values": ["adam", "sgd"]},
        momentum={"type": "float", "low": 0.1, "high": 0.9},
    )

    def start(values: dict[str, Any]) -> PretendFold:
        acts = values["optimizer"] == "sgd"
        return PretendFold({**values, "sgd": 10.0 * acts}, ("momentum", "sgd") if acts else ("sgd",), 64)

    tried = try_parameters(spec, start)
    assert tried["momentum"]["acts"] is True
    assert tried["optimizer"]["acts"] is True


def test_what_acts_late_or_has_one_value_is_not_judged() -> None:
    spec = make_spec(
        patience={"type": "int", "low": 0, "high": 9}, epsilon={"type": "grid", "values": [1e-7]}
    )
    assert {name: found["acts"] for name, found in try_with(spec, batch_size=64).items()} == {
        "patience": None,
        "epsilon": None,
    }


@pytest.mark.parametrize("name", [*CLIPS, "optimizer_options.clip_threshold"])
def test_a_clip_that_no_gradient_exceeded_yet_is_not_judged(name: str) -> None:
    spec = parse(
        {
            "study": {"name": "s"},
            "training": {"optimizer": "adafactor"},
            "search": {name: {"type": "choice", "values": [0.5, 1.0]}},
        },
        source="a test",
    )
    tried = try_with(spec, batch_size=64)
    assert tried[name]["acts"] is None
    assert "no gradient of 2 epochs" in tried[name]["why"]
    refuse_idle(tried)
    assert try_with(spec, name, batch_size=64)[name]["acts"] is True

"""Plans of studies whose ranges hang on each other; and that plans of older specs stay as they were."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.planning.plan import plan_points
from orchestrator.planning.regimes import regime_one, regime_two, repeat_finalists
from storage.spec import StudySpec, parse

WORDS: dict[str, Any] = {
    "optimizer": {"type": "grid", "values": ["adam", "sgd", "adamw"]},
    "batch_size": {"type": "grid", "values": [16, 64]},
    "label_smoothing": {"type": "float", "low": 0.0, "high": 0.2},
    "patience": {"type": "int", "low": 0, "high": 5},
}


def make(search: dict[str, Any], sampler: str = "random", trials: int = 8) -> StudySpec:
    return parse(
        {"study": {"name": "g", "trials": trials}, "search": search, "sampler": {"name": sampler}}, source="t"
    )


LISTED = parse(
    {
        "study": {"name": "g", "trials": 3},
        "search": {"batch_size": {"type": "int", "low": 1, "high": 99}},
        "sampler": {"name": "listed", "points": [{"batch_size": 5}, {"batch_size": 7}]},
    },
    source="t",
)
GOLDEN = {
    "Regime I": (regime_one("g"), "95aa5b5d7e34bda42f28", "3ada4d83f289afbd"),
    "Regime II": (regime_two("g"), "4a5f4541911088840366", "68baecd3145ecb2c"),
    "QMC": (
        regime_one("g").with_values({"sampler.name": "qmc", "study.trials": 8}),
        "bbd48fa281924421e88c",
        "6b0572837d3069dd",
    ),
    "words": (make(WORDS), "a4c3ea981efc4def7a38", "34b66a3edc77be07"),
    "words by QMC": (make(WORDS, "qmc"), "aa00ffc3c2e485b935f7", "9c64e6cb1343fde3"),
    "a grid of words": (
        make({name: WORDS[name] for name in ("optimizer", "batch_size")}, "grid", 100),
        "71d23af201a711df14ee",
        "d7cbd7a740abbde5",
    ),
    "listed": (LISTED, "50aaf6249e38ae573f4b", "22b01f734393cb0f"),
}
"""Specs, the begin of their hashes and the digests of their plans, as they were before ranges had conditions and choices."""


@pytest.mark.parametrize("name", GOLDEN)
def test_hashes_and_draws_of_older_specs_stay(name: str) -> None:
    spec, spec_hash, plan = GOLDEN[name]
    assert spec.spec_hash.removeprefix("sha256:")[:20] == spec_hash
    assert hashlib.sha256(json.dumps(plan_points(spec)).encode()).hexdigest()[:16] == plan


NAMES = ("batch_size", "patience", "cycle_epochs", "cycle_growth", "oversampling")


@st.composite
def grids(draw: st.DrawFn) -> dict[str, Any]:
    """Grids of up to five axes, each hanging on values of any axes before it in a random order."""
    order = draw(st.permutations(NAMES))[: draw(st.integers(1, 5))]
    search: dict[str, Any] = {}
    for place, name in enumerate(order):
        kind = draw(st.sampled_from(["grid", "choice", "step"]))
        size = draw(st.integers(1, 3))
        values = list(range(1, size + 1))
        one: dict[str, Any] = {"type": kind, "values": values}
        if kind == "step":
            one = {"type": "int", "low": 1, "high": size, "step": 1}
        parents = draw(st.lists(st.sampled_from(order[:place]), unique=True, max_size=2)) if place else []
        when = {
            parent: draw(st.lists(st.sampled_from(search[parent]["all"]), min_size=1, unique=True))
            for parent in parents
        }
        search[name] = {**one, **({"when": when} if when else {}), "all": values}
    return search


def list_by_force(search: dict[str, Any]) -> set[tuple[tuple[str, Any], ...]]:
    """Every combination of all axes; from each, what does not act is taken out until nothing more is."""
    found = set()
    for values in itertools.product(*(one["all"] for one in search.values())):
        cell = dict(zip(search, values, strict=True))
        while idle := [
            name
            for name in cell
            if not all(
                cell.get(parent) in allowed for parent, allowed in search[name].get("when", {}).items()
            )
        ]:
            for name in idle:
                del cell[name]
        found.add(tuple(sorted(cell.items())))
    return found


@settings(max_examples=150, deadline=None)
@given(grids())
def test_a_grid_has_exactly_its_valid_cells(search: dict[str, Any]) -> None:
    bare = {name: {key: value for key, value in one.items() if key != "all"} for name, one in search.items()}
    if "oversampling" in bare:
        spec = parse(
            {
                "study": {"name": "g"},
                "search": bare,
                "sampler": {"name": "grid"},
                "training": {"oversampled": ["a"]},
            },
            source="t",
        )
    else:
        spec = make(bare, "grid")
    planned = [tuple(sorted((params or {}).items())) for params in plan_points(spec)]
    wanted = list_by_force(search)
    assert len(planned) == len(wanted) == spec.point_count
    assert set(planned) == wanted


CONDITIONAL: dict[str, Any] = {
    "optimizer": {"type": "choice", "values": ["adam", "sgd", "adamw"]},
    "momentum": {"type": "float", "low": 0.5, "high": 0.99, "when": {"optimizer": ["sgd"]}},
    "weight_decay": {"type": "float", "low": 1e-5, "high": 1e-1, "log": True, "when": {"optimizer": ["adamw"]}},
    "head": {"type": "choice", "values": [[64], [64, 32]], "when": {"optimizer": ["sgd", "adamw"]}},
    "dropout_rate": {"type": "float", "low": 0.0, "high": 0.5, "step": 0.25, "when": {"head": [[64, 32]]}},
}  # fmt: skip


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_trials_have_what_acts_and_a_condition_changes_no_other_draw(sampler: str) -> None:
    points = plan_points(make(CONDITIONAL, sampler, 64))
    free = {
        name: {key: value for key, value in one.items() if key != "when"} for name, one in CONDITIONAL.items()
    }
    for params, whole in zip(points, plan_points(make(free, sampler, 64)), strict=True):
        assert params is not None
        assert whole is not None
        assert params == {name: whole[name] for name in params}
        wanted = {"optimizer"}
        wanted |= {"sgd": {"momentum", "head"}, "adamw": {"weight_decay", "head"}}.get(
            whole["optimizer"], set()
        )
        wanted |= {"dropout_rate"} if params.get("head") == [64, 32] else set()
        assert params.keys() == wanted
        assert params.get("dropout_rate", 0.0) in (0.0, 0.25, 0.5)
    assert len({json.dumps(params) for params in points}) > 40


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_a_condition_on_steps_holds_for_each_of_them(sampler: str) -> None:
    rates = {"type": "float", "low": 0.0, "high": 0.5, "step": 0.1}
    momentum = {"type": "float", "low": 0.5, "high": 0.9, "when": {"dropout_rate": [0.1, 0.2, 0.3, 0.4, 0.5]}}
    points = plan_points(make({"dropout_rate": rates, "momentum": momentum}, sampler, 64))
    assert {(round(params["dropout_rate"], 6) > 0, "momentum" in params) for params in points if params} == {
        (False, False),
        (True, True),
    }


def test_an_extended_plan_begins_with_the_shorter_one() -> None:
    for sampler in ("random", "qmc"):
        assert plan_points(make(CONDITIONAL, sampler, 40))[:16] == plan_points(make(CONDITIONAL, sampler, 16))


def test_finalists_of_a_conditional_search_are_repeated_as_they_were() -> None:
    points = [params or {} for params in plan_points(make(CONDITIONAL, "random", 12))]
    best = {
        "params": points[0],
        "selection": {"indistinguishable": [{"params": params} for params in points[1:3]]},
        "study_uuid": "u",
        "spec": make(CONDITIONAL).model_dump(mode="json"),
    }
    spec = repeat_finalists("again", best, repeats=2, finalists=3)
    assert plan_points(spec) == points[:3] * 2
    assert json.loads(json.dumps(plan_points(spec))) == plan_points(spec)


def test_a_study_goes_on_from_a_winner_of_another_model() -> None:
    spec = make(
        {
            **CONDITIONAL,
            "backbone": {"type": "choice", "values": ["VGG16", "ResNet50"]},
            "image_size": {"type": "choice", "values": [75]},
        }
    )
    params = {"backbone": "VGG16", "image_size": 75, "optimizer": "sgd", "momentum": 0.7, "head": [64]}
    best = {
        "params": params,
        "fixed": spec.fixed_beside(params),
        "spec": spec.model_dump(mode="json"),
        "schema": "orch.best/1",
    }
    followed = regime_two("two", best=best)
    assert (followed.model.backbone, followed.model.image_size, followed.model.head) == (
        "VGG16",
        (75, 75),
        (64,),
    )
    assert (followed.training.optimizer, followed.training.momentum) == ("sgd", 0.7)
    assert sorted(followed.search) == ["epsilon", "learning_rate"]

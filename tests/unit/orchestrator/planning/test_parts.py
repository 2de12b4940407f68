"""How often the winner of a new study is evaluated again where nobody says, and what that costs."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.planning.parts import describe_cost, describe_nested, plan_repeats_of_winner
from orchestrator.planning.regimes import build_spec, regime_one, regime_two, repeat_finalists
from storage.spec import StudySpec, from_json
from storage.studies.study_records import StudyRecord


def record(spec: StudySpec) -> StudyRecord:
    """A study that is there."""
    return StudyRecord("uuid", 1, spec.study.name, "", "", "open", 0.0, None, spec, spec.spec_hash, {})


@pytest.mark.parametrize(
    ("spec", "repeats"),
    [
        (regime_one("s"), 3),
        (regime_two("s"), None),
        (build_spec("s", regime="I", trials=50), None),
        (build_spec("s", regime="I", pruner="none"), None),
        (build_spec("s", regime="I", pruner="fast"), None),
        (build_spec("s", regime="I", pruner="fast", trials=200), 3),
        (build_spec("s", regime="I", settings=["cv.repeats_of_winner=0"]), 0),
        (build_spec("s", regime="II", settings=["cv.repeats_of_winner=2"]), 2),
    ],
)
def test_repeats_are_planned_where_they_cost_little_and_nobody_said(
    spec: StudySpec, repeats: int | None
) -> None:
    planned = plan_repeats_of_winner(spec, None)
    assert planned.cv.repeats_of_winner == repeats
    assert from_json(planned.to_json()).cv.repeats_of_winner == repeats
    cost = describe_cost(planned)
    assert (cost is None) == (not repeats)
    if cost is not None and repeats == 3:
        assert cost["share_at_most"] <= 0.1


def test_a_study_that_is_there_stays_as_it_is() -> None:
    older = regime_one("s")
    assert plan_repeats_of_winner(regime_one("s"), record(older)).spec_hash == older.spec_hash
    newer = plan_repeats_of_winner(older, None)
    assert newer.spec_hash != older.spec_hash
    assert plan_repeats_of_winner(regime_one("s"), record(newer)).spec_hash == newer.spec_hash


def test_what_goes_on_from_a_winner_plans_parts_of_its_own() -> None:
    spec = regime_one("s").with_values({"cv.repeats_of_winner": 3, "cv.nested": 5})
    best: dict[str, Any] = {
        "study_uuid": "uuid", "params": {"batch_size": 16, "dropout_rate": 0.1}, "fixed": dict(spec.hyperparameters),
        "spec": spec.model_dump(mode="json"),
    }  # fmt: skip
    for other in (regime_two("t", best=best), repeat_finalists("t", best, repeats=5, finalists=1)):
        assert (other.cv.repeats_of_winner, other.cv.nested) == (None, 0)


def test_nested_cross_validation_costs_a_search_and_a_model_for_each_outer_fold() -> None:
    spec = regime_one("s").with_values({"cv.nested": 5})
    assert describe_nested(spec) == {"folds": 5, "fold_epochs": 5 * (100 * 6 * 20 + 20)}
    assert describe_nested(regime_one("s")) is None

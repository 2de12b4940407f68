"""What was done otherwise than planned is said, and nothing of what was done as planned."""

from __future__ import annotations

import json
from typing import Any

import pytest

from storage.trust.plan import check_plan, describe_deviations, seal_plan
from tests.studies import make_spec

PLAN = {
    "primary_metric": "val_auc",
    "trials": 4,
    "threshold": "sensitivity=0.90",
    "subgroups": ["site"],
    "holdout": "once",
}
AT = 1000.0


def deviate(
    plan: dict[str, Any], *, openings: tuple[float, ...] = (), trials: int = 4, **judged: Any
) -> list[str]:
    sealed = {**seal_plan(plan), "at": AT}
    document = {"threshold_rule": "sensitivity=0.9", "subgroups": {"site": {}}, **judged}
    evaluations = [{"kind": "hold-out", "document": json.dumps(document)}]
    spec = make_spec("s", points=4)
    return describe_deviations(
        sealed,
        spec,
        [{"opened_at": at} for at in openings],
        trials,
        evaluations if judged or openings else (),
    )


def test_what_was_done_as_planned_is_no_deviation() -> None:
    assert deviate(PLAN) == []
    assert deviate(PLAN, openings=(AT + 1,)) == []
    assert deviate({"question": "Why?"}, openings=(AT + 1, AT + 9), trials=9, threshold_rule="0.5") == []


@pytest.mark.parametrize(
    ("done", "said"),
    [
        ({"trials": 6}, "4 trials were planned, and the study has 6."),
        ({"openings": (AT + 1, AT + 2)}, "the hold-out was to be opened once, and was opened 2 times."),
        ({"openings": (AT - 1,)}, "the hold-out had been opened once before the plan was fixed."),
        (
            {"threshold_rule": "0.5"},
            "the threshold was to be sensitivity=0.90, and the hold-out was judged with 0.5.",
        ),
        (
            {"subgroups": {}},
            "the subgroups by site were planned, and an evaluation of the hold-out does not have them.",
        ),
    ],
)
def test_a_deviation_is_named(done: dict[str, Any], said: str) -> None:
    assert deviate(PLAN, **done) == [said]


def test_another_metric_and_an_opening_that_was_not_to_be_are_named() -> None:
    assert deviate({"primary_metric": "val_f1"}) == [
        "the primary metric was to be val_f1, and the study maximises val_auc."
    ]
    assert deviate({"holdout": "never"}, openings=(AT + 1,)) == [
        "the hold-out was not to be opened, and was, once."
    ]


def test_a_plan_that_was_changed_has_another_hash() -> None:
    sealed = seal_plan(PLAN)
    assert check_plan(sealed) == []
    assert check_plan({**sealed, "plan": {**PLAN, "trials": 5}}) != []

"""States are texts that databases and scripts know: they may get company, and must not change."""

from __future__ import annotations

import json

import pytest

from storage.states import AttemptEnd, AttemptState, PointOutcome, PointState, StudyState, WorkerState


@pytest.mark.parametrize(
    ("states", "texts"),
    [
        (StudyState, ["open", "stopped"]),
        (PointState, ["open", "claimed", "done", "failed"]),
        (PointOutcome, ["COMPLETE", "PRUNED"]),
        (AttemptEnd, ["lost", "failed", "stopped"]),
        (WorkerState, ["starting", "preparing", "idle", "working", "gone"]),
    ],
)
def test_the_text_of_a_state_is_what_stands_in_databases_and_in_json(states: type, texts: list[str]) -> None:
    assert json.loads(json.dumps(list(states))) == [f"{state}" for state in states] == texts  # type: ignore[call-overload]


def test_the_states_of_attempts_are_those_of_optuna() -> None:
    from optuna.trial import TrialState

    assert set(AttemptState) == {state.name for state in TrialState} - {"WAITING"}

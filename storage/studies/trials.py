"""Attempts at points as trials in Optuna's record: start, report, settle, end.

Optuna's trials are the record that every Optuna tool reads; `storage.studies.points` is the authority. So a point is
settled first and Optuna is told afterwards, and `storage.studies.sweeping` closes the gap when a worker dies in between.

User attributes of a trial: `point`, `attempt`, `token`; when it ends as FAIL also `orch_outcome`, an `AttemptEnd`, and
`error`, what the objective raised, or why the point was given back where the worker was not told to stop; where the device
broke down, `orch_broke_down` is the epoch that the point had come to.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from storage.database.engine import Database
from storage.errors import LeaseLostError
from storage.spec.distributions import to_optuna
from storage.states import AttemptEnd, PointOutcome
from storage.studies import optuna_record
from storage.studies.optuna_record import ADOPTED, OUTCOME, POINT, TOKEN, WAITING, backend
from storage.studies.point_records import ADDED_FROM
from storage.studies.points import Claim
from storage.studies.study import StudyRecord, StudyRow
from storage.studies.study_records import find_row

_trials = sa.table("trials", sa.column("trial_id"), sa.column("study_id"), sa.column("state"))
_attributes = sa.table(
    "trial_user_attributes", sa.column("trial_id"), sa.column("key"), sa.column("value_json")
)
ERROR, ATTEMPT = "error", "attempt"
BROKE_DOWN = "orch_broke_down"
GONE = "The trial was ended by another process, or its study was deleted."
UNFINISHED = ("RUNNING", WAITING)
"""States of a trial in Optuna's own words in which its attributes may change."""
ALSO = "also"
"""The user attribute with the further objectives of a complete trial, by name."""


def value_of(trial: Any) -> float | None:
    """The value of one of Optuna's trials by the study's metric, the first of its objectives."""
    return trial.values[0] if trial.values else None


def start_trial(
    database: Database, study: StudyRecord, claim: Claim, distributions: dict[str, Any], worker: str
) -> tuple[int, int]:
    """Create the RUNNING trial of an attempt, with its parameters where they are known; one that was enqueued is taken over.

    Returns:
        Optuna's id and number of the trial.

    Raises:
        LeaseLostError: the study was deleted.
        RecordGoneError: another tool deleted what Optuna kept of it.
    """
    import optuna

    known = to_optuna(claim.params or {})
    attributes = {POINT: claim.point, ATTEMPT: claim.attempt, TOKEN: claim.token, "worker": worker}
    enqueued = _take_over(database, study, claim.point, distributions, attributes, known)
    if enqueued is not None:
        return enqueued, int(database.optuna.get_trial_number_from_id(enqueued))
    trial = optuna.trial.create_trial(
        state=optuna.trial.TrialState.RUNNING,
        params=known,
        distributions={name: distributions[name] for name in known},
        user_attrs=attributes,
    )
    try:
        with _lost_when_gone():
            trial_id = int(database.optuna.create_new_trial(study.optuna_study_id, template_trial=trial))
            return trial_id, int(database.optuna.get_trial_number_from_id(trial_id))
    except LeaseLostError:
        present = find_row(database, study.name)
        is_ours = present is not None and present.uuid == study.uuid
        if is_ours and not optuna_record.is_there(database, study.optuna_study_id):
            raise optuna_record.gone(study) from None
        raise


def report_value(database: Database, trial_id: int, step: int, value: float) -> None:
    """Report the value of a running trial after a step; a step reported before is left as it was.

    Raises:
        LeaseLostError: the trial was ended by somebody else, or its study was deleted.
    """
    with _lost_when_gone():
        database.optuna.set_trial_intermediate_value(trial_id, step, value)


def note_attributes(database: Database, trial_id: int, attributes: dict[str, Any]) -> None:
    """Keep facts with a running trial, all or none; plain JSON data.

    Optuna's own way is a transaction for each of them, and every trial of every study pays for this.

    Raises:
        LeaseLostError: the trial was ended by somebody else, or its study was deleted.
    """
    rows = [
        {"trial_id": trial_id, "key": name, "value_json": json.dumps(value)}
        for name, value in attributes.items()
    ]
    if not rows:
        return
    with _lost_when_gone(), database.transaction() as connection:
        state = connection.execute(sa.select(_trials.c.state).where(_trials.c.trial_id == trial_id)).scalar()
        if state not in UNFINISHED:
            raise LeaseLostError(GONE)
        adding = database.insert(_attributes).values(rows)
        same = {"index_elements": ["trial_id", "key"], "set_": {"value_json": adding.excluded.value_json}}
        connection.execute(adding.on_conflict_do_update(**same))


def note_outcome(
    database: Database,
    trial_id: int,
    outcome: AttemptEnd,
    *,
    error: str | None = None,
    broke_down: int | None = None,
) -> None:
    """Say why an attempt is about to end, before its point is given back: a sweep in between then keeps it."""
    attributes: dict[str, Any] = {OUTCOME: outcome} if error is None else {ERROR: error, OUTCOME: outcome}
    if broke_down is not None:
        attributes[BROKE_DOWN] = broke_down
    with contextlib.suppress(LeaseLostError):
        note_attributes(database, trial_id, attributes)


def end_trial(
    database: Database, trial_id: int, outcome: AttemptEnd, *, attributes: dict[str, Any] | None = None
) -> bool:
    """End an attempt without a value: FAIL, with why. Returns False when it had ended already."""
    import optuna
    import sqlalchemy.exc

    storage = database.optuna
    try:
        for name, value in {OUTCOME: outcome, **(attributes or {})}.items():
            storage.set_trial_user_attr(trial_id, name, value)
        return bool(storage.set_trial_state_values(trial_id, optuna.trial.TrialState.FAIL))
    except (optuna.exceptions.UpdateFinishedTrialError, KeyError, sqlalchemy.exc.IntegrityError):
        return False


def settle_trial(
    database: Database,
    trial_id: int,
    outcome: PointOutcome,
    value: float | None,
    further: Sequence[float] = (),
) -> bool:
    """Tell Optuna what its point became. Returns False when it knew already.

    Args:
        database: where.
        trial_id: Optuna's id of the trial.
        outcome: of its point.
        value: of its point; None where there is none, and of a pruned trial of several objectives.
        further: the values of the further objectives of a complete trial.
    """
    import optuna

    state = (
        optuna.trial.TrialState.PRUNED if outcome == PointOutcome.PRUNED else optuna.trial.TrialState.COMPLETE
    )
    try:
        return bool(
            database.optuna.set_trial_state_values(
                trial_id, state, None if value is None else [value, *further]
            )
        )
    except (optuna.exceptions.UpdateFinishedTrialError, KeyError):
        return False


def list_running(database: Database, study: StudyRow) -> list[Any]:
    """Optuna's RUNNING trials of a study, past its cache; none when it was deleted."""
    import optuna

    try:
        return list(
            backend(database).get_all_trials(
                study.optuna_study_id, deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)
            )
        )
    except KeyError:
        return []


def _take_over(
    database: Database,
    study: StudyRecord,
    point: int,
    distributions: Mapping[str, Any],
    attributes: Mapping[str, Any],
    params: Mapping[str, Any],
) -> int | None:
    """Let the enqueued trial of a point be its attempt: from WAITING to RUNNING, with its parameters.

    Args:
        database: where.
        study: of which study.
        point: held by the caller.
        distributions: of the parameters.
        attributes: user attributes of the attempt.
        params: of the point.

    Returns:
        Optuna's id of the trial, or None where the point has none that waits.
    """
    import optuna

    if point < ADDED_FROM:
        return None
    query = (
        sa.select(_trials.c.trial_id)
        .join(_attributes, _attributes.c.trial_id == _trials.c.trial_id)
        .where(
            _trials.c.study_id == study.optuna_study_id,
            _trials.c.state == WAITING,
            _attributes.c.key == ADOPTED,
            _attributes.c.value_json == json.dumps(point),
        )
    )
    with database.reading() as connection:
        trial_id = connection.execute(query).scalar()
    if trial_id is None:
        return None
    storage = database.optuna
    try:
        for name, value in params.items():
            kind = distributions[name]
            storage.set_trial_param(trial_id, name, kind.to_internal_repr(value), kind)
        for name, value in attributes.items():
            storage.set_trial_user_attr(trial_id, name, value)
        started = storage.set_trial_state_values(trial_id, optuna.trial.TrialState.RUNNING)
    except (KeyError, optuna.exceptions.UpdateFinishedTrialError):
        return None  # another tool ended or deleted it
    return int(trial_id) if started else None


@contextmanager
def _lost_when_gone() -> Iterator[None]:
    import optuna
    import sqlalchemy.exc

    try:
        yield
    # An integrity error: the row it hangs on was deleted, or another process wrote the same attribute to end it.
    except (optuna.exceptions.UpdateFinishedTrialError, KeyError, sqlalchemy.exc.IntegrityError) as error:
        raise LeaseLostError(GONE) from error

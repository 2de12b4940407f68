"""Attempts at points as trials in Optuna's record: start, settle, and mend what a killed worker left behind.

Optuna's trials are the record that every Optuna tool reads; `storage.points` is the authority. So a point is
settled first and Optuna is told afterwards, and `sweep` closes the gap when a worker dies in between.

User attributes of a trial: `point`, `attempt`, `token`; when it ends as FAIL also `orch_outcome`, one of
"lost" (its worker vanished), "failed" (the objective raised; `error` holds the text) and "stopped" (drained).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from storage import tables
from storage.engine import Database
from storage.errors import LeaseLostError
from storage.points import PRUNED, Claim, PointRecord, expire_leases, list_points
from storage.studies import StudyRecord

LOST, FAILED, STOPPED = "lost", "failed", "stopped"
_trials = sa.table("trials", sa.column("trial_id"), sa.column("study_id"), sa.column("state"))
OUTCOME, ERROR, POINT, ATTEMPT, TOKEN = "orch_outcome", "error", "point", "attempt", "token"


def start_trial(
    database: Database, study: StudyRecord, claim: Claim, distributions: dict[str, Any], worker: str
) -> tuple[int, int]:
    """Create the RUNNING trial of an attempt, with its parameters where they are known.

    Returns:
        Optuna's id and number of the trial.

    Raises:
        LeaseLostError: the study was deleted.
    """
    import optuna

    known = claim.params if claim.params is not None else {}
    trial = optuna.trial.create_trial(
        state=optuna.trial.TrialState.RUNNING,
        params=known,
        distributions={name: distributions[name] for name in known},
        user_attrs={POINT: claim.point, ATTEMPT: claim.attempt, TOKEN: claim.token, "worker": worker},
    )
    with _lost_when_gone():
        trial_id = int(database.optuna.create_new_trial(study.optuna_study_id, template_trial=trial))
        return trial_id, int(database.optuna.get_trial_number_from_id(trial_id))


def report_value(database: Database, trial_id: int, step: int, value: float) -> None:
    """Report the value of a running trial after a step; a step reported before is left as it was.

    Raises:
        LeaseLostError: the trial was ended by somebody else, or its study was deleted.
    """
    with _lost_when_gone():
        database.optuna.set_trial_intermediate_value(trial_id, step, value)


def note_attributes(database: Database, trial_id: int, attributes: dict[str, Any]) -> None:
    """Keep facts with a running trial; plain JSON data.

    Raises:
        LeaseLostError: the trial was ended by somebody else, or its study was deleted.
    """
    with _lost_when_gone():
        for name, value in attributes.items():
            database.optuna.set_trial_user_attr(trial_id, name, value)


def note_outcome(database: Database, trial_id: int, outcome: str, *, error: str | None = None) -> None:
    """Say why an attempt is about to end, before its point is given back: a sweep in between then keeps it."""
    attributes = {OUTCOME: outcome} if error is None else {ERROR: error, OUTCOME: outcome}
    with contextlib.suppress(LeaseLostError):
        note_attributes(database, trial_id, attributes)


def end_trial(
    database: Database, trial_id: int, outcome: str, *, attributes: dict[str, Any] | None = None
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


def settle_trial(database: Database, trial_id: int, outcome: str, value: float | None) -> bool:
    """Tell Optuna what its point became. Returns False when it knew already."""
    import optuna

    state = optuna.trial.TrialState.PRUNED if outcome == PRUNED else optuna.trial.TrialState.COMPLETE
    try:
        return bool(
            database.optuna.set_trial_state_values(trial_id, state, None if value is None else [value])
        )
    except (optuna.exceptions.UpdateFinishedTrialError, KeyError):
        return False


def sweep(database: Database, study: StudyRecord, *, spare_seconds: float = 0.0) -> int:
    """Mend what killed workers left: may be run by anybody, at any time, any number of times.

    A RUNNING trial whose point is done is told; one that is not its point's present attempt becomes FAIL, lost.

    Args:
        database: where.
        study: of which study.
        spare_seconds: a point that was settled so lately is left to its own worker, which is about to tell Optuna.

    Returns:
        How many trials were mended.
    """
    with database.transaction() as connection:
        expire_leases(connection, study.uuid, database.now(connection))
    left = _read_trials(database, _list_left(database, study, spare_seconds))
    if not left:
        return 0
    # Points are read after the trials: a claim is made before its trial, so that a present attempt is never missed.
    numbers = {trial.user_attrs.get(POINT, -1) for trial in left}
    points = {record.point: record for record in list_points(database, study.uuid, numbers)}
    mended = 0
    for trial in left:
        point = points.get(trial.user_attrs.get(POINT, -1))
        if point is None or not _is_of_orch(trial):
            continue
        if _is_settled_by(point, trial):
            mended += settle_trial(database, trial._trial_id, str(point.outcome), point.value)
        elif not _is_present_attempt(point, trial):
            attributes = {ERROR: point.error} if point.state == "failed" and point.error else None
            # An attempt that was ended on purpose said so before it gave its point back.
            outcome = trial.user_attrs.get(OUTCOME, LOST)
            mended += end_trial(database, trial._trial_id, outcome, attributes=attributes)
    return mended


def _list_left(database: Database, study: StudyRecord, spare_seconds: float) -> list[int]:
    """RUNNING trials that are not the noted attempt of a claimed point.

    Hundreds of idle workers ask this again and again while others work, and Optuna would make an object of every trial
    that runs, with all it reported, each time.
    """
    attempt = sa.and_(
        tables.points.c.study_uuid == study.uuid, tables.points.c.trial_id == _trials.c.trial_id
    )
    is_worked_on = sa.exists().where(attempt, tables.points.c.state == "claimed")
    is_settled_lately = sa.exists().where(
        attempt,
        tables.points.c.state == "done",
        tables.points.c.finished_at > database.clock - spare_seconds,
    )
    left = sa.select(_trials.c.trial_id).where(
        _trials.c.study_id == study.optuna_study_id, _trials.c.state == "RUNNING", ~is_worked_on
    )
    if spare_seconds:
        left = left.where(~is_settled_lately)
    with database.reading() as connection:
        return list(connection.execute(left.order_by(_trials.c.trial_id)).scalars())


def _read_trials(database: Database, trial_ids: list[int]) -> list[Any]:
    """Optuna's trials, past its cache, which would load every trial of the study; without those that were deleted."""
    found = []
    for trial_id in trial_ids:
        with contextlib.suppress(KeyError):
            found.append(_backend(database).get_trial(trial_id))
    return found


def list_running(database: Database, study: StudyRecord) -> list[Any]:
    """Optuna's RUNNING trials of a study, past its cache; none when it was deleted."""
    import optuna

    try:
        return list(
            _backend(database).get_all_trials(
                study.optuna_study_id, deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)
            )
        )
    except KeyError:
        return []


def _backend(database: Database) -> Any:
    return getattr(database.optuna, "_backend", database.optuna)


@contextmanager
def _lost_when_gone() -> Iterator[None]:
    import optuna
    import sqlalchemy.exc

    try:
        yield
    # An integrity error: the row it hangs on was deleted, or another process wrote the same attribute to end it.
    except (optuna.exceptions.UpdateFinishedTrialError, KeyError, sqlalchemy.exc.IntegrityError) as error:
        raise LeaseLostError("The trial was ended by another process, or its study was deleted.") from error


def _is_of_orch(trial: Any) -> bool:
    return TOKEN in trial.user_attrs and ATTEMPT in trial.user_attrs


def _is_settled_by(point: PointRecord, trial: Any) -> bool:
    return point.state == "done" and point.trial_id == trial._trial_id


def _is_present_attempt(point: PointRecord, trial: Any) -> bool:
    if point.state != "claimed" or point.token != trial.user_attrs[TOKEN]:
        return False
    # A repeated insert after a lost acknowledgement leaves twins; the noted one is the attempt.
    return point.trial_id is None or point.trial_id == trial._trial_id

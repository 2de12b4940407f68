"""Account for every planned point of a study, every attempt, every fold and every opening of its hold-out."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.studies.verify_folds import (
    check_folds,
    check_further,
    check_predictions,
    check_reports,
    count_folds,
    is_equal,
)
from storage.database import tables
from storage.errors import DataError, SpecError
from storage.growth.evidence import check_kept, read_evidence, summarize_evidence
from storage.holdout.openings import find_openings
from storage.results.ledger import FoldEpoch, read_curves, run_key
from storage.results.predictions import read_predictions
from storage.spec import require_whole
from storage.spec.distributions import to_optuna
from storage.states import AttemptEnd, AttemptState, PointOutcome, PointState
from storage.studies.attempts import list_foreign
from storage.studies.chain import Event
from storage.studies.optuna_record import OUTCOME, POINT, TOKEN, list_all_trials
from storage.studies.point_records import ADDED_FROM, PointRecord, count_points
from storage.studies.points import MAX_LOSSES
from storage.studies.study_records import origins
from storage.studies.trials import ATTEMPT, BROKE_DOWN, ERROR, value_of
from storage.trust.evidence import check_chain
from storage.trust.evidence import read_evidence as read_chained
from storage.trust.plan import check_plan, describe_deviations, find_plan
from storage.trust.queue_rows import Queue, read_queue
from storage.wording import say_count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from storage.data.datasets import Dataset
    from storage.database.engine import Database
    from storage.studies.study import StudyRecord

OF_ORCH = {TOKEN, POINT, ATTEMPT}
"""A trial with one of these user attributes says that orch made it."""
RECORD_GONE = (
    "Optuna's record of the study is gone: another tool deleted it (`optuna delete-study`, a dashboard that may edit). "
    "Attempts cannot be accounted for; results are in orch's own tables."
)


@dataclass
class Account:
    """What a study came to, and what is wrong with it, one sentence each."""

    problems: list[str] = field(default_factory=list)
    attempts: Counter[str] = field(default_factory=Counter)
    folds_recorded: int = 0
    folds_missing: int = 0

    def require(self, holds: bool, problem: str) -> bool:
        """Note a problem unless something holds; returns whether it does."""
        if not holds:
            self.problems.append(problem)
        return holds

    def note(self, problems: Iterable[str]) -> None:
        """Note problems that were found elsewhere."""
        self.problems.extend(problems)


def verify_study(
    database: Database,
    study: StudyRecord,
    planned: list[dict[str, Any] | None],
    dataset: Dataset | None = None,
    *,
    head: str | None = None,
) -> dict[str, Any]:
    """Check a study against its plan, its attempts and its ledger; changes nothing.

    Args:
        database: where.
        study: which.
        planned: the parameters of every point, as its spec plans them; None where a sampler drew them.
        dataset: the data of the study, by which predictions are scored again; None where they are not on this machine.
        head: a hash of its chain that was published before.

    Returns:
        A document: `ok`, `problems`, and the counts that they were found in.
    """
    account = Account()
    queue = read_queue(database, study.uuid)
    points, numbers = queue.points, set(queue.numbers)
    account.note(queue.problems)
    _check_spec(account, database, study)
    _check_plan(account, queue, planned)
    _check_additions(account, study, [point for point in points if point.is_added])
    found = list_all_trials(database, study)
    trials = found or []
    account.require(found is not None, RECORD_GONE)
    by_point: dict[int, list[Any]] = defaultdict(list)
    for trial in trials:
        number = trial.user_attrs.get(POINT)
        if not OF_ORCH & trial.user_attrs.keys():
            continue  # enqueued, or told by another tool
        known = isinstance(number, int) and number in numbers
        if account.require(known, f"Trial {trial.number} belongs to no planned trial."):
            by_point[number].append(trial)
    curves: dict[int, list[FoldEpoch]] = defaultdict(list)
    for row in read_curves(database, study.uuid):
        curves[row.point].append(row)
    keys = _run_keys(database, study)
    for point in points:
        try:
            if found is not None:
                _check_attempts(account, study, point, by_point[point.point])
            if point.state == PointState.DONE:
                of_trial = curves[point.point], keys.get(point.point, set()), by_point[point.point]
                _check_results(account, database, study, point, *of_trial, dataset)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            account.note(
                [f"Planned trial {point.point} has something in a row that orch does not write ({error})."]
            )
    account.note(check_kept(database, study))
    chained = read_chained(database, study.uuid)
    account.note(check_chain(chained, head=head))
    openings = _find_openings(account, database, study, dataset)
    plan = find_plan(chained.study["facts"])
    if plan is not None:
        account.note(check_plan(plan))
    counts, origin = count_points(database, study.uuid), origins(study)
    return {
        "study": study.name,
        "ok": not account.problems,
        "is_settled": counts.is_settled,
        "points": {name: getattr(counts, name) for name in counts.__dataclass_fields__},
        "trials": dict(Counter(trial.state.name for trial in trials)),
        "added": dict(Counter(origin.get(point.point, "unknown") for point in points if point.is_added)),
        "foreign": dict(Counter(trial.kind for trial in list_foreign(database, study))),
        "evidence": summarize_evidence(read_evidence(database, study)),
        "attempts": {name: account.attempts[name] for name in (*_ATTEMPT_KINDS, "without_trial")},
        "folds": {"recorded": account.folds_recorded, "missing": account.folds_missing},
        "chain": {"links": len(chained.chain), "head": chained.head},
        "plan": plan,
        "deviations": describe_deviations(
            plan, study.spec, openings, len(queue.numbers), chained.records[Event.EVALUATION]
        )
        if plan
        else [],
        "holdout_openings": openings,
        "problems": account.problems,
    }


_ATTEMPT_KINDS = ("complete", "pruned", *AttemptEnd, "running")


def _check_spec(account: Account, database: Database, study: StudyRecord) -> None:
    """Hold the spec as it is stored against its hash: what was changed after the creation shows, whatever it was."""
    import sqlalchemy as sa

    columns = tables.studies.c
    query = sa.select(columns.spec, columns.fingerprint).where(columns.uuid == study.uuid)
    with database.reading() as connection:
        row = connection.execute(query).one()
    account.require(
        study.spec_hash == "sha256:" + hashlib.sha256(row.spec.encode()).hexdigest(),
        "The spec was changed after the study was created: it does not have the hash that was recorded then.",
    )
    account.require(
        row.fingerprint == study.spec.data.fingerprint,
        f"The study is listed with the data set {row.fingerprint}, and its spec names {study.spec.data.fingerprint}.",
    )


def _check_plan(account: Account, queue: Queue, planned: list[dict[str, Any] | None]) -> None:
    numbers = [number for number in queue.numbers if number < ADDED_FROM]
    account.require(
        numbers == list(range(len(planned))),
        f"The plan has {len(planned)} trials, numbered from 0; the database has {len(numbers)}.",
    )
    for point in queue.points:
        params = planned[point.point] if point.point < len(planned) else None
        account.require(
            params is None or point.params == params,
            f"Planned trial {point.point} has the parameters {point.params}, and the plan {params}.",
        )


def _check_additions(account: Account, study: StudyRecord, points: list[PointRecord]) -> None:
    """Hold the trials beside the plan against the record of who added them, and their values against the search."""
    noted, found = set(origins(study)), {point.point for point in points}
    account.require(
        noted == found,
        f"On record are {len(noted)} trials that were added by hand or enqueued; the database has {len(found)}.",
    )
    for point in points:
        try:
            fits = require_whole(study.spec, point.params or {}) == point.params
        except SpecError:
            fits = False
        account.require(
            fits,
            f"Planned trial {point.point} was added with the parameters {point.params}, which the study does not search.",
        )


def _check_attempts(account: Account, study: StudyRecord, point: PointRecord, trials: list[Any]) -> None:
    name = f"Planned trial {point.point}"
    ended = [trial for trial in trials if trial.state.name in set(PointOutcome)]
    account.attempts.update(trial.state.name.lower() for trial in ended)
    if point.state == PointState.DONE:
        numbers = [trial.number for trial in ended]
        if account.require(
            len(ended) == 1, f"{name} is done and has {len(ended)} finished trials {numbers}, not one."
        ):
            (trial,) = ended
            is_pruned = point.outcome == PointOutcome.PRUNED
            account.require(
                trial.number == point.trial_number and trial.state.name == point.outcome,
                f"{name} is {point.outcome} by trial {point.trial_number}, but trial {trial.number} is "
                f"{trial.state.name}.",
            )
            account.require(
                is_equal(value_of(trial), None if study.spec.further and is_pruned else point.value),
                f"{name} has the value {point.value}, and its trial {value_of(trial)}.",
            )
            account.require(
                not trial.params or trial.params == to_optuna(point.params or {}),
                f"{name} has the parameters {point.params}, and its trial {trial.params}.",
            )
    else:
        account.require(not ended, f"{name} is {point.state} and yet has a finished trial.")
    _check_unfinished(account, point, [trial for trial in trials if trial not in ended])
    attempts = {trial.user_attrs.get(ATTEMPT) for trial in trials}
    account.require(
        attempts <= set(range(1, point.attempt + 1)),
        f"{name} was claimed {point.attempt} times and has trials of the attempts {sorted(attempts, key=str)}.",
    )
    account.attempts["without_trial"] += point.attempt - len(attempts)
    if point.state == PointState.FAILED:
        account.require(bool(point.error), f"{name} failed without an error on record.")
        # The last of the devices that broke down with it is on record as a failure.
        broken = sum(BROKE_DOWN in trial.user_attrs for trial in trials) + 1
        account.require(
            point.failures > study.spec.study.retries or max(point.losses, broken) >= MAX_LOSSES,
            f"{name} failed after {say_count(point.failures, 'error')} and {say_count(point.losses, 'loss', 'losses')}, which is too early.",
        )


def _check_results(
    account: Account,
    database: Database,
    study: StudyRecord,
    point: PointRecord,
    rows: list[FoldEpoch],
    keys: set[str],
    trials: list[Any],
    dataset: Dataset | None,
) -> None:
    """Hold a trial that is done against its fold results, what it reported, and what it predicted."""
    account.require(
        keys <= {run_key(study.spec_hash, point.params or {})},
        f"Planned trial {point.point} has fold results of other parameters or another spec.",
    )
    recorded, missing = count_folds(study.spec, point, rows)
    account.folds_recorded += recorded
    account.folds_missing += missing
    account.note(check_folds(study.spec, point, rows))
    for trial in trials:
        if trial.state.name in set(PointOutcome):
            account.note(check_reports(study.spec, trial, rows))
        if trial.state.name == PointOutcome.COMPLETE:
            account.note(check_further(study.spec, trial, rows))
    if point.outcome == PointOutcome.COMPLETE:
        kept = read_predictions(database, study.uuid, point.point, with_damaged=True)
        account.note(check_predictions(study.spec, point, rows, kept, dataset))


def _check_unfinished(account: Account, point: PointRecord, trials: list[Any]) -> None:
    failed = 0
    for trial in trials:
        what = f"Trial {trial.number} (planned trial {point.point})"
        if trial.state.name == AttemptState.RUNNING:
            present = point.state == PointState.CLAIMED and trial.user_attrs.get("token") == point.token
            account.attempts["running"] += 1
            account.require(present, f"{what} is RUNNING, but no worker works on it.")
            continue
        outcome = trial.user_attrs.get(OUTCOME)
        account.require(outcome in set(AttemptEnd), f"{what} is {trial.state.name} and does not say why.")
        account.attempts[str(outcome)] += 1
        if outcome == AttemptEnd.FAILED:
            failed += 1
            account.require(bool(trial.user_attrs.get(ERROR)), f"{what} failed without an error on record.")
    account.require(
        failed >= point.failures,
        f"Planned trial {point.point} counts {point.failures} errors, its trials {failed}.",
    )


def _run_keys(database: Database, study: StudyRecord) -> dict[int, set[str]]:
    import sqlalchemy as sa

    columns = tables.epochs.c
    query = sa.select(columns.point, columns.run_key).where(columns.study_uuid == study.uuid).distinct()
    found: dict[int, set[str]] = defaultdict(set)
    with database.reading() as connection:
        for point, key in connection.execute(query):
            found[point].add(key)
    return found


def _find_openings(
    account: Account, database: Database, study: StudyRecord, dataset: Dataset | None
) -> list[dict[str, Any]]:
    """The openings of the hold-out by the database, and by the folder of the data set where it is on this machine."""
    try:
        found = find_openings(study.fingerprint, dataset.folder if dataset is not None else None, database)
    except DataError as error:
        account.note([error.what])
        found = find_openings(study.fingerprint, None, database)
    return [
        {
            **{
                name: value
                for name, value in asdict(one).items()
                if name not in ("fingerprint", "study_uuid")
            },
            "by_this_study": one.study_uuid == study.uuid,
        }
        for one in found
    ]

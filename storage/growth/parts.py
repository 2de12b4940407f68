"""The parts of a study: studies that orch makes by itself, works off with it, and lists, stops, deletes and verifies with it.

What a part is follows from its study, and from a winner, alone (`storage.growth.part_specs`), name and all: whoever makes it first, and
however many do at the same moment, it is the same one. A study that grows and has another winner afterwards gets another part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from storage.data.datasets import Dataset
from storage.data.folds import digest_folds, make_folds
from storage.database import tables
from storage.database.engine import Database
from storage.errors import StorageError
from storage.growth.extending import lock_facts, note_growth
from storage.growth.part_specs import (
    Role,
    chosen_params,
    count_draws,
    has_parts,
    may_have_parts,
    plan_patients,
    plan_repeats,
    plan_search,
    plan_test,
    role_of,
)
from storage.spec import StudySpec
from storage.states import StudyState
from storage.studies.chain import link_growth
from storage.studies.point_records import PointRecord, best_point, count_points, list_points
from storage.studies.study import create_study, read_canary, register_canary
from storage.studies.study_records import GROWTH, PART, StudyRecord, StudyRow, find_row
from storage.wording import say_command

KEPT_FACTS = ("images", "groups", "grouped", "targets", "task", "classes", "findings", "accepted")
"""What was noted of the data when the study was made, and is as true of its parts."""
PERCENTS, DRAWN = (10, 20, 40, 70, 100), 2
"""The sizes of a learning curve, and how many times the folds of each are drawn."""
LONGEST = 160
"""Letters of a study's name that the name of a part begins with."""

FindDataset = Callable[[StudyRecord], Dataset | None]
FindEpoch = Callable[[Database, StudyRecord, PointRecord], int]
"""The epoch at which a complete trial is judged, from 1: `storage.results.judged.judged_epoch`."""


def list_parts(database: Database, study: StudyRecord) -> list[StudyRecord]:
    """The parts that were made of a study, oldest first; a part has none itself."""
    return _list_parts_of(database, study.uuid) if may_have_parts(study) else []


def list_parts_of_row(database: Database, study: StudyRow) -> list[StudyRecord]:
    """The parts of a study, whichever orch made it: of one that this orch cannot read, none are known."""
    return list_parts(database, study) if isinstance(study, StudyRecord) else []


def with_parts(database: Database, studies: list[StudyRecord]) -> list[StudyRecord]:
    """Each study, and behind it its parts."""
    return [one for study in studies for one in (study, *list_parts(database, study))]


def leave_out_parts(studies: list[Any]) -> list[Any]:
    """The studies that stand for themselves: a part whose study is gone does, too."""
    known = {study.uuid for study in studies}
    return [
        study
        for study in studies
        if not (isinstance(study, StudyRecord) and study.spec.study.part_of in known)
    ]


def makes_parts(spec: StudySpec) -> bool:
    """Whether a part follows from the winner of a study: its repeats, or of a search its test."""
    return bool(has_parts(spec) and spec.cv.repeats_of_winner) or role_of(spec) is Role.SEARCH


def find_missing_part(database: Database, study: StudyRecord) -> PointRecord | None:
    """The winner of a finished study whose part is planned and was not made yet; None where nothing is missing."""
    if not makes_parts(study.spec) or study.state != StudyState.OPEN:
        return None
    if not count_points(database, study.uuid).is_settled:
        return None
    winner = best_point(list_points(database, study.uuid))
    if winner is None or find_follower(database, study, winner) is not None:
        return None
    return winner


def find_follower(database: Database, study: StudyRecord, winner: PointRecord) -> StudyRecord | None:
    """The part that was made of a trial: its repeats, or of a search its test; None before it was made."""
    wanted = Role.TEST if role_of(study.spec) is Role.SEARCH else Role.REPEATS
    for part in _list_parts_of(database, study.spec.study.part_of or study.uuid):
        is_wanted = role_of(part.spec) is wanted and part.spec.cv.outer == study.spec.cv.outer
        if is_wanted and chosen_params(part.spec) == _without_patience(winner.params or {}, wanted):
            return part
    return None


def make_missing_part(
    database: Database, study: StudyRecord, find_epoch: FindEpoch, dataset: Dataset | None = None
) -> StudyRecord | None:
    """Make the part that a finished study plans, if it is not there yet; may be called by several at once.

    Args:
        database: where.
        study: which.
        find_epoch: the epoch of its winner.
        dataset: its data, so that the folds are noted; None where they are not at hand.

    Returns:
        The part, or None where nothing is missing.
    """
    winner = find_missing_part(database, study)
    if winner is None:
        return None
    params = winner.params or {}
    number = winner.point if winner.trial_number is None else winner.trial_number
    if role_of(study.spec) is Role.SEARCH:
        name = _free_name(database, study, f"{study.name[:LONGEST]}-{Role.TEST}-{number}")
        spec = plan_test(study, params, find_epoch(database, study, winner), name)
    else:
        name = _free_name(database, study, f"{study.name[:LONGEST]}-{Role.REPEATS}-{number}")
        spec = plan_repeats(study, winner.point, params, name)
    points: list[dict[str, Any] | None] = [chosen_params(spec) for _ in range(spec.study.trials)]
    part = make_part(database, study, spec, points, dataset)
    tried = read_canary(database, study)
    if tried is not None:
        register_canary(database, part, tried)
    return part


def make_searches(
    database: Database,
    study: StudyRecord,
    dataset: Dataset,
    plan: Callable[[StudySpec], list[dict[str, Any] | None]],
) -> list[StudyRecord]:
    """Make the searches of a nested cross-validation, those that are not there yet.

    Args:
        database: where.
        study: the whole.
        dataset: its data.
        plan: the trials of a spec.
    """
    specs = [
        plan_search(study, outer, _free_name(database, study, f"{study.name[:LONGEST]}-outer-{outer}"))
        for outer in range(1, study.spec.cv.nested + 1)
    ]
    return [make_part(database, study, spec, plan(spec), dataset) for spec in specs]


def make_learning_curve(
    database: Database,
    study: StudyRecord,
    dataset: Dataset,
    percents: Sequence[int] | None = None,
    repeats: int | None = None,
) -> list[StudyRecord]:
    """Make the points of the learning curve of a study's best trial, those that are not there yet; all of them, few patients first.

    Args:
        database: where.
        study: which.
        dataset: its data.
        percents: of the patients, for each point; None leaves the curve as it was planned, or plans `PERCENTS`.
        repeats: how many times the folds are drawn for each; None takes that of the points that are there, or `DRAWN`.

    Raises:
        StorageError: no trial is complete, the study is itself a part, or the curve was planned with other repeats.
    """
    if study.spec.study.part_of:
        raise StorageError(
            f"{study.name!r} is a part of another study, and has no learning curve of its own.",
            next_step="Ask for that of the study whose part it is.",
        )
    winner = best_point(list_points(database, study.uuid))
    if winner is None:
        raise StorageError(
            f"No trial of {study.name!r} is complete, so there is nothing to train on fewer patients.",
            next_step=f"`{say_command('worker', study.name)}` evaluates its trials.",
        )
    there = {part.spec.cv.train_percent: part for part in list_curve(database, study, winner)}
    drawn = {count_draws(part.spec) for part in there.values()}
    if repeats is not None and drawn - {repeats}:
        raise StorageError(
            f"The learning curve of {study.name!r} was planned with --repeats {min(drawn)}, and all its sizes have the same.",
            next_step="Leave --repeats out.",
        )
    repeats = repeats or min(drawn, default=DRAWN)
    number = winner.point if winner.trial_number is None else winner.trial_number
    made = []
    for percent in sorted(percents or there or PERCENTS):
        if percent in there:
            # Whoever made it may have been killed before it was noted.
            _note_part(database, study, there[percent])
            made.append(there[percent])
            continue
        name = _free_name(database, study, f"{study.name[:LONGEST]}-{Role.PATIENTS}-{percent}-{number}")
        spec = plan_patients(study, winner.point, winner.params or {}, percent, repeats, name)
        points: list[dict[str, Any] | None] = [chosen_params(spec) for _ in range(spec.study.trials)]
        made.append(make_part(database, study, spec, points, dataset))
    return made


def list_curve(database: Database, study: StudyRecord, winner: PointRecord) -> list[StudyRecord]:
    """The points of the learning curve of a trial, few patients first."""
    found = [
        part
        for part in _list_parts_of(database, study.uuid)
        if role_of(part.spec) is Role.PATIENTS and chosen_params(part.spec) == winner.params
    ]
    return sorted(found, key=lambda part: part.spec.cv.train_percent)


def make_part(
    database: Database,
    study: StudyRecord,
    spec: StudySpec,
    points: list[dict[str, Any] | None],
    dataset: Dataset | None,
) -> StudyRecord:
    """Create a part with its trials; one that is there stays as it is.

    Args:
        database: where.
        study: the whole, or the search that is tested.
        spec: of the part.
        points: its trials.
        dataset: the data; None where they are not at hand.
    """
    facts = {key: study.facts[key] for key in KEPT_FACTS if key in study.facts}
    if dataset is not None:
        facts |= _note_folds(spec, dataset)
    part = create_study(database, spec, points, data_folder=study.data_folder, facts=facts)
    _note_part(database, study, part)
    return part


def describe_parts(database: Database, study: StudyRecord) -> list[dict[str, Any]]:
    """The parts as plain documents: what each is for, how far it is, and its price beside that of the study itself.

    Keys: `study`, `uuid`, `role`, `outer` (the outer fold, from 1), `percent` (of the patients that a point of the learning curve trains on), `trial` and `point` (of the study's own trials what is repeated),
    `repeats`, `is_settled`, `planned`, `complete`, `failed`, `fold_epochs` (trained for it so far), `share` (of those of the study itself).
    """
    parts = list_parts(database, study)
    if not parts:
        return []
    points = list_points(database, study.uuid)
    whole = count_fold_epochs(database, study.uuid)
    documents = []
    for part in parts:
        counts, role = count_points(database, part.uuid), role_of(part.spec)
        params = chosen_params(part.spec) if role in (Role.REPEATS, Role.PATIENTS) else None
        of = next((point for point in points if point.params == params), None) if params else None
        spent = count_fold_epochs(database, part.uuid)
        documents.append(
            {
                "study": part.name,
                "uuid": part.uuid,
                "role": role,
                "outer": part.spec.cv.outer or None,
                "percent": part.spec.cv.train_percent if role is Role.PATIENTS else None,
                "trial": of.trial_number if of else None,
                "point": of.point if of else None,
                "repeats": study.spec.cv.repeats_of_winner if role is Role.REPEATS else None,
                "is_settled": counts.is_settled,
                "planned": counts.planned,
                "complete": counts.complete,
                "pruned": counts.pruned,
                "failed": counts.failed,
                "fold_epochs": spent,
                "share": spent / whole if whole else None,
            }
        )
    return documents


def count_fold_epochs(database: Database, study_uuid: str) -> int:
    """How many epochs of single folds are recorded of a study."""
    query = sa.select(sa.func.count()).where(tables.epochs.c.study_uuid == study_uuid)
    with database.reading() as connection:
        return int(connection.execute(query).scalar_one())


def is_left(database: Database, study: StudyRecord) -> bool:
    """Whether a study whose trials are finished still has a part to make or to work off."""
    if find_missing_part(database, study) is not None:
        return True
    return any(
        part.state == StudyState.OPEN
        and (
            not count_points(database, part.uuid).is_settled or find_missing_part(database, part) is not None
        )
        for part in list_parts(database, study)
    )


def _list_parts_of(database: Database, uuid: str) -> list[StudyRecord]:
    columns = tables.studies.c
    query = (
        sa.select(tables.studies)
        .where(columns.spec.contains(f'"part_of":"{uuid}"', autoescape=True))
        .order_by(columns.created_at, columns.name)
    )
    with database.reading() as connection:
        rows = connection.execute(query).all()
    return [StudyRecord.from_row(row) for row in rows]


def _without_patience(params: dict[str, Any], role: Role) -> dict[str, Any]:
    """A test is never stopped early, so that it has no patience."""
    return {name: value for name, value in params.items() if role is not Role.TEST or name != "patience"}


def _free_name(database: Database, study: StudyRecord, name: str) -> str:
    """The name of a part: the same whoever asks, unless another study has it already."""
    whole = study.spec.study.part_of or study.uuid
    taken = find_row(database, name)
    is_ours = isinstance(taken, StudyRecord) and taken.spec.study.part_of == whole
    return name if taken is None or is_ours else f"{name}-{whole[:8]}"


def _note_part(database: Database, study: StudyRecord, part: StudyRecord) -> None:
    """Note once that the part was made, so that its deletion shows: with the study, or of a test with its search."""
    with database.transaction() as connection:
        facts = lock_facts(connection, study)
        if all(one.get("part") != part.uuid for one in facts.get(GROWTH, ())):
            noted = {"how": PART, "part": part.uuid, "name": part.name}
            note_growth(database, connection, study, facts, noted)
    link_growth(database, study.uuid)


def _note_folds(spec: StudySpec, dataset: Dataset) -> dict[str, Any]:
    columns = [dataset.targets.index(target) for target in spec.data.targets or dataset.targets]
    folds = make_folds(spec.task.strata(dataset.labels[:, columns]), dataset.groups, **spec.fold_plan)
    return {
        "train_images": [len(train) for train, _ in folds],
        "train_groups": [len(np.unique(dataset.groups[train])) for train, _ in folds],
        "validation_images": [len(held) for _, held in folds],
        "folds_digest": digest_folds(folds),
    }

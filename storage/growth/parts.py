"""The parts of a study: studies that orch makes by itself when a study's last trial is finished, and that are shown and deleted with it.

The winner's repeats: `cv.repeats_of_winner` new draws of the folds, as one trial with those folds, unpruned, with seeds from (seed of
the study, trial in its plan, repeat). A part follows from its study and from the winner alone, name and all: whoever makes it first, and
however many do at the same moment, it is the same one. A study that grows and has another winner afterwards gets another part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sqlalchemy as sa

from storage.data.datasets import Dataset
from storage.data.folds import digest_folds, make_folds
from storage.database import tables
from storage.database.engine import Database
from storage.errors import SpecError
from storage.growth.extending import lock_facts, note_growth
from storage.spec import StudySpec, parse, plain
from storage.states import StudyState
from storage.studies.point_records import PointRecord, best_point, count_points, list_points
from storage.studies.study import create_study, read_canary, register_canary
from storage.studies.study_records import GROWTH, PART, StudyRecord, StudyRow, find_row, growth_of

REPEATS = "repeats"
"""The role of a part that repeats a winner."""
KEPT_FACTS = ("images", "groups", "grouped", "targets", "task", "classes", "findings", "accepted")
"""What was noted of the data when the study was made, and is as true of its parts."""
LONGEST = 180
"""Letters of a study's name that the name of a part begins with."""

FindDataset = Callable[[StudyRecord], Dataset | None]


def has_parts(spec: StudySpec) -> bool:
    """Whether a study gets parts when its last trial is finished."""
    return bool(spec.cv.repeats_of_winner and spec.search and not spec.study.part_of)


def list_parts(database: Database, study: StudyRecord) -> list[StudyRecord]:
    """The parts that were made of a study, oldest first."""
    if not has_parts(study.spec):
        return []
    columns = tables.studies.c
    query = (
        sa.select(tables.studies)
        .where(columns.spec.contains(f'"part_of":"{study.uuid}"', autoescape=True))
        .order_by(columns.created_at, columns.name)
    )
    with database.reading() as connection:
        rows = connection.execute(query).all()
    return [StudyRecord.from_row(row) for row in rows]


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


def repeated_params(part: StudyRecord) -> dict[str, Any]:
    """The hyperparameters that a part repeats."""
    return {name: plain(value) for name, value in part.spec.sampler.points[0].items()}


def find_missing_part(database: Database, study: StudyRecord) -> PointRecord | None:
    """The winner of a finished study whose repeats are planned and were not made yet; None where nothing is missing."""
    if not has_parts(study.spec) or study.state != StudyState.OPEN:
        return None
    if not count_points(database, study.uuid).is_settled:
        return None
    winner = best_point(list_points(database, study.uuid))
    if winner is None or any(repeated_params(part) == winner.params for part in list_parts(database, study)):
        return None
    return winner


def make_missing_part(
    database: Database, study: StudyRecord, dataset: Dataset | None = None
) -> StudyRecord | None:
    """Make the winner's repeats of a finished study, if they are planned and not there yet; may be called by several at once.

    Args:
        database: where.
        study: which.
        dataset: its data, so that the folds are noted; None where they are not at hand.

    Returns:
        The part, or None where nothing is missing.
    """
    winner = find_missing_part(database, study)
    if winner is None:
        return None
    name = name_part(database, study, winner)
    spec = plan_repeats(study, winner.point, winner.params or {}, name)
    facts = {key: study.facts[key] for key in KEPT_FACTS if key in study.facts}
    if dataset is not None:
        facts |= _note_folds(spec, dataset)
    points: list[dict[str, Any] | None] = [dict(winner.params or {}) for _ in range(spec.study.trials)]
    part = create_study(database, spec, points, data_folder=study.data_folder, facts=facts)
    _note_part(database, study, part)
    tried = read_canary(database, study)
    if tried is not None:
        register_canary(database, part, tried)
    return part


def plan_repeats(study: StudyRecord, point: int, params: dict[str, Any], name: str) -> StudySpec:
    """The spec of a winner's repeats.

    Args:
        study: whose winner it is.
        point: the winner's number in the plan.
        params: its hyperparameters.
        name: of the part.
    """
    spec, repeats = study.spec, study.spec.cv.repeats_of_winner or 0
    document = spec.model_dump(mode="json")
    document["study"] |= {
        "name": name,
        "regime": "custom",
        "seed": int(np.random.SeedSequence([spec.study.seed, point, 1]).generate_state(1)[0]),
        # Given folds cannot be drawn otherwise: there the repeats are trials with other seeds.
        "trials": repeats if spec.cv.by else 1,
        "repeats_of": study.uuid,
        "part_of": study.uuid,
    }
    document["cv"].pop("repeats_of_winner", None)
    if not spec.cv.by:
        document["cv"]["repeats"] = spec.cv.repeats * repeats
    document["sampler"] = {"name": "listed", "points": [params]}
    document["pruner"] = {"name": "none"}
    return parse(document, source="the winner's repeats")


def name_part(database: Database, study: StudyRecord, winner: PointRecord) -> str:
    """The name of a winner's repeats: the same whoever asks, unless another study has it already."""
    number = winner.point if winner.trial_number is None else winner.trial_number
    name = f"{study.name[:LONGEST]}-{REPEATS}-{number}"
    taken = find_row(database, name)
    is_ours = isinstance(taken, StudyRecord) and taken.spec.study.part_of == study.uuid
    return name if taken is None or is_ours else f"{name}-{study.uuid[:8]}"


def check_parts(study: StudyRecord, parts: list[StudyRecord], complete: dict[int, Any]) -> list[str]:
    """What of the parts of a study does not fit, one sentence each: those that were made and are gone, and those that do not follow from it.

    Args:
        study: the whole.
        parts: of it.
        complete: the hyperparameters of its complete trials, by their number in the plan.
    """
    known = {part.uuid for part in parts}
    gone = [one["name"] for one in growth_of(study) if one["how"] == PART and one["part"] not in known]
    return [
        *(f"The part {name!r} was made of {study.name!r} and is gone." for name in gone),
        *(problem for part in parts for problem in _check_part(study, part, complete)),
    ]


def list_parts_of_row(database: Database, study: StudyRow) -> list[StudyRecord]:
    """The parts of a study, whichever orch made it: of one that this orch cannot read, none are known."""
    return list_parts(database, study) if isinstance(study, StudyRecord) else []


def describe_parts(database: Database, study: StudyRecord) -> list[dict[str, Any]]:
    """The parts as plain documents: name, role, what it repeats, how far it is, and its price beside that of the whole study.

    Keys: `study`, `uuid`, `role`, `trial` and `point` (what is repeated), `repeats`, `is_settled`, `points` (counts),
    `fold_epochs` (trained for it so far), `share` (of those of the study itself).
    """
    parts = list_parts(database, study)
    if not parts:
        return []
    points = list_points(database, study.uuid)
    whole = count_fold_epochs(database, study.uuid)
    documents = []
    for part in parts:
        counts = count_points(database, part.uuid)
        of = next((point for point in points if point.params == repeated_params(part)), None)
        spent = count_fold_epochs(database, part.uuid)
        documents.append(
            {
                "study": part.name,
                "uuid": part.uuid,
                "role": REPEATS,
                "trial": of.trial_number if of else None,
                "point": of.point if of else None,
                "repeats": study.spec.cv.repeats_of_winner,
                "is_settled": counts.is_settled,
                "complete": counts.complete,
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
        part.state == StudyState.OPEN and not count_points(database, part.uuid).is_settled
        for part in list_parts(database, study)
    )


def _note_part(database: Database, study: StudyRecord, part: StudyRecord) -> None:
    """Note once that the part was made, so that its deletion shows."""
    with database.transaction() as connection:
        facts = lock_facts(connection, study)
        if all(one.get("part") != part.uuid for one in facts.get(GROWTH, ())):
            noted = {"how": PART, "part": part.uuid, "name": part.name}
            note_growth(database, connection, study, facts, noted)


def _note_folds(spec: StudySpec, dataset: Dataset) -> dict[str, Any]:
    columns = [dataset.targets.index(target) for target in spec.data.targets or dataset.targets]
    folds = make_folds(spec.task.strata(dataset.labels[:, columns]), dataset.groups, **spec.fold_plan)
    return {
        "train_images": [len(train) for train, _ in folds],
        "validation_images": [len(held) for _, held in folds],
        "folds_digest": digest_folds(folds),
    }


def _check_part(study: StudyRecord, part: StudyRecord, complete: dict[int, Any]) -> list[str]:
    params = repeated_params(part) if part.spec.sampler.points else {}
    for point, known in complete.items():
        if known == params:
            try:
                planned = plan_repeats(study, point, params, part.name)
            except SpecError:
                break
            if planned.spec_hash == part.spec_hash:
                return []
    return [
        f"The part {part.name!r} is not what the plan of {study.name!r} makes of one of its complete trials."
    ]

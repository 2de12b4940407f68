"""Create, load, stop and delete a study together with its spec and its points.

A study is Optuna's study (what every Optuna tool can read) and our row (spec, fingerprint, points). Creating it is
Optuna's study first, then one transaction with our row and all points; a study without its row is invisible to
workers, and creating it again completes it. Our uuid, not Optuna's id, names a study in our tables: SQLite gives
the ids of deleted studies away again.
"""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from storage.database import tables
from storage.database.columns import require
from storage.database.engine import Database
from storage.database.waiting import described
from storage.errors import StudyExistsError, StudyNotFoundError
from storage.spec import StudySpec, differing_keys
from storage.states import StudyState
from storage.studies import optuna_record
from storage.studies.chain import begin_chain
from storage.studies.point_records import new_point
from storage.studies.study_records import (
    MADE_BY,
    StudyRecord,
    StudyRow,
    find_study,
    list_studies,
    load_study,
)
from storage.versions import orch_version
from storage.wording import say_command

__all__ = [
    "StudyRecord",
    "StudyRow",
    "create_study",
    "delete_study",
    "find_study",
    "list_studies",
    "load_study",
    "read_canary",
    "register_canary",
    "register_features",
    "resume_study",
    "stop_study",
]


CREATION_TRIES = 5
"""How often a creation looks again that another process disturbs."""


def create_study(
    database: Database,
    spec: StudySpec,
    points: Sequence[dict[str, Any] | None],
    *,
    data_folder: str,
    facts: dict[str, Any],
) -> StudyRecord:
    """Create a study, complete one whose creation was interrupted, or return the one that is there.

    Args:
        database: where.
        spec: the whole study, with the fingerprint of its data.
        points: the parameters of every point in order; None where the sampler fills them in when claimed.
        data_folder: where the data set lies on this machine; noted for workers, not part of the study's identity.
        facts: what is worth remembering of the data and the warnings given; plain JSON data.

    Raises:
        SchemaError: the database cannot record the metric that the study maximises.
        StudyExistsError: the name is taken by a study with another spec (the differing keys are named), or by
            one of Optuna's that orch did not make.
    """
    with described():
        require(database, spec.metric.column)
        for tries_left in reversed(range(CREATION_TRIES)):
            existing = find_study(database, spec.study.name)
            if existing is not None or _make(
                database, spec, points, data_folder, facts, is_last=not tries_left
            ):
                break
        existing = existing or load_study(database, spec.study.name)
    # The hash of a spec that an earlier orch wrote is over fewer keys; those had no other values then.
    keys = [] if existing.spec_hash == spec.spec_hash else differing_keys(existing.spec, spec)
    if keys:
        name, trials = spec.study.name, spec.study.trials
        grow = f"`{say_command('study', 'extend', name, '--trials', trials)}` continues it; or choose another name."
        other = f"Choose another name, or `{say_command('study', 'delete', name)}` first."
        raise StudyExistsError(
            f"A study named {name!r} exists with another spec; they differ in {', '.join(keys)}.",
            next_step=grow if keys == ["study.trials"] and trials > existing.spec.study.trials else other,
        )
    return existing


def stop_study(database: Database, study: StudyRow) -> None:
    """Let no worker claim another point of this study; points in work are finished."""
    _set_state(database, study, StudyState.STOPPED)


def resume_study(database: Database, study: StudyRow) -> None:
    """Let workers claim points of this study again."""
    _set_state(database, study, StudyState.OPEN)


def delete_study(database: Database, study: StudyRow) -> None:
    """Delete the study, its points, fold results, predictions and evaluations, and Optuna's study.

    A worker that still holds a point loses its lease with the row, and drops the result.
    """
    with described():
        with database.transaction() as connection:
            for table in (tables.points, tables.epochs, tables.predictions, tables.evaluations):
                connection.execute(sa.delete(table).where(table.c.study_uuid == study.uuid))
        optuna_record.remove(database, study.optuna_study_id)
        with database.transaction() as connection:
            connection.execute(
                sa.delete(tables.facts).where(
                    (tables.facts.c.key == tables.turn_key(study.uuid))
                    | sa.or_(
                        *(
                            tables.facts.c.key.startswith(key(study.uuid, ""), autoescape=True)
                            for key in (
                                tables.inputs_key,
                                tables.link_key,
                                tables.linked_key,
                                tables.evidence_key,
                            )
                        )
                    )
                )
            )
            connection.execute(sa.delete(tables.studies).where(tables.studies.c.uuid == study.uuid))


def register_features(
    database: Database, study: StudyRecord, digest: str, sample: Sequence[float], *, inputs: str = ""
) -> tuple[str, list[float]]:
    """Note which features the study is computed on; the first worker's stand. Returns those that stand.

    Args:
        database: where.
        study: the study.
        digest: content address of the features.
        sample: a few of their numbers, by which other machines compare theirs.
        inputs: which of the study's features, where its trials learn from several.
    """
    if inputs:
        return _register_inputs(database, study, digest, sample, inputs)
    with database.transaction() as connection:
        connection.execute(
            sa.update(tables.studies)
            .where(tables.studies.c.uuid == study.uuid, tables.studies.c.features_digest.is_(None))
            .values(features_digest=digest, features_sample=json.dumps(list(sample)))
        )
        row = connection.execute(
            sa.select(tables.studies.c.features_digest, tables.studies.c.features_sample).where(
                tables.studies.c.uuid == study.uuid
            )
        ).first()
    if row is None:
        raise StudyNotFoundError(f"The study {study.name!r} was deleted.")
    return row.features_digest, json.loads(row.features_sample)


def _register_inputs(
    database: Database, study: StudyRecord, digest: str, sample: Sequence[float], inputs: str
) -> tuple[str, list[float]]:
    key, facts = tables.inputs_key(study.uuid, inputs), tables.facts.c
    value = json.dumps({"digest": digest, "sample": list(sample)})
    with database.transaction() as connection:
        connection.execute(
            database.insert(tables.facts).values(key=key, value=value).on_conflict_do_nothing()
        )
        standing = json.loads(connection.execute(sa.select(facts.value).where(facts.key == key)).scalar_one())
    return standing["digest"], standing["sample"]


def read_canary(database: Database, study: StudyRecord) -> dict[str, Any] | None:
    """What trying every searched hyperparameter at both ends of its range showed; None before it was tried."""
    with database.reading() as connection:
        text = connection.execute(
            sa.select(tables.studies.c.canary).where(tables.studies.c.uuid == study.uuid)
        ).scalar()
    return None if text is None else dict(json.loads(text))


def register_canary(database: Database, study: StudyRecord, tried: dict[str, Any]) -> None:
    """Keep what was found; plain JSON data. The first worker's stands."""
    with database.transaction() as connection:
        connection.execute(
            sa.update(tables.studies)
            .where(tables.studies.c.uuid == study.uuid, tables.studies.c.canary.is_(None))
            .values(canary=json.dumps(tried))
        )


def _set_state(database: Database, study: StudyRow, state: str) -> None:
    with described(), database.transaction() as connection:
        connection.execute(
            sa.update(tables.studies).where(tables.studies.c.uuid == study.uuid).values(state=state)
        )


def _make(
    database: Database,
    spec: StudySpec,
    points: Sequence[dict[str, Any] | None],
    data_folder: str,
    facts: dict[str, Any],
    *,
    is_last: bool,
) -> bool:
    """Make a study that is not there; False where somebody made or deleted one of that name meanwhile, and it must be looked at again."""
    try:
        optuna_study_id = _make_optuna_study(database, spec)
        _insert(database, spec, points, optuna_study_id, data_folder, facts)
    except (sa.exc.IntegrityError, KeyError):
        # Another process has inserted the row, which decides, or has deleted Optuna's study.
        if is_last and find_study(database, spec.study.name) is None:
            raise
        return False
    if optuna_record.is_there(database, optuna_study_id):
        return True
    # What was found in Optuna was of a study that another process was deleting.
    delete_study(database, load_study(database, spec.study.name))
    return False


def _make_optuna_study(database: Database, spec: StudySpec) -> int:
    import optuna

    name = spec.study.name
    quiet = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        made = optuna.create_study(
            storage=database.optuna,
            study_name=name,
            directions=[
                "maximize",
                *("maximize" if one.is_maximised else "minimize" for one in spec.further),
            ],
            load_if_exists=True,
        )
    finally:
        optuna.logging.set_verbosity(quiet)
    optuna_study_id = database.optuna.get_study_id_from_name(name)
    leftover = optuna_record.find_leftover(database, name)
    if leftover is not None:
        # An interrupted or disturbed delete left it behind.
        optuna_record.remove(database, leftover)
        return _make_optuna_study(database, spec)
    if database.optuna.get_n_trials(optuna_study_id) > 0:
        if find_study(database, name) is not None:
            # Another process has made the study meanwhile, and its trials are at work.
            return int(optuna_study_id)
        if optuna_record.find_leftover(database, name) is not None:
            return _make_optuna_study(database, spec)
        raise StudyExistsError(
            f"Optuna knows a study {name!r} with trials in it that orch did not make.",
            next_step="Choose another name; `orch study import-optuna URL NAME` makes evidence of the other study.",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        made.set_metric_names([spec.metric.name, *spec.study.also])
    return int(optuna_study_id)


def _insert(
    database: Database,
    spec: StudySpec,
    points: Sequence[dict[str, Any] | None],
    optuna_study_id: int,
    data_folder: str,
    facts: dict[str, Any],
) -> None:
    study_uuid = str(uuid.uuid4())
    with database.transaction() as connection:
        row = {
            "uuid": study_uuid,
            "optuna_study_id": optuna_study_id,
            "name": spec.study.name,
            "spec": spec.to_json(),
            "spec_hash": spec.spec_hash,
            "fingerprint": spec.data.fingerprint,
            "data_folder": data_folder,
            "facts": json.dumps({**facts, MADE_BY: orch_version()}),
            "state": StudyState.OPEN,
            "created_at": database.now(connection),
        }
        connection.execute(sa.insert(tables.studies).values(row))
        begin_chain(connection, study_uuid, row, len(points))
        connection.execute(
            sa.insert(tables.points),
            [new_point(study_uuid, number, params) for number, params in enumerate(points)],
        )

"""A chain of hashes over what a study finished: a row that is edited or deleted later does not fit it any more.

The first link holds the spec, the data set, the plan and the number of trials as they were at the creation; each further one holds one settled
trial with the digests of its epochs and predictions, or an event (a hold-out that was opened, an evaluation, what was added to the study), and the
hash of the link before it. Links are written right after a trial is settled; what a
killed worker left, the next sweep links. Who can write to the database can also forge all links, but not the last hash as it was published:
best.json, `orch study prove` and `orch study verify` name it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from storage.database import tables
from storage.database.columns import select_whole
from storage.database.engine import Database
from storage.states import PointState

START = ""
"""What stands for the hash before the first link."""
ATTEMPTS = 20
"""How often a link is tried again where another worker wrote one at the same moment."""
GROWTH = "growth"
"""The key of a study's facts under which its additions are noted, in order."""
POINT_COLUMNS = ("point", "attempt", "trial_number", "outcome", "value", "params", "error")
"""What of a settled trial's row is linked."""
EVENT = "event"
"""The key of a link that holds no trial: it says what was recorded."""
STUDY_COLUMNS = ("spec", "spec_hash", "fingerprint", "facts", "canary")
"""What of a study's row is linked with each of its trials."""


class Event(StrEnum):
    """What is linked besides trials."""

    OPENING = "opening"
    EVALUATION = "evaluation"
    GROWTH = "growth"


SORTED = json.JSONEncoder(sort_keys=True)

ROWS = (tables.epochs, tables.predictions)
"""What a trial leaves besides its own row; their digests are linked."""

_facts, _points = tables.facts.c, tables.points.c


def begin_chain(connection: Connection, study_uuid: str, study: Mapping[str, Any], trials: int) -> None:
    """Write the first link, in the transaction that creates the study.

    Args:
        connection: of the transaction.
        study_uuid: the study.
        study: the row of `orch_studies` as it is written.
        trials: how many are planned.
    """
    link = make_link(0, START, {**describe_study(study), "trials": trials})
    connection.execute(sa.insert(tables.facts).values(_row_of(study_uuid, link)))


def link_point(database: Database, study_uuid: str, point: int) -> bool:
    """Link a settled trial; one that is linked stays as it is. Returns whether a link was written.

    Args:
        database: where.
        study_uuid: the study; of one that was made before there were chains nothing is linked.
        point: number of the trial in the plan.
    """
    wholes = [select_whole(database, table) for table in ROWS]
    key = tables.linked_key(study_uuid, point)
    # All of it in one question, and both rows in one statement: every trial of every study pays for this.
    query = (
        sa.select(
            *(_points[name] for name in ("state", *POINT_COLUMNS)),
            *(tables.studies.c[name] for name in STUDY_COLUMNS),
            _last_link(study_uuid).scalar_subquery().label("last"),
            sa.exists().where(_facts.key == key).label("is_linked"),
        )
        .join_from(tables.points, tables.studies, tables.studies.c.uuid == _points.study_uuid)
        .where(_points.study_uuid == study_uuid, _points.point == point)
    )
    for _ in range(ATTEMPTS):
        with database.transaction() as connection:
            found = connection.execute(query).first()
            row = dict(found._mapping) if found is not None else {}
            if not row or row["last"] is None or row["is_linked"]:
                return False
            if row["state"] not in (PointState.DONE, PointState.FAILED):
                return False
            last = json.loads(row["last"])
            content = describe_point(row, *_read_rows(connection, wholes, study_uuid, point))
            if _add(database, connection, study_uuid, key, last, {**content, **describe_study(row)}):
                return True
            connection.rollback()
    return False


def link_event(database: Database, study_uuid: str, event: Event, row: Mapping[str, Any]) -> bool:
    """Link what was recorded of a study besides its trials, once. Returns whether a link was written.

    Args:
        database: where.
        study_uuid: the study; of one that is not there, or was made before there were chains, nothing is linked.
        event: what kind of record it is.
        row: the record, as the database gives it back.
    """
    digest = digest_event(row)
    # As long as a key may be.
    key = tables.linked_key(study_uuid, f"{event[:4]}:{digest[:15]}")
    query = sa.select(
        *(tables.studies.c[name] for name in STUDY_COLUMNS),
        _last_link(study_uuid).scalar_subquery().label("last"),
        sa.exists().where(_facts.key == key).label("is_linked"),
    ).where(tables.studies.c.uuid == study_uuid)
    for _ in range(ATTEMPTS):
        with database.transaction() as connection:
            found = connection.execute(query).first()
            if found is None or found.last is None or found.is_linked:
                return False
            content = {EVENT: str(event), "digest": digest, **describe_study(dict(found._mapping))}
            if _add(database, connection, study_uuid, key, json.loads(found.last), content):
                return True
            connection.rollback()
    return False


def link_growth(database: Database, study_uuid: str) -> bool:
    """Link what was added to a study since its last link. Returns whether a link was written; of facts that this orch cannot read, none is."""
    query = sa.select(
        *(tables.studies.c[name] for name in STUDY_COLUMNS),
        _last_link(study_uuid).scalar_subquery().label("last"),
    ).where(tables.studies.c.uuid == study_uuid)
    with database.reading() as connection:
        row = connection.execute(query).first()
    if row is None or row.last is None:
        return False
    try:
        grown = describe_study(dict(row._mapping))["grown"]
    except (ValueError, TypeError, RecursionError):
        return False  # what another orch wrote is not read here
    if json.loads(row.last).get("grown", [0])[0] == grown[0]:
        return False
    return link_event(database, study_uuid, Event.GROWTH, {"grown": json.dumps(grown)})


def complete_chain(database: Database, study_uuid: str) -> int:
    """Link what settled trials their workers could not. Returns how many."""
    prefix = tables.linked_key(study_uuid, "")
    with database.reading() as connection:
        if _read_last(connection, study_uuid) is None:
            return 0
        settled = connection.execute(
            sa.select(_points.point)
            .where(_points.study_uuid == study_uuid, _points.state.in_([PointState.DONE, PointState.FAILED]))
            .order_by(_points.finished_at, _points.point)
        ).scalars()
        numbers = list(settled)
        keys = connection.execute(
            sa.select(_facts.key).where(_facts.key.startswith(prefix, autoescape=True))
        ).scalars()
        linked = {key.removeprefix(prefix) for key in keys}
    link_growth(database, study_uuid)
    return sum(link_point(database, study_uuid, number) for number in numbers if str(number) not in linked)


def read_chain(database: Database, study_uuid: str) -> list[dict[str, Any]]:
    """The links, oldest first; empty for a study that was made before there were chains."""
    with database.reading() as connection:
        texts = connection.execute(
            sa.select(_facts.value)
            .where(_facts.key.startswith(tables.link_key(study_uuid, ""), autoescape=True))
            .order_by(_facts.key)
        ).scalars()
        return [json.loads(text) for text in texts]


def make_link(number: int, previous: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """A link with its hash: SHA-256 of its other entries as JSON with sorted keys."""
    link = {**content, "n": number, "previous": previous}
    return {**link, "hash": hash_link(link)}


def hash_link(link: Mapping[str, Any]) -> str:
    """The hash that a link must have."""
    return digest_text(json.dumps({key: link[key] for key in sorted(link) if key != "hash"}, sort_keys=True))


def digest_event(row: Mapping[str, Any]) -> str:
    """The digest of a record, whatever number its database gave it."""
    return digest_rows([{key: value for key, value in row.items() if key != "id"}])


def describe_study(study: Mapping[str, Any]) -> dict[str, Any]:
    """What of a study's row is linked: digests of its spec, of what was noted at its creation and of what its canary found.

    A study may grow: of what was added to it, as many entries as there were are linked.
    """
    facts = json.loads(study["facts"])
    # Another orch may have written anything.
    grown = facts.pop(GROWTH, []) if isinstance(facts, dict) else []
    return {
        "spec": digest_text(study["spec"]),
        "spec_hash": study["spec_hash"],
        "fingerprint": study["fingerprint"],
        "facts": digest_text(json.dumps(facts, sort_keys=True)),
        "canary": digest_text(study.get("canary") or ""),
        "grown": [len(grown), digest_text(json.dumps(grown, sort_keys=True))],
    }


def describe_point(
    row: Mapping[str, Any], epochs: Iterable[Mapping[str, Any]], predictions: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """What of a settled trial is linked.

    Args:
        row: of `orch_points`.
        epochs, predictions: its rows of `orch_epochs` and `orch_predictions`, in any order.
    """
    return {
        **{name: _plain(row[name]) for name in POINT_COLUMNS},
        "epochs": digest_rows(epochs),
        "predictions": digest_rows(predictions),
    }


def digest_rows(rows: Iterable[Mapping[str, Any]]) -> str:
    """The SHA-256 of rows of a table, whatever their order and whatever columns without a value were added later."""
    lines = []
    for row in rows:
        line: dict[str, Any] = {}
        for key, value in row.items():
            # A trial has thousands of numbers: those are written here, in the way of `_plain`.
            if type(value) is float:
                if not math.isnan(value):
                    line[key] = repr(value)
            elif value is not None:
                line[key] = _plain(value)
        lines.append(SORTED.encode(line))
    return digest_text("\n".join(sorted(lines)))


def digest_text(text: str) -> str:
    """The SHA-256 of a text, as hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def _read_rows(
    connection: Connection, wholes: Sequence[sa.Select[Any]], study_uuid: str, point: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of a trial's epochs and predictions, without the name of the study."""
    found = []
    for table, whole in zip(ROWS, wholes, strict=True):
        query = whole.where(table.c.study_uuid == study_uuid, table.c.point == point)
        result = connection.execute(query)
        names = list(result.keys())
        rows = [dict(zip(names, row, strict=True)) for row in result]
        for row in rows:
            del row["study_uuid"]
        found.append(rows)
    return found[0], found[1]


def _plain(value: Any) -> Any:
    """A value that JSON writes the same way on every database; a NaN is no value."""
    if isinstance(value, float):
        return repr(value) if not math.isnan(value) else None
    if isinstance(value, bytes | memoryview):
        return hashlib.sha256(bytes(value)).hexdigest()
    return value


def _read_last(connection: Connection, study_uuid: str) -> dict[str, Any] | None:
    text = connection.execute(_last_link(study_uuid)).scalar()
    return None if text is None else dict(json.loads(text))


def _last_link(study_uuid: str) -> sa.Select[Any]:
    return (
        sa.select(_facts.value)
        .where(_facts.key.startswith(tables.link_key(study_uuid, ""), autoescape=True))
        .order_by(_facts.key.desc())
        .limit(1)
    )


def _add(
    database: Database,
    connection: Connection,
    study_uuid: str,
    key: str,
    last: Mapping[str, Any],
    content: Mapping[str, Any],
) -> bool:
    """Write a link after the last one, and under `key` which it is; whether nobody else wrote one at this moment."""
    link = make_link(last["n"] + 1, last["hash"], content)
    rows = [{"key": key, "value": str(link["n"])}, _row_of(study_uuid, link)]
    statement = database.insert(tables.facts).values(rows).on_conflict_do_nothing()
    return bool(connection.execute(statement).rowcount == len(rows))


def _row_of(study_uuid: str, link: Mapping[str, Any]) -> dict[str, str]:
    return {"key": tables.link_key(study_uuid, link["n"]), "value": json.dumps(link, sort_keys=True)}

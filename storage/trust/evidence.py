"""What a study leaves as evidence, and whether it holds together: rows, chain and plan. From a database, or from a bundle without one.

`orch study verify` and `orch study check` read the same evidence and ask the same questions.
"""

from __future__ import annotations

import base64
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa

from storage.database import tables
from storage.database.columns import select_whole
from storage.database.engine import Database
from storage.metrics.judging import Array, judge
from storage.spec import StudySpec, from_json
from storage.states import PointOutcome, PointState
from storage.studies.chain import (
    EVENT,
    GROWTH,
    ROWS,
    START,
    Event,
    describe_point,
    describe_study,
    digest_event,
    digest_text,
    hash_link,
    read_chain,
)

STUDY_COLUMNS = ("uuid", "name", "spec", "spec_hash", "fingerprint", "facts", "canary", "created_at")
POINT_COLUMNS = (
    "point",
    "state",
    "attempt",
    "params",
    "outcome",
    "value",
    "trial_number",
    "error",
    "finished_at",
)
FRESH_SECONDS = 120.0
"""A trial that was settled so lately may still be without its link: its worker is about to write it."""
TOLERANCE = 1e-9

Rows = dict[int, list[dict[str, Any]]]

RECORDS = {Event.OPENING: tables.holdout_openings, Event.EVALUATION: tables.evaluations}
"""What is linked as it is in a table, by the kind of the event."""


@dataclass(frozen=True)
class Evidence:
    """The rows of a study as they are.

    Attributes:
        study: its row, of `STUDY_COLUMNS`.
        points: rows of `orch_points`, of `POINT_COLUMNS`.
        epochs, predictions: rows by the number of the trial in the plan, without the name of the study.
        chain: its links.
        records: openings of hold-outs for its models and evaluations of them, by the name of the event.
        read_at: seconds since 1970 by the clock of the database.
    """

    study: dict[str, Any]
    points: list[dict[str, Any]]
    epochs: Rows
    predictions: Rows
    chain: list[dict[str, Any]]
    read_at: float
    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def head(self) -> str | None:
        """The hash of the last link, by which a later look can tell that nothing was changed since."""
        return self.chain[-1]["hash"] if self.chain else None


def read_evidence(database: Database, study_uuid: str) -> Evidence:
    """Read the evidence of a study from its database."""
    chain = read_chain(database, study_uuid)
    wholes = [(table, select_whole(database, table)) for table in ROWS]
    with database.reading() as connection:
        study = connection.execute(
            sa.select(*(tables.studies.c[name] for name in STUDY_COLUMNS)).where(
                tables.studies.c.uuid == study_uuid
            )
        ).one()
        points = connection.execute(
            sa.select(*(tables.points.c[name] for name in POINT_COLUMNS))
            .where(tables.points.c.study_uuid == study_uuid)
            .order_by(tables.points.c.point)
        ).all()
        by_table: list[Rows] = []
        for table, whole in wholes:
            rows: Rows = defaultdict(list)
            for row in connection.execute(whole.where(table.c.study_uuid == study_uuid)):
                rows[row.point].append(
                    {key: value for key, value in row._mapping.items() if key != "study_uuid"}
                )
            by_table.append(dict(rows))
        records = {
            str(event): [
                {key: value for key, value in row._mapping.items() if key != "id"}
                for row in connection.execute(
                    sa.select(table).where(table.c.study_uuid == study_uuid).order_by(table.c.id)
                )
            ]
            for event, table in RECORDS.items()
        }
        now = database.now(connection)
    rows_of_points = [dict(point._mapping) for point in points]
    return Evidence(dict(study._mapping), rows_of_points, by_table[0], by_table[1], chain, now, records)


def check_evidence(evidence: Evidence, *, head: str | None = None, is_bundle: bool = False) -> list[str]:
    """Everything that does not fit, one sentence each; nothing where all does.

    Args:
        evidence: of a study.
        head: a hash of the chain that was published before; it must be one of its links.
        is_bundle: no worker is about to write a link: every settled trial must have its own.
    """
    return [*_check_study(evidence), *check_chain(evidence, head=head, is_bundle=is_bundle)]


def check_chain(evidence: Evidence, *, head: str | None = None, is_bundle: bool = False) -> list[str]:
    """What does not fit the chain, one sentence each; of a study that was made before there were chains, nothing.

    Args:
        evidence, head, is_bundle: as of `check_evidence`.
    """
    if not evidence.chain:
        return [] if head is None else ["The study has no chain, and a hash of one was published."]
    try:
        problems = list(_check_links(evidence.chain))
        return [
            *problems,
            *_check_head(evidence.chain, head),
            *_check_row(evidence),
            *_check_trials(evidence, is_bundle),
            *_check_events(evidence),
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return [
            f"The chain, or what it holds, is not in the form that orch writes ({type(error).__name__}: {error})."
        ]


def _check_head(chain: list[dict[str, Any]], head: str | None) -> Iterator[str]:
    if head is not None and head not in {link["hash"] for link in chain}:
        yield f"The published hash {head[:16]}.. is no link of the chain: the chain was made again or cut off."


def _check_study(evidence: Evidence) -> Iterator[str]:
    study = evidence.study
    if study["spec_hash"] != "sha256:" + digest_text(study["spec"]):
        yield "The spec does not have the hash that was recorded with it."
    try:
        spec = from_json(study["spec"])
    except Exception:
        yield "The spec cannot be read."
        return
    if spec.data.fingerprint != study["fingerprint"]:
        yield f"The study is listed with the data set {study['fingerprint']}, and its spec names {spec.data.fingerprint}."
    yield from _check_values(evidence, spec)


def _check_values(evidence: Evidence, spec: StudySpec) -> Iterator[str]:
    """Hold the value of each complete trial against its fold results."""
    for point in evidence.points:
        if point["outcome"] != PointOutcome.COMPLETE or point["state"] != PointState.DONE:
            continue
        value = judge(tabulate(evidence, spec, point["point"]), spec.study.objective).value
        stated = point["value"]
        if stated is None or math.isnan(value) or abs(value - stated) > TOLERANCE:
            yield f"Planned trial {point['point']} has the value {stated}, and its fold results mean {value}."


def tabulate(evidence: Evidence, spec: StudySpec, point: int) -> Array:
    """The scores of a trial, shape (folds, epochs), NaN where there is none."""
    column, sign = spec.metric.column, spec.metric.sign
    curves = np.full((spec.fold_count, spec.training.epochs), np.nan)
    for row in evidence.epochs.get(point, ()):
        inside = 0 <= row["fold"] < spec.fold_count and 1 <= row["epoch"] <= spec.training.epochs
        if inside and row.get(column) is not None:
            curves[row["fold"], row["epoch"] - 1] = sign * row[column]
    return curves


def _check_links(chain: list[dict[str, Any]]) -> Iterator[str]:
    previous = START
    for number, link in enumerate(chain):
        if link.get("n") != number:
            yield f"Link {number} of the chain is missing."
            return
        if link.get("previous") != previous:
            yield f"Link {number} of the chain does not continue the one before it."
        if hash_link(link) != link.get("hash"):
            yield f"Link {number} of the chain was edited: it does not have its hash."
        previous = link["hash"]
    seen: dict[int, int] = {}
    for number, link in enumerate(chain[1:], start=1):
        if EVENT in link:
            continue
        point = link["point"]
        if point in seen:
            yield f"Planned trial {point} is in links {seen[point]} and {number} of the chain."
        seen[point] = number


WORDS = {
    "spec": "the spec",
    "spec_hash": "the hash of the spec",
    "fingerprint": "the fingerprint of the data set",
    "facts": "what was noted at the creation (warnings, accepted findings, the plan)",
    "canary": "what trying each hyperparameter at both ends showed",
}


def _check_row(evidence: Evidence) -> Iterator[str]:
    """Hold the study's row against what each link says of it."""
    now, first, last = describe_study(evidence.study), evidence.chain[0], evidence.chain[-1]
    trials = [link for link in evidence.chain[1:] if EVENT not in link]
    for name, words in WORDS.items():
        # The canary is tried by the first worker, after the first link and before the first trial.
        held = trials[-1] if name == "canary" and trials else first
        if name == "canary" and not trials:
            continue
        if now[name] != held.get(name):
            yield f"Since the chain noted it, this was changed: {words}."
    count, digest = last.get("grown", [0, None])
    grown = json.loads(evidence.study["facts"]).get(GROWTH, [])
    if digest_text(json.dumps(grown[:count], sort_keys=True)) != digest:
        yield "What was added to the study was changed or removed after it was noted."
    planned = len(evidence.points)
    if planned < first.get("trials", 0):
        yield f"The study was created with {first['trials']} trials and has {planned}."


def _check_trials(evidence: Evidence, is_bundle: bool) -> Iterator[str]:
    """Hold each settled trial against its link."""
    points = {point["point"]: point for point in evidence.points}
    linked = set()
    for link in evidence.chain[1:]:
        if EVENT in link:
            continue
        number = link["point"]
        linked.add(number)
        point = points.get(number)
        if point is None:
            yield f"Planned trial {number} was finished, and its row was deleted."
            continue
        now = describe_point(point, evidence.epochs.get(number, ()), evidence.predictions.get(number, ()))
        for name, value in now.items():
            if link.get(name) == value:
                continue
            if name in ("epochs", "predictions"):
                what = "fold results" if name == "epochs" else "kept predictions"
                yield f"The {what} of planned trial {number} were changed after it was finished."
            else:
                yield f"Planned trial {number} was finished with {name.replace('_', ' ')} {link.get(name)}, and now has {value}."
    for point in evidence.points:
        is_settled = point["state"] in (PointState.DONE, PointState.FAILED)
        is_fresh = not is_bundle and evidence.read_at - (point["finished_at"] or 0) < FRESH_SECONDS
        if is_settled and point["point"] not in linked and not is_fresh:
            yield f"Planned trial {point['point']} is finished and is not in the chain."


EVENTS = {
    Event.OPENING: "A record that the hold-out was opened for a model of this study was changed or deleted",
    Event.EVALUATION: "An evaluation of a model of this study was changed or deleted",
}


def _check_events(evidence: Evidence) -> Iterator[str]:
    """Hold openings and evaluations against their links."""
    digests = {str(event): {digest_event(row) for row in evidence.records.get(event, ())} for event in EVENTS}
    for link in evidence.chain[1:]:
        event = link.get(EVENT)
        if event in digests and link["digest"] not in digests[event]:
            yield f"{EVENTS[Event(event)]} after link {link['n']} of the chain noted it."


def pack_evidence(evidence: Evidence) -> dict[str, str]:
    """The evidence as texts, by the name of their file: JSON, one line a row."""

    def lines(rows: Mapping[int, list[dict[str, Any]]]) -> str:
        listed = [row for number in sorted(rows) for row in rows[number]]
        return "".join(json.dumps(_writable(row), sort_keys=True) + "\n" for row in listed)

    return {
        "study.json": json.dumps({**evidence.study, "read_at": evidence.read_at}, sort_keys=True),
        "points.jsonl": "".join(json.dumps(point, sort_keys=True) + "\n" for point in evidence.points),
        "epochs.jsonl": lines(evidence.epochs),
        "predictions.jsonl": lines(evidence.predictions),
        "chain.jsonl": "".join(json.dumps(link, sort_keys=True) + "\n" for link in evidence.chain),
        PACKED_RECORDS: json.dumps(evidence.records, sort_keys=True),
    }


PACKED_RECORDS = "records.json"
"""What an older orch does not write."""
PACKED = ("study.json", "points.jsonl", "epochs.jsonl", "predictions.jsonl", "chain.jsonl")


def unpack_evidence(texts: Mapping[str, str], parse: Callable[[str], Any]) -> Evidence:
    """Read packed evidence.

    Args:
        texts: of `PACKED`.
        parse: reads one JSON text that a stranger may have made.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    study = dict(parse(texts["study.json"]))
    read_at = float(study.pop("read_at"))

    def rows(name: str) -> list[dict[str, Any]]:
        return [_readable(dict(parse(line))) for line in texts[name].splitlines() if line.strip()]

    def by_point(name: str) -> Rows:
        found: Rows = defaultdict(list)
        for row in rows(name):
            found[int(row["point"])].append(row)
        return dict(found)

    points = rows("points.jsonl")
    for point in points:
        if set(point) != set(POINT_COLUMNS):
            raise ValueError("a row of a trial has other columns")
    if set(study) != set(STUDY_COLUMNS):
        raise ValueError("the row of the study has other columns")
    records = {
        str(event): [dict(row) for row in found]
        for event, found in dict(parse(texts.get(PACKED_RECORDS, "{}"))).items()
    }
    return Evidence(
        study,
        points,
        by_point("epochs.jsonl"),
        by_point("predictions.jsonl"),
        rows("chain.jsonl"),
        read_at,
        records,
    )


def _writable(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON has it: bytes as base64, a NaN as nothing."""
    found: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, bytes | memoryview):
            found[key] = {"base64": base64.b64encode(bytes(value)).decode()}
        elif isinstance(value, float) and math.isnan(value):
            found[key] = None
        else:
            found[key] = value
    return found


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: base64.b64decode(value["base64"], validate=True)
        if isinstance(value, dict) and set(value) == {"base64"}
        else value
        for key, value in row.items()
    }

"""What the start page shows, read in a handful of queries: the fleet now, the studies, and what went wrong lately."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from dashboards.server.counting import (
    KINDS,
    count,
    find_best,
    find_reached,
    list_claims,
    read_corrected,
)
from dashboards.server.progress import Progress, describe_place
from storage.database import tables
from storage.database.engine import Database
from storage.states import PointState, StudyState, WorkerState
from storage.studies.point_records import find_durations, seconds_left
from storage.studies.study_records import StudyRecord, UnreadableStudy, read_row
from storage.studies.workers import WorkerRecord, is_silent, list_workers
from storage.wording import printable, say_duration, say_times

LOST_SECONDS = 86_400.0
"""A worker that was lost longer ago is not shown any more."""
MOST_TROUBLES = 8
LONGEST_ERROR = 220

_points = tables.points.c


@dataclass(frozen=True)
class WorkerLine:
    """One worker process and a trial of it, as the page shows them: one that works on several has a line for each; `tone` is "good", "warn", "bad" or "calm", `heard_at` in seconds since 1970."""

    worker: str
    host: str
    pid: int
    device: str
    job: str | None
    state: str
    tone: str
    study: str | None
    study_id: int | None
    trial: int | None
    place: str
    heard_at: float


@dataclass(frozen=True)
class StudyLine:
    """One study as the page shows it; `best` and `corrected` are values as they are measured, in words."""

    uuid: str
    name: str
    study_id: int
    state: str
    tone: str
    planned: int
    complete: int
    pruned: int
    failed: int
    running: int
    metric: str
    best: str
    best_trial: int | None
    corrected: str
    time_left: str
    is_readable: bool
    note: str

    @property
    def settled(self) -> int:
        """How many trials are finished, well or not."""
        return self.complete + self.pruned + self.failed


@dataclass(frozen=True)
class Trouble:
    """What went wrong in one trial, in one line; `at` in seconds since 1970, None where it is not known."""

    study: str
    study_id: int
    trial: int | None
    what: str
    error: str
    at: float | None


@dataclass(frozen=True)
class Overview:
    """One look at everything; `read_at` in seconds since 1970 by the clock of the database."""

    read_at: float
    workers: list[WorkerLine] = field(default_factory=list)
    studies: list[StudyLine] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    unjudged: list[StudyRecord] = field(default_factory=list)
    """Finished studies whose corrected value nobody has kept."""

    @property
    def said(self) -> str:
        """The whole in one sentence, for screen readers and for the title of the window."""
        counted = Counter({line.worker: line.state for line in reversed(self.workers)}.values())
        fleet = ", ".join(f"{count} {state}" for state, count in sorted(counted.items())) or "none"
        left = sum(study.planned - study.settled for study in self.studies if study.state == "open")
        return f"Workers: {fleet}. Trials left: {left:,}."


class OverviewReader:
    """Reads overviews again and again; specs are parsed once, and how long an epoch has not changed is remembered."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember where; nothing is read yet."""
        self._database = database
        self._progress = Progress(clock)
        self._parsed: dict[str, tuple[Any, StudyRecord | UnreadableStudy]] = {}

    def read(self) -> Overview:
        """Look once.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away.
        """
        with self._database.reading() as connection:
            now = self._database.now(connection)
            studies = self._read_studies(connection)
            counts = count(connection)
            best = find_best(connection)
            claims = list_claims(connection)
            reached = find_reached(connection, claims)
            corrected = read_corrected(connection)
            troubles = _list_troubles(connection, studies)
            took = {
                uuid: find_durations(connection, study)
                for uuid, study in studies.items()
                if counts.get(uuid, {}).get("running")
            }
        running: dict[str, list[float]] = {}
        for (uuid, _), claim in claims.items():
            running.setdefault(uuid, []).append(now - (claim.claimed_at or now))
        lines, unjudged = [], []
        for study in studies.values():
            counted = counts.get(study.uuid) or dict.fromkeys(KINDS, 0)
            left = seconds_left(counted["open"], running.get(study.uuid, []), took.get(study.uuid, []))
            line = _describe_study(study, counted, best.get(study.uuid), corrected.get(study.optuna_study_id), left)  # fmt: skip
            lines.append(line)
            # While trials are left, the value would be another each time.
            if isinstance(study, StudyRecord) and line.complete and line.settled == line.planned:
                kept = corrected.get(study.optuna_study_id)
                if kept is None or kept.get("of") != line.settled:
                    unjudged.append(study)
        workers = self._describe_workers(list_workers(self._database), studies, claims, reached, now)
        # What is at work stands first, then what is newest.
        order = {"open": 0, "left to others": 1, "stopped": 1, "finished": 2}
        lines.sort(key=lambda line: (order.get(line.state, 1), -line.study_id))
        return Overview(now, workers, lines, troubles, unjudged)

    def _read_studies(self, connection: sa.Connection) -> dict[str, StudyRecord | UnreadableStudy]:
        rows = connection.execute(sa.select(tables.studies).order_by(tables.studies.c.created_at)).all()
        known = {}
        for row in rows:
            kept = self._parsed.get(row.uuid)
            key = (row.spec, row.facts, row.state, row.name)
            known[row.uuid] = kept if kept is not None and kept[0] == key else (key, read_row(row))
        self._parsed = known
        return {uuid: study for uuid, (_, study) in known.items()}

    def _describe_workers(
        self, records: list[WorkerRecord], studies: dict[str, Any], claims: dict[tuple[str, int], Any],
        reached: dict[tuple[str, int], dict[int, int]], now: float,
    ) -> list[WorkerLine]:  # fmt: skip
        held: dict[str, list[Any]] = defaultdict(list)
        for claim in claims.values():
            held[claim.worker].append(claim)
        lines = []
        for record in records:
            # A process that says that it works on a trial may work on several.
            of_record = held[record.worker] if record.point is not None else []
            for claim in sorted(of_record, key=lambda claim: (claim.study_uuid, claim.point)) or [None]:
                study = studies.get((record.study_uuid or "") if claim is None else claim.study_uuid)
                line = self._describe_worker(record, study, claim, reached, now)
                if line is not None:
                    lines.append(line)
        self._progress.keep({claim.token for claim in claims.values()})
        order = {"bad": 0, "warn": 1, "good": 2, "calm": 3}
        return sorted(lines, key=lambda line: (order[line.tone], line.host, line.device, line.pid))

    def _describe_worker(
        self, record: WorkerRecord, study: Any, claim: Any, reached: dict[tuple[str, int], dict[int, int]], now: float
    ) -> WorkerLine | None:  # fmt: skip
        """A worker and a trial that it holds, or none; None where nothing is to be shown of it any more."""
        spec = study.spec if isinstance(study, StudyRecord) else None
        lease = spec.study.lease_seconds if spec else None
        is_over = claim is not None and (claim.expires_at or 0) < now
        is_gone = record.state == WorkerState.GONE
        if is_gone and claim is None:
            return None
        if is_gone or is_over or is_silent(record, lease):
            if record.seconds_ago > LOST_SECONDS:
                return None
            state, tone = "lost", "bad"
        elif record.state == WorkerState.WORKING and lease and record.seconds_ago > lease / 2:
            # It says something every quarter of its lease.
            state, tone = "late", "warn"
        else:
            state, tone = str(record.state), "good" if record.state == WorkerState.WORKING else "calm"
        place = ""
        if claim is not None and spec is not None:
            epochs = reached.get((claim.study_uuid, claim.point), {})
            place = describe_place(spec, claim.epoch, epochs)
            silence = self._progress.find_stall(claim, epochs, now)
            if state == "working" and silence is not None:
                state, tone = "stalled", "warn"
                place += f", no epoch for {say_duration(silence)}"
        at_work = study is not None and (claim is not None or record.state == WorkerState.PREPARING)
        return WorkerLine(
            record.worker, printable(record.host), record.pid, printable(record.device), record.job, state, tone,
            study.name if at_work and study else None, study.optuna_study_id if at_work and study else None,
            claim.trial_number if claim is not None else None, place, record.last_seen,
        )  # fmt: skip


def _list_troubles(connection: sa.Connection, studies: dict[str, Any]) -> list[Trouble]:
    """Trials with an error or without their worker, the latest first."""
    at = sa.func.coalesce(_points.finished_at, _points.claimed_at)
    is_lost = sa.and_(_points.losses > 0, _points.state.in_((PointState.OPEN, PointState.CLAIMED)))
    rows = connection.execute(
        sa.select(
            _points.study_uuid, _points.trial_number, _points.state, _points.losses, _points.failures,
            _points.error, at.label("at"),
        )
        .where(sa.or_(_points.error.is_not(None), is_lost))
        .order_by(at.desc().nulls_last())
        .limit(MOST_TROUBLES)
    )  # fmt: skip
    found = []
    for row in rows:
        study = studies.get(row.study_uuid)
        if study is None:
            continue
        if row.state == PointState.FAILED:
            what = "failed"
        elif row.error:
            what = f"failed {say_times(row.failures)}, is tried again" if row.state != PointState.DONE else "failed at first, then done"  # fmt: skip
        else:
            what = f"its worker was lost {say_times(row.losses)}; it is tried again"
        found.append(
            Trouble(study.name, study.optuna_study_id, row.trial_number, what, one_line(row.error), row.at)
        )
    return found


def _describe_study(
    study: StudyRecord | UnreadableStudy, counted: dict[str, int], best: tuple[float, int | None] | None,
    kept: dict[str, Any] | None, seconds: float | None,
) -> StudyLine:  # fmt: skip
    planned = sum(counted.values())
    left = counted["open"] + counted["running"]
    state, tone, note = "open", "good" if counted["running"] else "calm", ""
    if isinstance(study, UnreadableStudy):
        state, tone, note = "left to others", "warn", f"made by {study.made_with}; this orch cannot read it"
    elif not left:
        state, tone = "finished", "calm"
    elif study.state == StudyState.STOPPED:
        state, tone = "stopped", "warn"
    metric, sign = "", 1
    if isinstance(study, StudyRecord):
        metric, sign = study.spec.metric.label, study.spec.metric.sign
        note = "part of another study" if study.spec.study.part_of else note
    corrected = "-"
    if state == "finished" and best is not None:
        fits = kept is not None and kept.get("of") == planned
        corrected = str(kept["said"]) if fits and kept else "being computed"
    elif best is not None:
        corrected = "when finished"
    return StudyLine(
        study.uuid, study.name, study.optuna_study_id, state, tone, planned,
        counted["complete"], counted["pruned"], counted["failed"], counted["running"],
        metric, f"{sign * best[0]:.4f}" if best else "-", best[1] if best else None, corrected,
        say_duration(seconds) if seconds and state == "open" else "", isinstance(study, StudyRecord), note,
    )  # fmt: skip


def one_line(error: str | None) -> str:
    """The line of an error that says what it is: the last one, as tracebacks have it, shortened."""
    lines = [line.strip() for line in (error or "").splitlines() if line.strip()]
    text = printable(lines[-1] if lines else "")
    return text if len(text) <= LONGEST_ERROR else text[: LONGEST_ERROR - 1] + "…"

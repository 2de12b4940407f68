"""What happened to every point, change by change, and whether each prefix of that keeps the queue's contract.

The database itself keeps the history, by a trigger: every committed change of a point, in the order of that point's row lock, whoever
made it. Workers keep what they were told: each claim and each finish that was acknowledged, in a file that is on the disk before they
go on. A final state can be right by chance; a history in which a finished point was ever given to somebody else cannot.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from storage.database.engine import Database
from storage.states import PointOutcome, PointState
from storage.studies import points

KEPT = (
    "study_uuid", "point", "state", "token", "attempt", "losses", "failures", "expires_at", "outcome", "value", "trial_number"
)  # fmt: skip
SUFFIX = ".told"
"""Of the files in which workers keep what they were told."""


@dataclass(frozen=True)
class Change:
    """One committed state of a point, and the time by the database when it was written."""

    point: int
    state: str
    token: str | None
    attempt: int
    losses: int
    failures: int
    expires_at: float | None
    outcome: str | None
    value: float | None
    trial_number: int | None
    at: float


@dataclass(frozen=True)
class Told:
    """Something that a worker was told: its claim was won, or its result is kept."""

    what: str
    point: int
    token: str
    value: float | None = None


def keep_history(database: Database) -> None:
    """Let the database keep every change of a point from now on; once per database."""
    names = ", ".join(KEPT)
    new = ", ".join(f"NEW.{name}" for name in KEPT)
    serial = "INTEGER PRIMARY KEY AUTOINCREMENT" if database.is_sqlite else "bigserial PRIMARY KEY"
    body = f"INSERT INTO history ({names}, at) VALUES ({new}, {database.clock.compile(database.engine)});"
    statements = [
        f"CREATE TABLE history (number {serial}, study_uuid text, point integer, state text, token text, attempt integer, losses integer, "
        "failures integer, expires_at double precision, outcome text, value double precision, trial_number integer, at double precision)"
    ]
    if database.is_sqlite:
        statements += [
            f"CREATE TRIGGER keep_{when.lower()} AFTER {when} ON orch_points BEGIN {body} END"
            for when in ("INSERT", "UPDATE")
        ]
    else:
        statements += [
            f"CREATE FUNCTION keep_history() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$",
            "CREATE TRIGGER keep_history AFTER INSERT OR UPDATE ON orch_points FOR EACH ROW EXECUTE FUNCTION keep_history()",
        ]
    with database.transaction() as connection:
        # What is there already is where each history begins.
        connection.execute(sa.text(statements[0]))
        connection.execute(
            sa.text(f"INSERT INTO history ({names}, at) SELECT {names}, 0 FROM orch_points ORDER BY point")
        )
        for statement in statements[1:]:
            connection.execute(sa.text(statement))


def read_history(database: Database, study_uuid: str) -> list[Change] | None:
    """The history of a study, in the order in which each point changed; None where none was kept."""
    if not sa.inspect(database.engine).has_table("history"):
        return None
    fields = [*(name for name in KEPT if name != "study_uuid"), "at"]
    query = sa.text(f"SELECT {', '.join(fields)} FROM history WHERE study_uuid = :uuid ORDER BY number")
    with database.reading() as connection:
        return [Change(*row) for row in connection.execute(query, {"uuid": study_uuid})]


def note_what_is_told(folder: Path) -> None:
    """Let this process write down every claim and finish that it is told of."""
    file = (folder / f"{os.getpid()}{SUFFIX}").open("a", encoding="utf-8")
    claim_point, finish_point = points.claim_point, points.finish_point

    def note(**told: Any) -> None:
        file.write(json.dumps(told) + "\n")
        file.flush()
        os.fsync(file.fileno())

    def claiming(*arguments: Any, **named: Any) -> Any:
        claim = claim_point(*arguments, **named)
        if claim is not None:
            note(what="claimed", point=claim.point, token=claim.token)
        return claim

    def finishing(database: Database, claim: points.Claim, **named: Any) -> None:
        finish_point(database, claim, **named)
        note(what="finished", point=claim.point, token=claim.token, value=named["value"])

    points.claim_point, points.finish_point = claiming, finishing


def read_told(folder: Path) -> list[Told]:
    """What the workers that wrote to a folder were told; the last line of one that was killed may be cut off."""
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                found.append(Told(**json.loads(line)))
    return found


def check_history(changes: Sequence[Change], told: Iterable[Told] = (), lease: float = 0.0) -> list[str]:
    """Every breach of the queue's contract, in any prefix of the history.

    Args:
        changes: from `read_history`.
        told: what workers were told.
        lease: seconds of a lease: one that ends later than that from now was written by a clock that has been set back since.
    """
    problems: list[str] = []
    by_point: dict[int, list[Change]] = defaultdict(list)
    owner: dict[str, tuple[int, int]] = {}
    for change in changes:
        earlier = by_point[change.point]
        before = earlier[-1] if earlier else None
        problems += [f"Point {change.point}: {what}." for what in _breaches(before, change, lease)]
        if change.state == PointState.CLAIMED and change.token is not None:
            mine = (change.point, change.attempt)
            if owner.setdefault(change.token, mine) != mine:
                problems.append(f"Point {change.point}: its token was that of another attempt.")
        earlier.append(change)
    for one in told:
        history = by_point.get(one.point, [])
        if one.what == "claimed":
            if not any(
                change.state == PointState.CLAIMED and change.token == one.token for change in history
            ):
                problems.append(
                    f"Point {one.point}: a claim was acknowledged that the history does not have."
                )
        elif not history or (history[-1].state, history[-1].token) != (PointState.DONE, one.token):
            problems.append(f"Point {one.point}: a finish was acknowledged and is not its last state.")
        elif history[-1].value != one.value:
            problems.append(
                f"Point {one.point}: {one.value} was acknowledged, and {history[-1].value} is kept."
            )
    return problems


def _breaches(before: Change | None, after: Change, lease: float) -> list[str]:
    """What is wrong with one step of one point."""
    if before is None:
        fresh = (after.state, after.token, after.attempt, after.outcome) == (PointState.OPEN, None, 0, None)
        return [] if fresh else ["it did not begin open, without a token"]
    found = []
    if before.state in (PointState.DONE, PointState.FAILED):
        return (
            [] if _without_time(before) == _without_time(after) else [f"it was {before.state}, and changed"]
        )
    if after.attempt < before.attempt or after.attempt > before.attempt + 1:
        found.append(f"attempt {after.attempt} came after attempt {before.attempt}")
    if (after.outcome is None and after.value is None) == (after.state == PointState.DONE):
        found.append(f"it is {after.state} with the outcome {after.outcome}")
    step = (before.state, after.state)
    if step == (PointState.OPEN, PointState.CLAIMED):
        if after.token is None or after.attempt != before.attempt + 1:
            found.append("it was claimed without a new token and a new attempt")
    elif after.attempt != before.attempt:
        found.append("it came to another attempt without being claimed")
    elif step == (PointState.OPEN, PointState.OPEN):
        if after.losses > before.losses or after.token != before.token:
            found.append("it changed while it was open")
    elif before.state == PointState.OPEN:
        found.append(f"it became {after.state} without being claimed")
    elif after.state == PointState.CLAIMED:
        if after.token != before.token:
            found.append("it was given to another worker while it was claimed")
    elif after.token is None:
        found += _early_loss(before, after, lease)
    elif after.token != before.token:
        found.append("its result came from who did not hold it")
    if after.state == PointState.DONE:
        if after.token is None:
            found.append("it was finished by nobody")
        if after.outcome not in tuple(PointOutcome):
            found.append(f"it is done with the outcome {after.outcome}")
    return found


def _early_loss(before: Change, after: Change, lease: float) -> list[str]:
    """A lease is lost when it is over, not earlier."""
    if after.state == PointState.DONE or before.expires_at is None:
        return []
    is_of_another_time = lease and before.expires_at > after.at + lease
    if after.at < before.expires_at and not is_of_another_time:
        return [f"its lease was taken {before.expires_at - after.at:.1f} s before it ended"]
    return []


def _without_time(change: Change) -> tuple[Any, ...]:
    return (
        change.state,
        change.token,
        change.attempt,
        change.failures,
        change.outcome,
        change.value,
        change.trial_number,
    )

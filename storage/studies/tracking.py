"""One process at a time tells a tracker of a study's trials: a turn in the table of facts, by the clock of the database."""

from __future__ import annotations

import os
import socket

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.studies.study_records import StudyRow

_facts = tables.facts.c


def take_turn(
    database: Database, study: StudyRow, tracker: str, seconds: float, *, again: bool = False
) -> bool:
    """Take the turn, or hold it on; False while another process has it.

    Args:
        database: where.
        study: whose trials.
        tracker: which tracker, at most 16 characters.
        seconds: how long the turn lasts unless it is taken again.
        again: this process has had the turn; False when it was lost meanwhile.
    """
    key, mine = _key(study, tracker), _who()
    with database.transaction() as connection:
        now = database.now(connection)
        row = connection.execute(sa.select(tables.facts).where(_facts.key == key)).first()
        holder, _, until = str(row.value).rpartition(" ") if row else ("", "", "0")
        if row is not None and holder != mine and float(until) > now:
            return False
        if again and holder != mine:
            return False
        value = f"{mine} {now + seconds}"
        if row is None:
            made = connection.execute(
                database.insert(tables.facts).values(key=key, value=value).on_conflict_do_nothing()
            )
        else:
            # Fenced by what was read: of two processes that read the same, one changes it.
            made = connection.execute(
                sa.update(tables.facts)
                .where(_facts.key == key, _facts.value == row.value)
                .values(value=value)
            )
    return bool(made.rowcount == 1)


def give_back(database: Database, study: StudyRow, tracker: str) -> None:
    """Let the next process have the turn at once."""
    key = _key(study, tracker)
    with database.transaction() as connection:
        row = connection.execute(sa.select(tables.facts).where(_facts.key == key)).first()
        if row is not None and str(row.value).rpartition(" ")[0] == _who():
            connection.execute(sa.delete(tables.facts).where(_facts.key == key, _facts.value == row.value))


def _key(study: StudyRow, tracker: str) -> str:
    return f"track:{study.uuid}:{tracker}"


def _who() -> str:
    return f"{socket.gethostname()[:150]}:{os.getpid()}"

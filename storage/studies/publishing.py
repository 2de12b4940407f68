"""One publisher at a time per study, and not all the time: a lease in one column of the study's row."""

from __future__ import annotations

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.studies.study_records import StudyRecord, only_readable, read_row

LEASE_SECONDS = 300.0
"""A publisher that was killed blocks the next one for so long at most."""

_studies = tables.studies.c


def begin_publishing(database: Database, study: StudyRecord, *, pause: float, force: bool = False) -> bool:
    """Take the right to publish; False while another publisher works, or rests after its work.

    Args:
        pause: how long after a publication the next one may begin, in seconds; less than `LEASE_SECONDS`.
        force: do not heed the pause, only a publisher that is at work.
    """
    with database.transaction() as connection:
        now = database.now(connection)
        free_at = now + pause if force else now
        changed = connection.execute(
            sa.update(tables.studies)
            .where(
                _studies.uuid == study.uuid,
                sa.or_(_studies.publish_after.is_(None), _studies.publish_after <= free_at),
            )
            .values(publish_after=now + LEASE_SECONDS)
        )
    return bool(changed.rowcount == 1)


def end_publishing(database: Database, study: StudyRecord, *, pause: float) -> None:
    """Give the right back; the next publication may begin after `pause` seconds."""
    with database.transaction() as connection:
        connection.execute(
            sa.update(tables.studies)
            .where(_studies.uuid == study.uuid)
            .values(publish_after=database.now(connection) + pause)
        )


def list_unpublished(database: Database) -> list[StudyRecord]:
    """Studies that were never published and that this orch can read."""
    with database.reading() as connection:
        rows = connection.execute(
            sa.select(tables.studies).where(_studies.publish_after.is_(None)).order_by(_studies.created_at)
        ).all()
    return only_readable([read_row(row) for row in rows])

"""Forget the hold-out of an import that was a mistake, as long as nothing was ever judged on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from storage.database.tables import sealed_images as table
from storage.errors import DataError
from storage.holdout.openings import find_openings
from storage.holdout.sealed import REGISTRY
from storage.studies.study_records import list_rows
from storage.wording import say_command

if TYPE_CHECKING:
    from storage.database.engine import Database


def forget_holdout(fingerprint: str, folder: Path | None, cache: Path, database: Database | None) -> int:
    """Take the sealed images of a data set out of what this machine and the database know as sealed.

    Nothing is deleted but that knowledge: the dataset folder stays, and so do its images.

    Args:
        fingerprint: of the data set.
        folder: its folder, where that is still at hand.
        cache: the cache folder of this machine.
        database: the study database, or None.

    Returns:
        How many images are sealed no more, here and in the database together; 0 when nothing was known.

    Raises:
        DataError: the hold-out was opened, or a study was made on the data set: what was judged on it stays on record.
    """
    openings = find_openings(fingerprint, folder, database)
    if openings:
        raise DataError(
            f"The hold-out of {fingerprint[:19]}.. was opened: it stays on record, and sealed.",
            why="Something was judged on it or looked at in it.",
            next_step="Train on the data set that this hold-out belongs to.",
        )
    path = cache / REGISTRY / f"{fingerprint.removeprefix('sha256:')}.txt"
    forgotten = set(path.read_text(encoding="ascii").split()) if path.exists() else set()
    if database is not None:
        forgotten |= _forget_in_database(fingerprint, database)
    path.unlink(missing_ok=True)
    return len(forgotten)


def _forget_in_database(fingerprint: str, database: Database) -> set[str]:
    import sqlalchemy as sa

    studies = [study.name for study in list_rows(database) if study.fingerprint == fingerprint]
    if studies:
        raise DataError(
            f"{fingerprint[:19]}.. is the data set of the study {studies[0]!r}: its hold-out stays sealed.",
            next_step=f"If the study is a mistake, too: `{say_command('study', 'delete', studies[0])}`.",
        )
    with database.transaction() as connection:
        sealed = set(
            connection.execute(sa.select(table.c.sha256).where(table.c.fingerprint == fingerprint)).scalars()
        )
        connection.execute(sa.delete(table).where(table.c.fingerprint == fingerprint))
    return sealed

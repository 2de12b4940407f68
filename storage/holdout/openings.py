"""The record of a hold-out's openings: beside the manifest and in the database, the first of them by one process only."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.data.datasets import OPENINGS, Dataset
from storage.database.tables import holdout_openings as table
from storage.errors import DataError
from storage.files.writing import make_exclusively, sync
from storage.holdout.sealed_predictions import read_sealed_predictions
from storage.settings import cache_folder
from storage.studies.chain import Event, link_event
from storage.wording import say_instant, say_times

if TYPE_CHECKING:
    from storage.database.engine import Database


@dataclass(frozen=True)
class Opening:
    """One opening of a hold-out: when (seconds since 1970), by whom, to judge which model, for what."""

    fingerprint: str
    opened_at: float
    opened_by: str
    model_sha256: str
    purpose: str
    study_uuid: str | None = None


def list_openings(dataset: Dataset, database: Database | None) -> list[Opening]:
    """Every recorded opening of this hold-out, oldest first, from the dataset folder and the database together.

    A prediction made on its images counts, too.

    Raises:
        DataError: the record in the folder is damaged.
    """
    return find_openings(dataset.fingerprint, dataset.folder, database)


def find_openings(fingerprint: str, folder: Path | None, database: Database | None) -> list[Opening]:
    """As `list_openings`, also where the dataset folder is not at hand (None).

    Raises:
        DataError: the record in the folder is damaged.
    """
    openings = {Opening(**row) for row in read_sealed_predictions(cache_folder(), fingerprint)}
    path = folder / OPENINGS if folder is not None else None
    if path is not None and path.exists():
        try:
            for line in path.read_text(encoding="utf-8").splitlines():
                openings.add(Opening(**json.loads(line)))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(
                f"The record of openings {path} cannot be read: {error}.",
                why="It was edited, or written by another version of orch.",
                next_step="Restore it: the hold-out stays closed without its record.",
            ) from error
    if database is not None:
        import sqlalchemy as sa

        with database.reading() as connection:
            query = sa.select(table).where(table.c.fingerprint == fingerprint)
            for row in connection.execute(query).mappings():
                openings.add(_as_opening(row))
    return sorted(openings, key=lambda opening: opening.opened_at)


def opened_before(dataset: Dataset, earlier: Sequence[Opening]) -> DataError:
    """Why a hold-out stays closed that was opened before; `earlier` has at least one opening, oldest first."""
    last = earlier[-1]
    return DataError(
        f"The hold-out of {dataset.folder} was opened before: {say_times(len(earlier))}, "
        f"{'last on' if len(earlier) > 1 else 'on'} {say_instant(last.opened_at)} by {last.opened_by} for {last.purpose}.",
        why="Each further evaluation makes the estimate more optimistic. "
        "A prediction or a heat map of sealed images counts, too.",
        next_step="Add --again to open it once more; that is also recorded.",
    )


def record_opening(dataset: Dataset, database: Database | None, opening: Opening, *, again: bool) -> None:
    """Record an opening in the database and beside the manifest; without `again` only as the first one.

    Of two processes that open at one moment one is refused: whoever shares the database waits for its transaction, and whoever
    shares only the folder finds the file there.

    Raises:
        DataError: it was opened before, or the record cannot be written; nothing was recorded.
    """
    if database is None:
        _record_in_folder(dataset, opening, again=again)
        return
    import sqlalchemy as sa

    claimed = False
    try:
        with database.transaction() as connection:
            if not database.is_sqlite:
                # A transaction of SQLite is alone from its beginning; this one is, as far as openings go.
                connection.execute(sa.text(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE"))
            of_data = sa.select(table).where(table.c.fingerprint == dataset.fingerprint)
            known = [_as_opening(row) for row in connection.execute(of_data).mappings()]
            if known and not again:
                raise opened_before(dataset, sorted(known, key=lambda one: one.opened_at))
            connection.execute(table.insert(), asdict(opening))
            _record_in_folder(dataset, opening, again=again)
            claimed = not again
    except sa.exc.SQLAlchemyError:
        if claimed:
            # The database did not take it, and no row was given away: nothing was opened.
            (dataset.folder / OPENINGS).unlink(missing_ok=True)
        raise
    if opening.study_uuid is not None:
        # It is on record; where the database refuses just now, it is only not in the chain.
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            link_event(database, opening.study_uuid, Event.OPENING, asdict(opening))


def _record_in_folder(dataset: Dataset, opening: Opening, *, again: bool) -> None:
    path = dataset.folder / OPENINGS
    line = json.dumps(asdict(opening), ensure_ascii=False) + "\n"
    try:
        if again:
            with path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        else:
            make_exclusively(path, line.encode())
        sync(path.parent)
    except FileExistsError as error:
        earlier = list_openings(dataset, None)
        if earlier:
            raise opened_before(dataset, earlier) from error
        raise _cannot_record(path, "it is there already, without an opening in it") from error
    except OSError as error:
        raise _cannot_record(path, error.strerror or str(error)) from error


def _cannot_record(path: Path, reason: str) -> DataError:
    return DataError(
        f"The hold-out stays closed: its opening cannot be recorded in {path} ({reason}).",
        next_step="Make the dataset folder writable, and restore the record if it was changed.",
    )


def _as_opening(row: Mapping[Any, Any]) -> Opening:
    return Opening(**{key: value for key, value in row.items() if key != "id"})

"""Studies as the database remembers them: those that this orch can read, and those that another version made."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.database.waiting import described
from storage.errors import OrchError, StudyNotFoundError, StudyUnreadableError
from storage.spec import StudySpec, from_json
from storage.versions import orch_version

MADE_BY = "orch"
"""The key of a study's facts that says which version of orch made it."""
GROWTH = "growth"
"""The key of a study's facts that lists what was added since it was made."""
EXTENDED, GUESSED, ENQUEUED, EVIDENCE, PART = "extended", "guess", "enqueued", "evidence", "part"
"""How a study grew: more of its sequence, a guess of a person, a trial enqueued in Optuna; or it was given evidence, or a part was made of it."""


@dataclass(frozen=True)
class StudyRow:
    """What is known of a study whichever orch made it: enough to list it, to leave it to others, and to delete it."""

    uuid: str
    optuna_study_id: int
    name: str
    fingerprint: str
    data_folder: str
    state: str
    created_at: float
    made_by: str | None

    @property
    def noted_folders(self) -> list[Path]:
        """Where the data set may lie on this machine, whose fingerprint tells whether it does.

        Where it was when the study was made, and, as a project that was moved or copied has it, below the current folder under the
        last parts of that path.
        """
        if not self.data_folder:
            return []
        noted = Path(self.data_folder)
        moved = [Path(*noted.parts[first:]) for first in range(1, len(noted.parts))]
        return [noted, *(folder for folder in moved if folder.is_dir())]


@dataclass(frozen=True)
class StudyRecord(StudyRow):
    """A study that this orch can read, and therefore work on."""

    spec: StudySpec
    spec_hash: str
    facts: dict[str, Any]

    @classmethod
    def from_row(cls, row: Any) -> StudyRecord:
        """Make a record of one row of `orch_studies`.

        Raises:
            StudyUnreadableError: another version of orch made it.
        """
        study = read_row(row)
        if isinstance(study, UnreadableStudy):
            raise study.error()
        return study


@dataclass(frozen=True)
class UnreadableStudy(StudyRow):
    """A study of another version of orch, which this one leaves to others.

    Attributes:
        problem: what this orch does not understand.
    """

    problem: str

    @property
    def made_with(self) -> str:
        """Which orch made it, in words."""
        return f"orch {self.made_by}" if self.made_by else "another version of orch"

    def error(self) -> StudyUnreadableError:
        """Why it cannot be used here."""
        return StudyUnreadableError(
            f"The study {self.name!r} was made by {self.made_with} and cannot be read by this one ({orch_version()}): {self.problem}.",
            next_step="Update orch on this machine, or leave the study to machines with that version.",
        )


def read_row(row: Any) -> StudyRecord | UnreadableStudy:
    """Read one row of `orch_studies`; what cannot be understood makes it a study of another version."""
    known = {
        "uuid": row.uuid,
        "optuna_study_id": row.optuna_study_id,
        "name": row.name,
        "fingerprint": row.fingerprint,
        "data_folder": row.data_folder,
        "state": row.state,
        "created_at": row.created_at,
        "made_by": None,
    }
    try:
        facts = dict(json.loads(row.facts))
        known["made_by"] = str(facts[MADE_BY]) if MADE_BY in facts else None
        return StudyRecord(**known, spec=from_json(row.spec), spec_hash=row.spec_hash, facts=facts)
    except OrchError as error:
        problem = error.what.rpartition("is not valid: ")[2]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        problem = f"{type(error).__name__}: {error}"
    return UnreadableStudy(**known, problem=problem.rstrip("."))


def find_row(database: Database, name: str) -> StudyRecord | UnreadableStudy | None:
    """The study of that name, whichever orch made it, or None."""
    with database.reading() as connection:
        row = connection.execute(sa.select(tables.studies).where(tables.studies.c.name == name)).first()
    return read_row(row) if row else None


def find_study(database: Database, name: str) -> StudyRecord | None:
    """The study of that name, or None.

    Raises:
        StudyUnreadableError: another version of orch made it.
    """
    found = find_row(database, name)
    if isinstance(found, UnreadableStudy):
        raise found.error()
    return found


def load_row(database: Database, name: str) -> StudyRecord | UnreadableStudy:
    """The study of that name, whichever orch made it.

    Raises:
        StudyNotFoundError: names the nearest one there is.
    """
    with described():
        study = find_row(database, name)
        if study is not None:
            return study
        with database.reading() as connection:
            names = list(connection.execute(sa.select(tables.studies.c.name)).scalars())
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise StudyNotFoundError(
        f"There is no study {name!r} in {database.url_text}.{hint}",
        next_step="`orch study list` shows the studies there are.",
    )


def load_study(database: Database, name: str) -> StudyRecord:
    """The study of that name.

    Raises:
        StudyNotFoundError: names the nearest one there is.
        StudyUnreadableError: another version of orch made it.
    """
    study = load_row(database, name)
    if isinstance(study, UnreadableStudy):
        raise study.error()
    return study


def list_rows(database: Database) -> list[StudyRecord | UnreadableStudy]:
    """Every study, whichever orch made it, oldest first."""
    with described(), database.reading() as connection:
        rows = connection.execute(
            sa.select(tables.studies).order_by(tables.studies.c.created_at, tables.studies.c.name)
        ).all()
    return [read_row(row) for row in rows]


def list_studies(database: Database) -> list[StudyRecord]:
    """Every study that this orch can read, oldest first."""
    return only_readable(list_rows(database))


def only_readable(rows: Sequence[StudyRecord | UnreadableStudy]) -> list[StudyRecord]:
    """Leave out what another version of orch made."""
    return [study for study in rows if isinstance(study, StudyRecord)]


def growth_of(study: StudyRecord) -> list[dict[str, Any]]:
    """What was added to a study since it was made, in order: plain JSON data, each with `how`, `at` and `by`."""
    return list(study.facts.get(GROWTH, ()))


def planned_count(study: StudyRecord) -> int:
    """How many points of its sequence a study has by now."""
    return max([study.spec.point_count, *(one["to"] for one in growth_of(study) if one["how"] == EXTENDED)])


def has_additions(study: StudyRecord) -> bool:
    """Whether points were added beside the sequence."""
    return any(one["how"] in (GUESSED, ENQUEUED) for one in growth_of(study))


def origins(study: StudyRecord) -> dict[int, str]:
    """How each point beside the sequence came to be, by its number."""
    found = {}
    for entry in growth_of(study):
        first, last = entry.get("points") or (entry.get("point", 0), entry.get("point", -1))
        found.update(dict.fromkeys(range(first, last + 1), entry["how"]))
    return found

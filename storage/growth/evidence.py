"""Trials of a study made elsewhere, kept as evidence beside a study: shown, reported, and a start for TPE; none of its own results."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from storage.database import tables
from storage.database.engine import Database
from storage.database.waiting import described
from storage.errors import SpecError
from storage.growth.extending import lock_facts, note_growth
from storage.settings import name_user
from storage.studies.chain import digest_text, link_growth
from storage.studies.study_records import EVIDENCE, StudyRecord, growth_of

_facts = tables.facts.c


@dataclass(frozen=True)
class Evidence:
    """One study that was made elsewhere, as it was when it was read.

    Attributes:
        source: the address of its database, without a password.
        study: its name there.
        direction: "maximize" or "minimize".
        trials: complete ones: `number`, `params` (of the hyperparameters that this study searches, too), `value`, and `is_start`,
            whether it names all of them, each inside of its range.
        left_out: how many of its trials are no evidence, and why.
    """

    source: str
    study: str
    direction: str
    trials: tuple[dict[str, Any], ...]
    left_out: dict[str, int]
    imported_at: float = 0.0
    imported_by: str = ""

    @property
    def starts(self) -> list[dict[str, Any]]:
        """The trials that a sampler can start from, the worst first."""
        sign = 1 if self.direction == "maximize" else -1
        fitting = [trial for trial in self.trials if trial["is_start"]]
        return sorted(fitting, key=lambda trial: (sign * trial["value"], -trial["number"]))

    @property
    def best(self) -> dict[str, Any] | None:
        """Its best trial; None without any."""
        choose = max if self.direction == "maximize" else min
        return choose(self.trials, key=lambda trial: trial["value"], default=None)


def keep_evidence(database: Database, study: StudyRecord, evidence: Evidence) -> None:
    """Keep evidence with a study.

    Raises:
        SpecError: the study has it already.
        StudyNotFoundError: the study was deleted.
    """
    with described(), database.transaction() as connection:
        facts = lock_facts(connection, study)
        known = read_evidence(database, study)
        if any((one.source, one.study) == (evidence.source, evidence.study) for one in known):
            raise SpecError(
                f"The study {study.name!r} has the evidence of {evidence.study!r} in {evidence.source} already.",
                why="The same trials twice would count twice.",
            )
        dated = {
            "imported_at": database.now(connection),
            "imported_by": f"{name_user()}@{socket.gethostname()}",
        }
        text = json.dumps({**asdict(evidence), **dated})
        key = tables.evidence_key(study.uuid, len(known))
        connection.execute(sa.insert(tables.facts).values(key=key, value=text))
        entry = {
            "how": EVIDENCE,
            "study": evidence.study,
            "trials": len(evidence.trials),
            "digest": digest_text(text),
        }
        note_growth(database, connection, study, facts, entry)
    link_growth(database, study.uuid)


def check_kept(database: Database, study: StudyRecord) -> list[str]:
    """Hold the evidence of a study against the record of what it was given, one sentence for each that does not fit."""
    kept = {digest_text(text) for text in _read_texts(database, study)}
    return [
        f"The trials of the study {one['study']!r}, made elsewhere, were changed or deleted after they were added."
        for one in growth_of(study)
        if one["how"] == EVIDENCE and one.get("digest", "") not in {*kept, ""}
    ]


def _read_texts(database: Database, study: StudyRecord) -> list[str]:
    query = sa.select(_facts.value).where(
        _facts.key.startswith(tables.evidence_key(study.uuid, ""), autoescape=True)
    )
    with database.reading() as connection:
        return list(connection.execute(query.order_by(_facts.key)).scalars())


def read_evidence(database: Database, study: StudyRecord) -> list[Evidence]:
    """The evidence that a study was given, in order."""
    read = [json.loads(text) for text in _read_texts(database, study)]
    return [Evidence(**{**one, "trials": tuple(one["trials"])}) for one in read]


def summarize_evidence(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    """Describe evidence for people and programs, without its trials."""
    return [
        {
            "source": one.source,
            "study": one.study,
            "direction": one.direction,
            "trials": len(one.trials),
            "starts": len(one.starts),
            "left_out": one.left_out,
            "best": one.best,
            "imported_at": one.imported_at,
            "imported_by": one.imported_by,
        }
        for one in evidence
    ]

"""Where an evaluation is kept: with its study in the database, and beside the model, never over an earlier one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.models.judged_images import find_study_uuid
from storage.errors import OrchError
from storage.files.model_files import read_card
from storage.files.writing import write_text
from storage.results.evaluations import record_evaluation

if TYPE_CHECKING:
    from storage.database.engine import Database

SUFFIX = ".evaluation.json"


def write_beside(model: Path, text: str) -> Path:
    """Write an evaluation beside its model, under the first name that is free; whole or not at all.

    Returns:
        MODEL.evaluation.json, or MODEL.evaluation.2.json and so on.

    Raises:
        UsageError: the folder is not writable.
        OSError: the disk is full.
    """
    for number in count(1):
        path = model.with_suffix(SUFFIX if number == 1 else f".evaluation.{number}.json")
        try:
            # Taken before it is written: two evaluations that end together must not choose the same name.
            path.open("x").close()
        except FileExistsError:
            continue
        break
    try:
        write_text(path, text)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def remember(
    database: Database, study_uuid: str, document: Mapping[str, Any], *, warn: Callable[[str], None]
) -> None:
    """Keep an evaluation with its study; where the database refuses, say so: the numbers are not lost for that."""
    import sqlalchemy as sa

    try:
        record_evaluation(database, study_uuid, document)
    except (OrchError, sa.exc.SQLAlchemyError) as error:
        what = error.what if isinstance(error, OrchError) else str(getattr(error, "orig", error))
        warn(
            f"The evaluation could not be recorded in {database.url_text}, so `orch report` does not know it: "
            f"{' '.join(what.split())[:300]}"
        )


def remember_model(
    database: Database | None, model: Path, document: Mapping[str, Any], *, warn: Callable[[str], None]
) -> None:
    """The same of a model file, with the study that it comes from; a model of no study of this database is not recorded."""
    study_uuid = find_study_uuid(read_card(model) or {}, database)
    if database is not None and study_uuid is not None:
        remember(database, study_uuid, document, warn=warn)

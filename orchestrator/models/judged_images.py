"""Which images a model is judged on: never those it was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.data.datasets import read_columns
from storage.errors import DataError
from storage.holdout.sealed import open_holdout
from storage.studies.study import find_study
from storage.wording import say_count

if TYPE_CHECKING:
    import numpy as np

    from storage.data.datasets import Dataset
    from storage.database.engine import Database
    from storage.files.model_files import TrainingRecord


@dataclass(frozen=True, eq=False)
class Judged:
    """The images that a model is judged on; shapes as in `storage.data.datasets.Dataset`."""

    part: str
    sha256: tuple[str, ...]
    files: tuple[Path, ...]
    labels: np.ndarray
    groups: np.ndarray
    columns: dict[str, list[str]]


def find_images(
    path: Path,
    card: dict[str, Any],
    digest: str,
    dataset: Dataset,
    database: Database | None,
    *,
    opens: bool,
    again: bool,
    say: Callable[[str], None],
) -> Judged:
    """The images to judge on; opens the hold-out when asked to.

    Raises:
        DataError: the model was trained on them, or the hold-out stays closed.
    """
    import numpy as np

    is_own = card.get("dataset", {}).get("fingerprint") == dataset.fingerprint
    sealed = int((dataset.summary.get("holdout") or {}).get("images", 0))
    if is_own and not opens:
        raise DataError(
            f"{path.name} was trained on the development images of {dataset.folder}.",
            why="An evaluation on them would be too optimistic.",
            next_step="Say --open-holdout to evaluate on its sealed images (recorded), or name another data set.",
        )
    if not is_own:
        dataset.check_images()
    development = Judged(
        "whole" if not sealed else "development",
        dataset.sha256,
        dataset.files,
        dataset.labels,
        dataset.groups,
        read_columns(dataset),
    )
    if not opens:
        if sealed:
            say(
                f"The hold-out of {dataset.folder} ({say_count(sealed, 'image')}) stays sealed; --open-holdout "
                "includes it."
            )
        return development
    opened = open_holdout(
        dataset,
        database=database,
        model_sha256=digest,
        purpose=f"evaluating {path.name}",
        study_uuid=find_study_uuid(card, database),
        again=again,
    )
    if is_own:
        return Judged("hold-out", opened.sha256, opened.files, opened.labels, opened.groups, opened.columns)
    return Judged(
        "whole",
        development.sha256 + opened.sha256,
        development.files + opened.files,
        np.concatenate([development.labels, opened.labels]),
        # Groups are numbered from 0 on each side, and none is on both.
        np.concatenate([development.groups, opened.groups + development.groups.max() + 1]),
        {name: development.columns[name] + opened.columns[name] for name in development.columns},
    )


def find_study_uuid(card: dict[str, Any], database: Database | None) -> str | None:
    """The study that a model comes from, where it is in this database."""
    study = find_study(database, card["study"]) if database is not None and card.get("study") else None
    return study.uuid if study is not None and study.spec_hash == card.get("spec_hash") else None


def leave_out_seen(judged: Judged, record: TrainingRecord | None, say: Callable[[str], None]) -> Judged:
    """Leave out images that the model was trained on, whatever data set they came in.

    Raises:
        DataError: none is left.
    """
    import numpy as np

    seen = record.trained_on if record is not None else frozenset()
    kept = np.array([digest not in seen for digest in judged.sha256], dtype=bool)
    if kept.all():
        return judged
    if not kept.any():
        raise DataError("The model was trained on every one of these images.")
    say(f"warning: the model was trained on {int((~kept).sum())} of these images; they are left out.")
    rows = np.flatnonzero(kept)
    return Judged(
        judged.part,
        tuple(judged.sha256[row] for row in rows),
        tuple(judged.files[row] for row in rows),
        judged.labels[rows],
        judged.groups[rows],
        {name: [cells[row] for row in rows] for name, cells in judged.columns.items()},
    )

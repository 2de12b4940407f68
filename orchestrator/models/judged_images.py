"""Which images a model is judged on: never those it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.data.datasets import read_columns
from storage.errors import DataError, UsageError
from storage.holdout.sealed import open_holdout
from storage.studies.study import find_study
from storage.wording import name_few, say_count

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


def call_labels(dataset: Dataset, targets: Sequence[str], pairs: Sequence[str]) -> Dataset:
    """The data set with its labels called as those of the model.

    Args:
        dataset: of another place.
        targets: the labels of the model.
        pairs: as "MODEL=DATA": a label of the model, and the one of the data set that stands for it. Both may hold "=".

    Raises:
        UsageError: a pair names no label of the model or of the data set, or one of them twice.
    """
    renamed: dict[str, str] = {}
    for pair in pairs:
        parts = pair.split("=")
        cuts = [("=".join(parts[:place]), "=".join(parts[place:])) for place in range(1, len(parts))]
        fitting = [(own, its) for own, its in cuts if own in targets and its in dataset.targets]
        if not fitting:
            raise UsageError(
                f"--label {pair} does not name a label of the model and one of {dataset.folder}.",
                why=f"The model has {name_few(targets)}; the data set has {name_few(dataset.targets)}.",
                next_step="Write --label MODEL=DATA, such as --label fracture=Fraktur.",
            )
        own, its = fitting[0]
        if its in renamed or own in renamed.values():
            raise UsageError(f"--label names a label twice: {pair}.", next_step="Name each label once.")
        renamed[its] = own
    called = tuple(renamed.get(name, name) for name in dataset.targets)
    if twice := next((name for name in called if called.count(name) > 1), None):
        raise UsageError(
            f"{dataset.folder} has a label {twice!r} of its own, beside the one that --label gives this name.",
            next_step="Leave that --label out.",
        )
    return replace(dataset, targets=called)


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

"""Model files compared on images that none of them has seen: the sealed hold-out, on record, or a data set from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.models.evaluation import find_targets
from orchestrator.models.judged_images import find_images, leave_out_seen
from storage.data.images import scale_of_card
from storage.errors import DataError, UsageError
from storage.files.model_files import read_record, read_whole_card
from storage.files.writing import hash_file
from storage.pictures.fitting import resize_of_card
from storage.trust.comparison import Judged, compare
from workers.device.preparation import prepare_or_keep
from workers.final_model.assembly import load_model
from workers.final_model.predict import count_outputs, image_size, predict

if TYPE_CHECKING:
    from storage.data.datasets import Dataset
    from storage.database.engine import Database
    from workers.final_model.predict import Repeats


def compare_models(
    paths: Sequence[Path],
    dataset: Dataset,
    database: Database | None,
    repeats: Sequence[Repeats],
    *,
    opens: bool,
    again: bool,
    margin: float | None = None,
    resamples: int = 1000,
    say: Callable[[str], None],
    report: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Compare model files, and with test-time augmentation each of their pools with their raw probabilities.

    Args:
        paths: of the models; one is enough where there are repeats.
        dataset: a foreign one, or the models' own, whose hold-out is opened.
        database: where openings are recorded besides the dataset folder, or None.
        repeats: test-time augmentation of each model.
        opens, again: as of `orch model evaluate`.
        margin: for "not worse than the first by more than this".
        resamples: of the patients.
        say: told remarks.
        report: told of progress.

    Raises:
        DataError: a model or the data cannot be used, or the hold-out stays closed.
        UsageError: there is one model, and nothing to compare it with.
    """
    if len(paths) < 2 and not any(one.effective for one in repeats):
        raise UsageError(
            "One model without test-time augmentation has nothing to be compared with.",
            next_step="Name a second model, or say --tta 4 to compare raw and pooled probabilities.",
        )
    loaded: list[Any] = []
    targets: tuple[str, ...] = ()
    # All that can be wrong is found out before a hold-out is opened.
    for path in paths:
        card = read_whole_card(path) or {}
        if card and not loaded:
            prepare_or_keep(int(card["spec"]["training"]["threads"]))
        model = load_model(path)
        image_size(model)
        its = find_targets(card, dataset, count_outputs(model))
        if targets and its != targets:
            raise DataError(
                f"{paths[0].name} and {path.name} predict different labels.",
                why=f"One predicts {', '.join(targets)}, the other {', '.join(its)}.",
            )
        targets = its
        loaded.append((path, card, model, hash_file(path), read_record(path)))
    kept: dict[str, int] = {}
    judged = []
    for place, (path, card, _, digest, record) in enumerate(loaded):
        images = find_images(
            path, card, digest, dataset, database, opens=opens, again=again or place > 0, say=say
        )
        judged.append(leave_out_seen(images, record, say))
    common = set.intersection(*(set(images.sha256) for images in judged))
    first = judged[0]
    rows = np.array([digest in common for digest in first.sha256], dtype=bool)
    if not rows.any():
        raise DataError("There is no image that none of the models was trained on.")
    places = np.flatnonzero(rows)
    files, digests = [first.files[row] for row in places], [first.sha256[row] for row in places]
    models = []
    for (path, card, model, digest, _), one in zip(loaded, repeats, strict=True):
        kept[path.name] = kept.get(path.name, 0) + 1
        name = path.name if kept[path.name] == 1 else f"{path.name} ({kept[path.name]})"
        found = predict(
            model,
            files,
            digests,
            repeats=one,
            scale=scale_of_card(card),
            resize=resize_of_card(card),
            report=report,
        )
        for pool, values in found.pooled.items():
            models.append(
                Judged(
                    name if pool == "raw" else f"{name}, {pool} of {one.effective}",
                    [np.arange(len(files))],
                    [values],
                    facts={"file": path.name, "sha256": digest, "study": card.get("study"), "pool": pool},
                )
            )
    columns = [dataset.targets.index(target) for target in targets]
    document = compare(
        models,
        targets,
        first.labels[places][:, columns].astype(np.float64),
        first.groups[places],
        margin=margin,
        resamples=resamples,
        task=dataset.task,
    )
    document["kind"] = first.part
    document["warnings"] = []
    return document

"""Images to predict and explain, their labels where known, the model's predictions, and what is said of sealed images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.importing.choices import Choices
from orchestrator.importing.feature_tables import match_features
from orchestrator.importing.matching import find_column_for, find_rows_of
from orchestrator.importing.reading.tables import read_table
from orchestrator.importing.scanning import scan_folder
from orchestrator.models.answers import ANSWERS, Answer
from storage.data.datasets import MANIFEST, load_dataset, read_columns
from storage.data.images import scale_of_card
from storage.errors import DataError, OrchError
from storage.files.model_files import read_card, read_record, read_reference
from storage.files.writing import hash_file
from storage.holdout.sealed import find_unsealed
from storage.holdout.sealed_predictions import record_sealed_predictions
from storage.pictures.fitting import resize_of_card
from storage.practice.unlike import Reference
from storage.tasks.kinds import LABELS
from storage.wording import name_few, say_count
from workers.device.preparation import import_quietly, prepare_or_keep, try_out
from workers.final_model.assembly import load_model
from workers.final_model.predict import check_outputs, has_features, predict, predict_features

if TYPE_CHECKING:
    from orchestrator.importing.feature_tables import FeatureTable
    from storage.database.engine import Database
    from workers.final_model.predict import Predictions, Repeats


@dataclass(frozen=True)
class Images:
    """Images to predict: their names for the table, files, digests, and the label cells of each target where known."""

    names: tuple[str, ...]
    files: tuple[Path, ...]
    digests: tuple[str, ...]
    labels: dict[str, list[float | None]]
    remarks: tuple[str, ...] = ()
    """What was left out, and which images have no row, one sentence each."""

    def first(self, count: int) -> Images:
        """The first few of them."""
        labels = {target: cells[:count] for target, cells in self.labels.items()}
        return Images(self.names[:count], self.files[:count], self.digests[:count], labels, self.remarks)


def find_images(
    source: Path,
    labels: Path | None,
    filename_column: str,
    targets: Sequence[str],
    answer: Answer | None = None,
) -> Images:
    """The images of a folder, a single file, or the development part of a dataset folder.

    Args:
        source: which of them.
        labels: a labels file, for the labels of a folder or a file.
        filename_column: its column of file names.
        targets: the labels that are wanted.
        answer: of the model's kind of label; left out, that of labels side by side.

    Raises:
        DataError: there is no image, or the labels file cannot be used.
    """
    if (source / MANIFEST).exists():
        dataset = load_dataset(source)
        dataset.check_images()
        columns = read_columns(dataset)
        names = tuple(columns.get(filename_column) or [file.name for file in dataset.files])
        known = {
            target: dataset.task.to_plain(dataset.labels[:, dataset.targets.index(target)].tolist())
            for target in targets
            if target in dataset.targets
        }
        return Images(names, dataset.files, dataset.sha256, known)
    remarks: list[str] = []
    if source.is_file():
        found, folder = [source.name], source.parent
    else:
        scan = scan_folder(source)
        found, folder = sorted(scan.images.values()), source
        remarks += filter(None, [scan.say_left_out()])
    files = tuple(folder / name for name in found)
    known = {}
    if labels is not None:
        known, said = _read_labels(labels, filename_column, found, folder, targets, answer or ANSWERS[LABELS])
        remarks += said
    return Images(tuple(found), files, tuple(hash_file(file) for file in files), known, tuple(remarks))


def predict_images(
    path: Path,
    images: Images,
    targets: Sequence[str],
    repeats: Repeats,
    *,
    pixels: tuple[float, float],
    threads: int | None,
    report: Callable[[int, int], None] | None = None,
    features: FeatureTable | None = None,
) -> Predictions:
    """Load the model and predict; from `features` where it takes those.

    Raises:
        DataError: the model or an image cannot be used.
    """
    model = load_ready(path, targets, threads)
    if features is not None:
        return predict_features(model, match_features(features, images.files)[0], report)
    card = read_card(path)
    return predict(
        model,
        images.files,
        images.digests,
        repeats=repeats,
        pixels=pixels,
        scale=scale_of_card(card),
        resize=resize_of_card(card),
        report=report,
        with_features=has_features(model) and read_reference(path) is not None,
    )


def load_ready(path: Path, targets: Sequence[str], threads: int | None) -> Any:
    """Load the model on a device that computes.

    Args:
        path: the model.
        targets: names of the outputs.
        threads: of the backend, those of the training; None for a model that does not say.

    Raises:
        DataError: the model cannot be used.
        DeviceError: the device cannot.
    """
    if threads is None:
        import_quietly()
    else:
        prepare_or_keep(threads)
    try_out()
    model = load_model(path)
    check_outputs(model, targets)
    return model


def find_unlike(path: Path, predictions: Predictions) -> list[float] | None:
    """How far each picture is from those that the model was trained on, in units of the flag's threshold; None where the model cannot say.

    Args:
        path: the model.
        predictions: of the pictures, with what its head read.

    Raises:
        DataError: what the model keeps for it is damaged.
    """
    arrays = read_reference(path) if predictions.features is not None else None
    if arrays is None or predictions.features is None:
        return None
    try:
        scores = Reference.from_arrays(arrays).score(predictions.features)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"What {path} keeps of its training pictures is damaged: {error}.",
            next_step="Train the model again: orch model train",
        ) from error
    return [float(value) for value in np.round(scores, 4)]


def notice_sealed(
    path: Path,
    images: Images,
    database: Database | None,
    cache: Path,
    say: Callable[[str], None],
    *,
    agree: Callable[[], bool] = lambda: True,
    make_ready: Callable[[], object] = lambda: None,
    doing: str = "predicting",
) -> None:
    """Say what it means that images are sealed in a hold-out, or were trained on, and record the opening.

    Nothing is predicted yet, so that who did not know it can still say no.

    Args:
        path: the model.
        images: that it will look at.
        database: the study database, or None.
        cache: the cache folder of this machine.
        say: told the warnings.
        agree: asked whether to open a hold-out, where there is somebody to ask.
        make_ready: called before an opening is recorded; raises where nothing can be predicted, so that nothing is opened for it.
        doing: what will be done with the model, for the record.

    Raises:
        OrchError: the answer is no; nothing was opened or recorded.
    """
    found = find_unsealed(images.digests, cache=cache, database=database)
    for fingerprint, sealed in found.items():
        names = [name for name, digest in zip(images.names, images.digests, strict=True) if digest in sealed]
        are, them = ("is", "it") if len(names) == 1 else ("are", "them")
        say(
            f"warning: {say_count(len(names), 'image')} {are} sealed in the hold-out of {fingerprint[:19]}..: "
            f"{name_few(names, 3)}. {doing.capitalize()} {them} opens that hold-out, and this is recorded: an estimate on "
            "images that somebody has looked at may be too good, because choices made afterwards can follow what was "
            "seen. Even the first `orch model evaluate` of that data set will name this opening and ask for --again. To "
            f"keep the hold-out sealed, leave {them} out."
        )
    if found and not agree():
        raise OrchError(f"Stopped before {doing}: the hold-out stays sealed.")
    if found:
        make_ready()
        record_sealed_predictions(
            found,
            cache=cache,
            database=database,
            model_sha256=hash_file(path),
            purpose=f"{doing} with {path.name}",
        )
    record = read_record(path)
    seen = len(record.trained_on & set(images.digests)) if record is not None else 0
    if seen:
        say(
            f"warning: the model was trained on {seen} of these images; its predictions on them are too optimistic."
        )


def _read_labels(
    path: Path,
    filename_column: str,
    names: Sequence[str],
    folder: Path,
    targets: Sequence[str],
    answer: Answer,
) -> tuple[dict[str, list[float | None]], list[str]]:
    """Label cells by target, from columns of the target's name, or `column=value` from a column of classes; and remarks.

    Rows are matched to images as the import matches them.
    """
    table = read_table(path)
    if filename_column not in table.columns and filename_column == Choices().filename_column:
        # It was not said: as in an import, the cells say which it is.
        filename_column = find_column_for(table, names, folder) or filename_column
    rows = find_rows_of(table, filename_column, names, folder)
    read = {target: answer.read_label(table, target, rows) for target in targets}
    known = {target: cells for target, cells in read.items() if cells is not None}
    if not known:
        raise DataError(
            f"{path} labels none of {', '.join(targets)}.", why=f"Its columns are {', '.join(table.columns)}."
        )
    alone = [name for name, row in zip(names, rows, strict=True) if row is None]
    remarks = (
        [f"{say_count(len(alone), 'image')} without a row in {path}: {name_few(alone, 3)}."] if alone else []
    )
    return known, remarks

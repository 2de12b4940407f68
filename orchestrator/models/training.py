"""From best.json to a model file: refit, put thresholds and out-of-fold metrics beside it, write the card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboards.tables.training import describe_training
from storage.data.images import scale_of
from storage.errors import DataError, SpecError
from storage.files.documents import to_json, without_nan
from storage.files.model_files import CARD_SCHEMA, TrainingRecord
from storage.files.writing import check_place, hash_file, write_text
from storage.metrics.thresholds import choose_thresholds
from storage.pictures.fitting import SAID
from storage.practice.unlike import fit_reference
from storage.results.predictions import pool_predictions, read_predictions
from storage.spec import parse
from storage.studies.study import find_study
from storage.tasks.contract import Task
from storage.tasks.kinds import LABELS, TASKS
from storage.wording import say_command
from workers.device.versions import library_versions
from workers.final_model.assembly import save_model
from workers.final_model.refit import Recipe, refit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from storage.data.datasets import Dataset
    from storage.database.engine import Database
    from storage.spec import StudySpec

INTENDED_USE = (
    "Research. Not a medical device, and not validated for decisions about patients. It is meant for images like those it "
    "was trained on (same kind of examination, devices, population and labelling); anywhere else validate it first: "
    "`orch model evaluate` on data of that place."
)


@dataclass(frozen=True)
class TrainingRequest:
    """What the user asked for beside best.json: epochs (None: those of the cross-validation), ensemble, intended use."""

    epochs: int | None = None
    ensemble: bool = False
    intended_use: str = ""


def train_model(
    best: dict[str, Any],
    dataset: Dataset,
    database: Database | None,
    out: Path,
    cache: Path,
    request: TrainingRequest,
    *,
    say: Callable[[str], None],
    report: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Refit the winner of a study and write the model and its card.

    Args:
        best: the document of a best.json.
        dataset: the development images; must be the study's.
        database: where the study's out-of-fold predictions are, or None.
        out: the `.keras` file to write.
        cache: where features are kept.
        request: what else was asked for.
        say: told remarks for the user.
        report: told of progress.

    Returns:
        The card.

    Raises:
        SpecError: the spec in best.json cannot be read.
        DataError: another data set than the study's.
        As `workers.final_model.refit.refit`.
    """
    check_out(out)
    recipe = read_recipe(best, dataset, request)
    record = read_record(best, recipe.spec, dataset, database, say)
    trained = refit(recipe, dataset, cache, report)
    spec, trial = recipe.spec, recipe.spec.at(recipe.params)
    reference = None if trained.features is None else fit_reference(trained.features, dataset.groups)
    card = without_nan(
        {
            "schema": CARD_SCHEMA,
            "study": best["study"],
            "regime": best.get("regime"),
            "trial": best.get("trial"),
            "point": recipe.point,
            "kind": "ensemble" if recipe.ensemble else "refit",
            "epochs": recipe.epochs,
            "params": dict(recipe.params),
            "fixed": spec.fixed_beside(recipe.params),
            "training": describe_training(trial),
            "targets": list(spec.data.targets or dataset.targets),
            "task": spec.data.task,
            "classes": list(dataset.classes),
            "image_size": list(trial.model.image_size),
            "resize": trial.model.resize,
            "input": describe_input(trial),
            "features": describe_features(trial, trained.features),
            "dataset": {
                "fingerprint": dataset.fingerprint,
                "images": len(dataset.files),
                "groups": len(set(dataset.groups.tolist())),
                "targets": list(dataset.targets),
                "pixels": scale_of(dataset).to_document(),
            },
            "cross_validation": {
                key: best.get(key) for key in ("metric", "value", "fold_values", "value_sd", "best_epoch")
            },
            "selection": best.get("selection"),
            "out_of_fold": describe_record(record, spec.data.targets or dataset.targets, spec.task),
            "training_loss": list(trained.losses),
            "unlike": None
            if reference is None
            else {"false_alarm_rate": reference.rate, "images": len(reference.kept)},
            "spec": spec.model_dump(mode="json"),
            "spec_hash": spec.spec_hash,
            "intended_use": " ".join(part for part in (request.intended_use, INTENDED_USE) if part),
            "versions": library_versions(),
            "made_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )
    written: dict[str, Any] = {}
    save_model(
        trained.model,
        out,
        card,
        record,
        None if reference is None else reference.to_arrays(),
        # First the card: a model of this name refuses the next training, which would never write a card that was left out.
        beside=lambda finished: written.update(write_card(out, card, finished)),
    )
    return written


def check_out(out: Path) -> None:
    """Make sure, before hours of training, that the model can be written where it was asked for.

    Raises:
        DataError: another suffix, or a file that is there already.
        UsageError: no such folder, or one that cannot be written in.
    """
    if out.suffix != ".keras":
        raise DataError(f"{out} must end in .keras.", next_step=f"Say -o {out.with_suffix('.keras')}.")
    check_place(out)
    if out.exists():
        raise DataError(
            f"{out} exists already.",
            why="Hold-out openings identify a model by its SHA-256, so no model file is overwritten.",
            next_step="Choose another -o, or move the file away.",
        )


def read_recipe(best: dict[str, Any], dataset: Dataset, request: TrainingRequest) -> Recipe:
    """What to train, from best.json.

    Raises:
        SpecError: the spec in best.json cannot be read, or the epochs are no count.
        DataError: another data set than the study's.
    """
    missing = [key for key in ("study", "point", "best_epoch", "spec_hash") if best.get(key) is None]
    if missing:
        raise SpecError(
            f"best.json does not say {' and '.join(missing)}.",
            why="It was edited, or written by another version of orch.",
            next_step="`orch study export NAME -o best.json` writes one.",
        )
    spec = parse(best["spec"], source="best.json")
    if dataset.fingerprint != spec.data.fingerprint:
        raise DataError(
            f"{dataset.folder} is not the data set of the study {best['study']!r}.",
            why=f"The study was made on {spec.data.fingerprint[:19]}.., this is {dataset.fingerprint[:19]}..",
            next_step="Name the dataset folder of the study with --data.",
        )
    epochs = request.epochs or best["best_epoch"]
    if not isinstance(epochs, int) or epochs < 1:
        raise SpecError(f"{epochs!r} epochs cannot be trained.", next_step="Give --epochs N.")
    return Recipe(spec, best["params"], int(best["point"]), epochs, request.ensemble)


def read_record(
    best: dict[str, Any],
    spec: StudySpec,
    dataset: Dataset,
    database: Database | None,
    say: Callable[[str], None],
) -> TrainingRecord:
    """The out-of-fold predictions of the winner, in the order of the data set, and what the model has seen."""
    import numpy as np

    targets = spec.data.targets or dataset.targets
    places = [dataset.targets.index(target) for target in targets if target in dataset.targets]
    labels = dataset.labels[:, places]
    study = find_study(database, best["study"]) if database is not None else None
    folds = []
    if database is not None and study is not None and study.spec_hash == best["spec_hash"]:
        folds = read_predictions(database, study.uuid, int(best["point"]))
    if not folds:
        say(
            "warning: the study's out-of-fold predictions are not in this database: the model gets no thresholds of its "
            "own and no recalibration (--storage names the study's database)."
        )
    probabilities = np.full(labels.shape, np.nan, spec.task.kept_as)
    if folds:
        probabilities = pool_predictions(folds, len(labels)).astype(spec.task.kept_as)
    known = ~np.isnan(probabilities).any(axis=1)
    return TrainingRecord(
        labels[known], probabilities[known], dataset.groups[known], frozenset(dataset.sha256)
    )


def describe_input(spec: StudySpec) -> str:
    """What the model takes, in words."""
    if spec.model.is_preset:
        return f"the features that `{say_extraction(spec)}` makes of the image, as float32; not an image"
    if spec.model.features:
        return (
            f"{spec.model.features_width} features as float32, computed from the image by the program that made "
            f"{spec.model.features!r}; not an image"
        )
    return f"colour images as float32 of 0 to 255, {SAID[spec.model.resize]}; grey ones have three equal channels"


def describe_features(spec: StudySpec, features: NDArray | None) -> dict[str, Any] | None:
    """The features from elsewhere, or of a preset, that the model needs; None where it takes images.

    Args:
        spec: of the trial that was trained again.
        features: what its head read of each training image: shape (n, features).
    """
    model = spec.model
    if model.is_preset:
        made = {"name": model.backbone, "sha256": model.weights_sha256, "command": say_extraction(spec)}
        return {**made, "width": 0 if features is None else int(features.shape[1])}
    if not model.features:
        return None
    return {"name": model.features, "width": model.features_width, "sha256": model.features_sha256}


def say_extraction(spec: StudySpec) -> str:
    """The command by which the features of a trial's preset are made of other images."""
    model = spec.model
    return say_command(
        *("features", "extract", model.backbone, "IMAGES", "-o", "FEATURES.npz"),
        *("--size", model.image_size[0], "--pooling", model.pooling),
    )


def describe_record(
    record: TrainingRecord, targets: tuple[str, ...], task: Task = TASKS[LABELS]
) -> dict[str, Any] | None:
    """Metrics of the out-of-fold predictions with their intervals, of labels at each label's own Youden threshold."""
    if not len(record.labels):
        return None
    note = "Metrics of out-of-fold predictions."
    thresholds: list[float] = []
    if task.is_called:
        thresholds = choose_thresholds("youden", record.labels, record.probabilities)
        note += " The thresholds were chosen on the same predictions, so metrics at a threshold are slightly optimistic."
    return {
        "note": note,
        **task.card(targets, record.labels, record.probabilities, record.groups, thresholds=thresholds),
    }


def write_card(out: Path, card: dict[str, Any], model: Path) -> dict[str, Any]:
    """Write the card beside a model's place, with the SHA-256 of the model, which may be elsewhere as yet; return it."""
    whole = {**card, "file": out.name, "model_sha256": hash_file(model)}
    write_text(out.with_suffix(".card.json"), to_json(whole))
    return whole

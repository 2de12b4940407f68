"""Model files as files: what is in them, read without running anything of them.

A `.keras` file of orch is an ordinary Keras archive with two members more:

    orch-card.json       what the model is: parameters, data set, metrics, versions, intended use
    orch-record.npz      out-of-fold labels and predictions (for thresholds and recalibration), and the SHA-256 of the
                         images it was trained on (so that they are recognised where it is judged)

Keras reads such a file as any other.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from storage.errors import DataError
from storage.files.writing import hash_file

CARD = "orch-card.json"
RECORD = "orch-record.npz"
CARD_SCHEMA = "orch.model/1"
SUFFIXES = (".keras", ".h5", ".hdf5")
KERAS_MODULES = ("keras", "keras.", "builtins", "tensorflow.keras", "tf_keras")


@dataclass(frozen=True, eq=False)
class TrainingRecord:
    """What a model's thresholds and recalibration are chosen on, and what it has seen.

    Attributes:
        labels: float32, shape (n, targets), NaN where not assessed; empty without out-of-fold predictions.
        probabilities: float16, shape (n, targets): of models that did not see the image.
        groups: int64, shape (n,).
        trained_on: hex digests of the training images.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    groups: np.ndarray
    trained_on: frozenset[str]


@dataclass(frozen=True)
class Layer:
    """One layer as the file describes it; `depth` counts the models around it."""

    name: str
    kind: str
    depth: int


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds.

    Attributes:
        sha256: hex digest of the file.
        layers: in the order of the file.
        parameters: how many numbers its weights are, the optimizer's left out.
        input_shape: of one image, as far as it is fixed; None where the file does not say.
        keras_version: of the Keras that wrote it.
        code: why Keras would have to run code from the file to load it; empty when it would not.
        card: orch's model card, or None.
    """

    path: Path
    sha256: str
    layers: tuple[Layer, ...]
    parameters: int
    input_shape: tuple[int | None, ...] | None
    keras_version: str
    code: str
    card: dict[str, Any] | None


def inspect_model(path: Path) -> ModelFile:
    """Read what a model file says of itself; nothing in it is run, and Keras is not needed.

    Args:
        path: a `.keras` archive, or an `.h5` of a whole model as older versions of Keras write it.

    Raises:
        DataError: the file is missing, damaged, or no model.
    """
    config, weights, version = _read_parts(path)
    layers = tuple(_walk(config, 0))
    return ModelFile(
        path=path,
        sha256=hash_file(path),
        layers=layers,
        parameters=_count_parameters(weights),
        input_shape=_find_input_shape(config),
        keras_version=version,
        code=_find_code(config),
        card=read_card(path),
    )


def read_card(path: Path) -> dict[str, Any] | None:
    """The model card inside a `.keras` file, or None.

    Raises:
        DataError: the file is missing or damaged.
    """
    content = _read_member(path, CARD)
    card: dict[str, Any] | None = json.loads(content) if content is not None else None
    return card


def read_record(path: Path) -> TrainingRecord | None:
    """The training record inside a `.keras` file, or None.

    Raises:
        DataError: the file is missing or damaged.
    """
    content = _read_member(path, RECORD)
    if content is None:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return TrainingRecord(
            labels=arrays["labels"],
            probabilities=arrays["probabilities"],
            groups=arrays["groups"],
            trained_on=frozenset(arrays["trained_on"].tolist()),
        )


def attach(path: Path, card: dict[str, Any], record: TrainingRecord) -> None:
    """Add card and record to a `.keras` file that Keras has just written."""
    arrays = io.BytesIO()
    np.savez_compressed(
        arrays,
        labels=record.labels,
        probabilities=record.probabilities,
        groups=record.groups,
        trained_on=np.array(sorted(record.trained_on), dtype="U64"),
    )
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(CARD, json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False))
        archive.writestr(RECORD, arrays.getvalue())
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _read_parts(path: Path) -> tuple[dict[str, Any], Any, str]:
    """The configuration, the opened weights, and the version of Keras that wrote them."""
    if path.suffix not in SUFFIXES:
        raise DataError(
            f"{path} is no model file: its name ends in none of {', '.join(SUFFIXES)}.",
            next_step="`orch model train` makes a .keras file.",
        )
    import h5py

    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                config = json.loads(archive.read("config.json"))
                version = json.loads(archive.read("metadata.json")).get("keras_version", "")
                return config, h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r"), str(version)
        file = h5py.File(path, "r")
        text = file.attrs.get("model_config")
        if text is None:
            raise DataError(
                f"{path} holds weights only, not a model.",
                why="It was saved with save_weights, or for a backbone.",
                next_step="Give it as weights of a study (--set model.weights=FILE), or save the whole model.",
            )
        version = file.attrs.get("keras_version", "")
        weights = file["model_weights"]
        return json.loads(text), weights, version if isinstance(version, str) else version.decode()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error


def _read_member(path: Path, name: str) -> bytes | None:
    """One member of a `.keras` archive; None where there is none of that name, or no archive."""
    if path.suffix != ".keras":
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name) if name in archive.namelist() else None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"There is no model file {path}.", next_step="`orch model train` makes one.")
    return DataError(
        f"{path} cannot be read as a model: {str(error).strip().splitlines()[0].rstrip('.')}.",
        why="The file is damaged, only partly copied, or not a Keras model.",
        next_step="Copy it again, or train it again with `orch model train`.",
    )


def _walk(config: dict[str, Any], depth: int) -> Iterator[Layer]:
    inner = config.get("config", {})
    if not isinstance(inner, dict):
        return
    for layer in inner.get("layers", []):
        settings = layer.get("config", {})
        name = layer.get("name") or settings.get("name") or ""
        yield Layer(str(name), str(layer.get("class_name", "")), depth)
        if "layers" in settings:
            yield from _walk(layer, depth + 1)


def _find_input_shape(config: dict[str, Any]) -> tuple[int | None, ...] | None:
    inner = config.get("config", {})
    for layer in inner.get("layers", []) if isinstance(inner, dict) else []:
        settings = layer.get("config", {})
        shape = settings.get("batch_shape") or settings.get("batch_input_shape")
        if shape:
            return tuple(shape[1:])
        if "layers" in settings:
            return _find_input_shape(layer)
    return None


def _find_code(part: Any) -> str:
    """Look everywhere in the configuration: a Lambda may hide in a wrapper or a nested model."""
    if isinstance(part, dict):
        kind, module = part.get("class_name"), part.get("module")
        if kind in ("Lambda", "__lambda__", "function") and isinstance(part.get("config"), dict | str):
            place = part.get("config")
            name = place.get("name") if isinstance(place, dict) else ""
            return f"it holds a {kind} {name or ''}".rstrip()
        if isinstance(kind, str) and isinstance(module, str) and not module.startswith(KERAS_MODULES):
            return f"it names {module}.{kind}, which is not part of Keras"
        return next((found for value in part.values() if (found := _find_code(value))), "")
    if isinstance(part, list):
        return next((found for value in part if (found := _find_code(value))), "")
    return ""


def _count_parameters(weights: Any) -> int:
    counted = 0

    def visit(name: str, item: Any) -> None:
        nonlocal counted
        if hasattr(item, "shape") and not name.startswith("optimizer"):
            counted += int(np.prod(item.shape))

    weights.visititems(visit)
    weights.file.close()
    return counted

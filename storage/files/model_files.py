"""Model files as files: what is in them, read without running anything of them.

A `.keras` file of orch is an ordinary Keras archive with two or three members more:

    orch-card.json       what the model is: parameters, data set, metrics, versions, intended use
    orch-record.npz      out-of-fold labels and predictions (for thresholds and recalibration), and the SHA-256 of the
                         images it was trained on (so that they are recognised where it is judged)
    orch-reference.npz   what pictures are held against that may be unlike the training (`storage.practice.unlike`), where there is one

Keras reads such a file as any other.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from storage.errors import DataError, OrchError
from storage.files import archives, model_configs
from storage.files.hdf5 import inspect_weights
from storage.files.writing import hash_file
from storage.parsing import check_regular, parse_json
from storage.pictures.fitting import RESIZES

CARD = "orch-card.json"
RECORD = "orch-record.npz"
REFERENCE = "orch-reference.npz"
CARD_SCHEMA = "orch.model/1"
SUFFIXES = (".keras", ".h5", ".hdf5")
MOST_THREADS = 1024


@dataclass(frozen=True, eq=False)
class TrainingRecord:
    """What a model's thresholds and recalibration are chosen on, and what it has seen.

    Attributes:
        labels: float32, shape (n, targets), NaN where not assessed; empty without out-of-fold predictions.
        probabilities: float16, of numbers float32, shape (n, targets): of models that did not see the image.
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
    try:
        config, parameters, version = _read_parts(path)
        layers = tuple(Layer(*found) for found in model_configs.walk(config))
        shape, code = model_configs.find_input_shape(config), model_configs.find_code(config)
        model_configs.check_size(config)
    except OrchError:
        raise
    # The libraries that read archives and HDF5 raise many kinds of errors for damaged files.
    except Exception as error:
        raise _unreadable(path, error) from error
    return ModelFile(
        path=path,
        sha256=hash_file(path),
        layers=layers,
        parameters=parameters,
        input_shape=shape,
        keras_version=version,
        code=code,
        card=read_card(path),
    )


def read_card(path: Path) -> dict[str, Any] | None:
    """The model card inside a `.keras` file, or None.

    Raises:
        DataError: the file is missing or damaged.
    """
    content = _read_member(path, CARD, archives.LARGEST_TEXT)
    if content is None:
        return None
    try:
        card = parse_json(content)
        if not isinstance(card, dict):
            raise ValueError("it is no table")
    except ValueError as error:
        raise _unreadable(path, ValueError(f"its card is not one of orch ({error})")) from error
    return card


def read_whole_card(path: Path) -> dict[str, Any] | None:
    """The model card inside a `.keras` file with everything that orch writes in one, or None.

    Raises:
        DataError: the file is missing or damaged, or its card has not what orch reads from it.
    """
    card = read_card(path)
    if card is not None:
        try:
            _check_card(card)
        except ValueError as error:
            raise _unreadable(path, ValueError(f"its card is not one of orch ({error})")) from error
    return card


def read_record(path: Path) -> TrainingRecord | None:
    """The training record inside a `.keras` file, or None.

    Raises:
        DataError: the file is missing or damaged.
    """
    content = _read_member(path, RECORD, archives.LARGEST_RECORD)
    if content is None:
        return None
    try:
        archives.check_archive(io.BytesIO(content), archives.LARGEST_RECORD)
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            record = TrainingRecord(
                labels=np.asarray(arrays["labels"], np.float32),
                probabilities=_of_any_precision(arrays["probabilities"]),
                groups=np.asarray(arrays["groups"], np.int64),
                trained_on=frozenset(np.asarray(arrays["trained_on"], "U64").tolist()),
            )
        if record.labels.ndim != 2 or record.labels.shape != record.probabilities.shape:
            raise ValueError("labels and predictions differ in shape")
        if record.groups.shape != record.labels.shape[:1]:
            raise ValueError("labels and groups differ in length")
    # NumPy raises many kinds of errors for damaged files.
    except Exception as error:
        raise _unreadable(
            path, ValueError(f"its training record is damaged ({_first_line(error)})")
        ) from error
    return record


def read_reference(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays that pictures are held against; None where the file has none.

    Raises:
        DataError: they are damaged.
    """
    content = _read_member(path, REFERENCE, archives.LARGEST_RECORD)
    if content is None:
        return None
    try:
        archives.check_archive(io.BytesIO(content), archives.LARGEST_RECORD)
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, DataError) as error:
        raise _unreadable(path, error if isinstance(error, Exception) else ValueError()) from error


def attach(
    path: Path,
    card: dict[str, Any],
    record: TrainingRecord,
    reference: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Add card, record and the reference, if there is one, to a `.keras` file that Keras has just written."""
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
        if reference is not None:
            held = io.BytesIO()
            np.savez_compressed(held, **dict(reference))  # type: ignore[arg-type]
            archive.writestr(REFERENCE, held.getvalue())
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _of_any_precision(values: np.ndarray) -> np.ndarray:
    """Probabilities come as float16, numbers as float32."""
    return np.asarray(values, np.float32 if values.dtype == np.float32 else np.float16)


def _read_parts(path: Path) -> tuple[dict[str, Any], int, str]:
    """The configuration, how many parameters the weights are, and the version of Keras that wrote them."""
    if path.suffix not in SUFFIXES:
        raise DataError(
            f"{path} is no model file: its name ends in none of {', '.join(SUFFIXES)}.",
            next_step="`orch model train` makes a .keras file.",
        )
    check_regular(path)
    if path.suffix == ".keras":
        archives.check_archive(path, None)
        with zipfile.ZipFile(path) as archive:
            config = parse_json(archives.read_member(archive, "config.json", archives.LARGEST_TEXT))
            meta = parse_json(archives.read_member(archive, "metadata.json", archives.LARGEST_TEXT))
        version = str(meta.get("keras_version", ""))[:50] if isinstance(meta, dict) else ""
        weights = inspect_weights(path)
    else:
        weights = inspect_weights(path)
        if weights.config is None:
            raise DataError(
                f"{path} holds weights only, not a model.",
                why="It was saved with save_weights, or for a backbone.",
                next_step="Give it as weights of a study (--set model.weights=FILE), or save the whole model.",
            )
        config, version = parse_json(weights.config), weights.keras_version
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise ValueError("its configuration describes no model")
    return config, weights.parameters, version


def _read_member(path: Path, name: str, most: int) -> bytes | None:
    """One member of a `.keras` archive; None where there is none of that name, or no archive."""
    if path.suffix != ".keras":
        return None
    try:
        check_regular(path)
        archives.check_archive(path, None)
        with zipfile.ZipFile(path) as archive:
            return archives.read_member(archive, name, most) if name in archive.namelist() else None
    # `zipfile` raises many kinds of errors for damaged files.
    except Exception as error:
        raise _unreadable(path, error) from error


def _check_card(card: Any) -> None:
    """Make sure that a card has what is read from it.

    Raises:
        ValueError: names what is missing or of another kind.
    """

    def part(place: Any, *keys: str) -> Any:
        for key in keys:
            if not isinstance(place, dict) or key not in place:
                raise ValueError(f"it has no {'.'.join(keys)}")
            place = place[key]
        return place

    targets = part(card, "targets")
    if not isinstance(targets, list) or not targets or not all(isinstance(name, str) for name in targets):
        raise ValueError("targets is no list of names")
    threads = part(card, "spec", "training", "threads")
    if not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
        raise ValueError("spec.training.threads is no number of threads")
    for key in ("images", "groups", "fingerprint"):
        if not isinstance(part(card, "dataset", key), (str, int)):
            raise ValueError(f"dataset.{key} is neither a text nor a number")
    place: Any = card
    if card.get("resize", RESIZES[0]) not in RESIZES:
        raise ValueError(f"resize is none of {', '.join(RESIZES)}")
    if not isinstance(card.get("task", ""), str):
        raise ValueError("task is no name of a kind of label")
    for key in ("out_of_fold", "macro", "metrics", "auc"):
        place = place.get(key) or {}
        if not isinstance(place, dict):
            raise ValueError(f"{key} is no table")
    for key in ("cross_validation", "params", "fixed"):
        if not isinstance(card.get(key) or {}, dict):
            raise ValueError(f"{key} is no table")
    if not isinstance(card["spec"].get("augmentation") or {}, dict):
        raise ValueError("spec.augmentation is no table")
    pixels = part(card, "dataset").get("pixels")
    if not isinstance(pixels or {}, dict):
        raise ValueError("dataset.pixels is no table")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")


def _unreadable(path: Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"There is no model file {path}.", next_step="`orch model train` makes one.")
    reason = "its parts are nested too deeply" if isinstance(error, RecursionError) else _first_line(error)
    return DataError(
        f"{path} cannot be read as a model: {reason}.",
        why="The file is damaged, only partly copied, or not a Keras model.",
        next_step="Copy it again, or train it again with `orch model train`.",
    )

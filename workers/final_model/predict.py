"""A final model on image files: probabilities as they are, and over repeated random changes (test-time augmentation)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from storage.errors import DataError
from storage.pictures.changes import OF_ONE_IMAGE
from storage.pictures.fitting import STRETCH
from storage.pictures.views import FLIPS, VIEWS
from workers.device import backend
from workers.device import preparation as devices
from workers.device.contract import Settings
from workers.final_model.assembly import FEATURES
from workers.inputs.augmentation import join_changes
from workers.inputs.copies import draw_of_image
from workers.inputs.decoding import flip, read_batches

if TYPE_CHECKING:
    import keras

    from storage.data.grey import Scale

BATCH = 16

NO_CHANGE: Settings = {"augmentation": "none", **dict.fromkeys(OF_ONE_IMAGE, 0.0)}
POOLS: dict[str, Callable[..., NDArray]] = {"mean": np.mean, "max": np.max, "min": np.min}


@dataclass(frozen=True)
class Repeats:
    """How often each image is changed and predicted again, and how; names and units as in a spec's augmentation.

    Flips alone are not drawn: each view is used once, so more repeats than there are views change nothing.
    """

    count: int = 0
    changes: Settings = field(default_factory=dict)
    seed: int = 0

    @property
    def settings(self) -> Settings:
        """Every change, also those that are off."""
        return {**NO_CHANGE, **self.changes}

    @property
    def are_views(self) -> bool:
        """Whether flips are all that changes."""
        flips = self.settings["augmentation"]
        return flips != "none" and self.settings == {**NO_CHANGE, "augmentation": flips}

    @property
    def views(self) -> tuple[str, ...]:
        """The flips of each image that are used where they are all that changes."""
        return FLIPS[self.settings["augmentation"]][: self.count]

    @property
    def effective(self) -> int:
        """How many repeats there are."""
        return len(self.views) if self.are_views else self.count


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model says of images.

    Attributes:
        raw: probabilities, shape (n, targets).
        augmented: shape (n, repeats, targets).
        features: what its head read, shape (n, features); None where they were not asked for.
    """

    raw: NDArray[np.float32]
    augmented: NDArray[np.float32]
    features: NDArray[np.float32] | None = None

    @property
    def pooled(self) -> dict[str, NDArray[np.float32]]:
        """`raw`, and where there are repeats their `mean`, `max` and `min`: each of shape (n, targets)."""
        pools = POOLS if self.augmented.shape[1] else {}
        return {"raw": self.raw} | {name: pool(self.augmented, axis=1) for name, pool in pools.items()}


def predict(
    model: keras.Model,
    files: Sequence[Path],
    digests: Sequence[str],
    *,
    repeats: Repeats | None = None,
    pixels: tuple[float, float] = (1.0, 0.0),
    scale: Scale | None = None,
    resize: str = STRETCH,
    report: Callable[[int, int], None] | None = None,
    with_features: bool = False,
) -> Predictions:
    """Predict images; what is drawn for an image depends on its digest alone, not on the others or their order.

    Args:
        model: from image (0 to 255, or as `pixels` says) to probabilities.
        files: the images, length n.
        digests: their SHA-256, length n.
        repeats: test-time augmentation; none when left out.
        pixels: factor and offset from 0..255 to what the model wants.
        scale: the rule for files of more than 8 bits of the data set that the model was trained on.
        resize: how images were brought to its size in training, of `storage.pictures.fitting.RESIZES`.
        report: told the images done and all images.
        with_features: keep what the head reads of each image as it is; of a model that has such a layer (`assembly.FEATURES`).

    Raises:
        DataError: an image cannot be read.
    """
    repeats = repeats or Repeats()
    size = image_size(model)
    targets = count_outputs(model)
    raw = np.empty((len(files), targets), np.float32)
    augmented = np.empty((len(files), repeats.effective, targets), np.float32)
    looking = _join_features(model) if with_features else model
    features: list[NDArray[np.float32]] = []
    done = 0
    for batch in read_batches(files, size, views=VIEWS[:1], batch=BATCH, scale=scale, resize=resize):
        rows = slice(done, done + len(batch))
        found = _run(looking, batch.astype(np.float32), pixels)
        raw[rows] = found[:, :targets]
        features.append(found[:, targets:])
        for place, changed in enumerate(_change(batch, digests[rows], repeats)):
            augmented[rows, place] = _run(model, changed, pixels)
        done += len(batch)
        if report:
            report(done, len(files))
    return Predictions(raw, augmented, np.concatenate(features) if with_features and features else None)


def _join_features(model: keras.Model) -> keras.Model:
    """The model with what its head reads behind its probabilities, from one pass through the network."""
    import keras

    outputs = [keras.layers.Flatten()(part) for part in (model.output, model.get_layer(FEATURES).output)]
    return keras.Model(model.input, keras.layers.Concatenate()(outputs))


def has_features(model: keras.Model) -> bool:
    """Whether a model has the layer that its head reads, by name."""
    return any(layer.name == FEATURES for layer in model.layers)


def predict_features(
    model: keras.Model, values: NDArray[np.float32], report: Callable[[int, int], None] | None = None
) -> Predictions:
    """Predict from features that another program computed.

    Args:
        model: from features to probabilities.
        values: shape (n, features).
        report: told the images done and all images.

    Raises:
        DataError: the model takes another number of features.
    """
    width = count_features(model)
    if width is None or values.shape[1] != width:
        raise DataError(
            f"The model takes {width} features, and the table has {values.shape[1]}."
            if width is not None
            else "The model takes images, not features.",
            next_step="Leave --features out."
            if width is None
            else "Compute the features with the same foundation model.",
        )
    raw = np.empty((len(values), count_outputs(model)), np.float32)
    for start in range(0, len(values), BATCH):
        rows = values[start : start + BATCH]
        raw[start : start + BATCH] = _run(model, rows, (1.0, 0.0))
        if report:
            report(min(start + BATCH, len(values)), len(values))
    return Predictions(raw, np.empty((len(values), 0, raw.shape[1]), np.float32), values)


def count_features(model: keras.Model) -> int | None:
    """How many features a model takes; None where it takes images or anything else."""
    shape = model.input_shape
    return int(shape[1]) if isinstance(shape, tuple) and len(shape) == 2 and shape[1] else None


def count_outputs(model: keras.Model) -> int:
    """How many labels a model gives a value.

    Raises:
        DataError: it has several outputs, or one that is no list of values.
    """
    shape = model.output_shape
    if isinstance(shape, tuple) and len(shape) == 2 and isinstance(shape[1], int):
        return shape[1]
    several = (
        len(shape)
        if isinstance(shape, (list, dict)) or (shape and not isinstance(shape[0], int | None))
        else 1
    )
    raise DataError(
        f"The model has {several} outputs."
        if several > 1
        else f"The model gives each image {shape}, not a list of values.",
        why="orch predicts with models that have one output: a value for each label.",
        next_step="Join its outputs to one (keras.layers.Concatenate), and save it again.",
    )


def check_outputs(model: keras.Model, targets: Sequence[str]) -> None:
    """Make sure that each value of the output has a name.

    Raises:
        DataError: there are more or fewer.
    """
    count = count_outputs(model)
    if count != len(targets):
        raise DataError(
            f"The model gives {count} values, and {len(targets)} names for them are given.",
            next_step="Name them with --targets a,b,..",
        )


def image_size(model: keras.Model) -> tuple[int, int]:
    """Height and width in pixels that a model takes.

    Raises:
        DataError: its input is not one colour image of a fixed size.
    """
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != 3 or None in shape[1:]:
        raise DataError(
            f"The model takes {_say_shape(shape)}, not one colour image of a fixed size.",
            next_step="`orch model show` tells what is in the file.",
        )
    return int(shape[1]), int(shape[2])


def _say_shape(shape: Any) -> str:
    if not isinstance(shape, tuple) or not all(part is None or isinstance(part, int) for part in shape):
        return f"{len(shape)} inputs"
    return " x ".join("any" if part is None else str(part) for part in shape[1:]) or "no image"


def _run(model: keras.Model, images: NDArray[np.float32], pixels: tuple[float, float]) -> NDArray[np.float32]:
    """One forward pass of `BATCH` images always, so that a value does not depend on how many there are."""
    padded = np.zeros((BATCH, *images.shape[1:]), np.float32)
    padded[: len(images)] = images * np.float32(pixels[0]) + np.float32(pixels[1])
    with devices.products_in("float32"):
        outputs = np.asarray(model.predict_on_batch(padded), np.float32)
    return outputs.reshape(BATCH, -1)[: len(images)]


def _change(
    images: NDArray[np.uint8], digests: Sequence[str], repeats: Repeats
) -> Iterator[NDArray[np.float32]]:
    if repeats.are_views:
        for view in repeats.views:
            yield np.stack([flip(image, view) for image in images]).astype(np.float32)
        return
    change = backend.epoch_backend().change_images
    size = (images.shape[1], images.shape[2])
    for number in range(repeats.effective):
        drawn = join_changes(
            [draw_of_image(digest, [number], repeats.seed, size, repeats.settings) for digest in digests]
        )
        yield change(images, drawn.matrices, drawn.shifts, drawn.drawn)

"""One ordinary Keras model from image to probabilities, and how it is saved and loaded: without code of its own.

image (0 to 255) -> preprocessing -> backbone -> scaling -> head, or image -> preprocessing -> trained network. An
ensemble has k heads (with a scaling each) or networks, whose probabilities are averaged. Where the study's features came from
elsewhere, or from a preset of KerasHub, whose layers are no part of Keras, its model begins with them: features -> scaling -> head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from storage.errors import DataError
from storage.files.model_files import TrainingRecord, attach, inspect_model
from storage.files.writing import replacing
from workers.device import preparation as devices
from workers.device.contract import Tensor
from workers.heads.kinds import find_head
from workers.models.feature_maps import CENTRING
from workers.models.transfer import build_backbone, find_preprocessing
from workers.models.weights import read_whole
from workers.objective.study_data import Trained

if TYPE_CHECKING:
    import keras

    from storage.spec import StudySpec

COLOURS = 3
FEATURES = "features_of_the_head"
"""The layer whose output the head reads, by name."""


def assemble(spec: StudySpec, parts: Sequence[Trained]) -> keras.Model:
    """Put what was trained together to one model from image to probabilities.

    Args:
        spec: gives the backbone, its weights and the image size.
        parts: all of one kind; more than one makes an ensemble.

    Raises:
        WeightsError: the backbone's weights are missing or do not fit.
    """
    devices.import_quietly()
    import keras

    if spec.model.features or spec.model.is_preset:
        given = keras.Input((parts[0].model.input_shape[-1],), name="features")
        return _join(spec, parts, given, keras.layers.Identity(name=FEATURES)(given))
    images = keras.Input((*spec.model.image_size, COLOURS), name="image")
    if parts[0].scale_pixels is None:
        inputs = describe_pixels(find_preprocessing(spec.model.backbone))(images)
        inputs = keras.layers.Identity(name=FEATURES)(build_backbone(spec.model)(inputs))
    else:
        inputs = describe_pixels(parts[0].scale_pixels)(images)
    return _join(spec, parts, images, inputs)


def _join(spec: StudySpec, parts: Sequence[Trained], images: Tensor, inputs: Tensor) -> keras.Model:
    """A model from what is put in to the mean of what the parts make of `inputs`."""
    import keras

    kind = find_head(spec.data.task, spec.loss)
    given = [
        part.model(_scale(part.scale, part.model.name, inputs) if part.scale else inputs) for part in parts
    ]
    outputs = [
        kind.restore_units(one, part.units, part.model.name) for one, part in zip(given, parts, strict=True)
    ]
    mean = keras.layers.Average(name="mean_of_folds")(outputs) if len(outputs) > 1 else outputs[0]
    return keras.Model(images, mean, name="orch_model")


def describe_pixels(preprocess: Callable[[Tensor], Tensor]) -> keras.layers.Layer:
    """The layer that does what a function of `keras.applications` does to pixels.

    All of them are affine in the three colours of a pixel (some exchange red and blue), so probing with black and the
    three pure colours finds the function.
    """
    import keras

    def probe(pixels: list[list[float]]) -> NDArray[np.float64]:
        image = np.array(pixels, np.float64).reshape(1, 1, -1, COLOURS)
        return np.asarray(preprocess(image.copy()), np.float64).reshape(-1, COLOURS)

    offset, *units = probe([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]])
    matrix = (np.array(units) - offset) / 255
    grey = np.array([[17.0, 130.0, 201.0]])
    if np.abs(grey @ matrix + offset - probe(grey.tolist())).max() > 1e-3:
        raise RuntimeError("this preprocessing is not affine in the colours of a pixel")
    if np.allclose(matrix, np.diag(np.diag(matrix)), atol=1e-12):
        return keras.layers.Rescaling(np.diag(matrix).tolist(), offset.tolist(), name="preprocessing")
    layer = keras.layers.Conv2D(COLOURS, 1, name="preprocessing", trainable=False)
    layer.build((None, None, None, COLOURS))
    layer.set_weights([matrix[None, None].astype(np.float32), offset.astype(np.float32)])
    return layer


def save_model(
    model: keras.Model,
    path: Path,
    card: dict[str, object],
    record: TrainingRecord,
    reference: Mapping[str, NDArray] | None = None,
    *,
    beside: Callable[[Path], None] = lambda _: None,
) -> None:
    """Save a model with its card and record, whole or not at all.

    Args:
        model: what to save.
        path: where; must end in `.keras`.
        card: plain data without NaN.
        record: see `storage.files.model_files`.
        reference: arrays of `storage.practice.unlike`, or None.
        beside: told the finished file before it gets its name; writes what a model that has its name must not be without.

    Raises:
        UsageError: the folder does not exist or is not writable.
        OSError: the disk is full; names `path`.
    """
    with replacing(path) as partial:
        model.save(partial)
        _check_reading(partial, model)
        attach(partial, card, record, reference)
        beside(partial)


def _check_reading(path: Path, model: keras.Model) -> None:
    """Make sure that what was saved loads without code of its own and computes the same."""
    again = load_model(path)
    image = np.random.default_rng(0).uniform(0, 255, (1, *model.input_shape[1:])).astype(np.float32)
    if not np.allclose(again.predict_on_batch(image), model.predict_on_batch(image), atol=1e-5):
        raise RuntimeError("the saved model does not compute what the trained one does")


def load_model(path: Path) -> keras.Model:
    """Load a model without running code from its file.

    Raises:
        DataError: the file is missing, damaged, no model, or would need code of its own.
    """
    found = inspect_model(path)
    if found.code:
        raise DataError(
            f"{path} is not loaded: {found.code}, and orch does not run code from a file.",
            why="Older models of keras.applications, InceptionResNetV2 among them, hold such layers.",
            next_step="`orch model show` tells what is in it; build the model again and save only its weights.",
        )
    devices.import_quietly()
    import keras

    try:
        with read_whole():
            model: keras.Model = keras.models.load_model(path, compile=False, safe_mode=True)
    # Keras raises many kinds of errors for files that do not fit its version.
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{path} cannot be loaded by Keras {keras.__version__}: {first[:300].rstrip('.')}.",
            why=f"It was written by Keras {found.keras_version or 'of an unknown version'}.",
            next_step="Load and save it again with a version between the two.",
        ) from error
    return model


def copy_model(model: keras.Model, name: str) -> keras.Model:
    """A copy with the same weights, under a name of its own."""
    copied = type(model).from_config({**model.get_config(), "name": name})
    copied.set_weights(model.get_weights())
    return copied


def _scale(scale: tuple[NDArray[np.float32], NDArray[np.float32]], name: str, features: Tensor) -> Tensor:
    """(x - mean) / sd in this order, as in training.

    Features of random weights may vary far less than their mean, and less than Keras's own Normalization admits.
    """
    import keras

    mean, sd = (np.asarray(part, np.float32) for part in scale)
    centred = keras.layers.Rescaling(1.0, (-mean).tolist(), name=f"{CENTRING}{name}")(features)
    return keras.layers.Rescaling((1 / sd).tolist(), name=f"scaling_{name}")(centred)

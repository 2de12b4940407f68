"""A frozen backbone of `keras.applications`: images in, one pooled feature vector per image out."""

from __future__ import annotations

import functools
import hashlib
import importlib
import random
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from storage.errors import SpecError, WeightsError
from storage.files.apart import TooMuchError
from storage.files.hdf5 import inspect_weights
from storage.parsing import check_regular
from workers.models.backbones import check_backbone
from workers.models.drawing import drawn_alike
from workers.models.weights import describe_misfit, read_whole

if TYPE_CHECKING:
    import keras

    from storage.spec import ModelSection

DOWNLOAD_SECONDS = 30
"""A download that is silent for so long counts as impossible."""


def build_backbone(model: ModelSection) -> keras.Model:
    """Build the backbone with pooled features as its output, not trainable; its layers compute in the policy in force.

    Args:
        model: gives backbone, weights, weights_seed, image_size (height, width) and pooling.

    Raises:
        SpecError: no such backbone, or the image is too small for it.
        WeightsError: the weights are missing or do not fit.
    """
    build = functools.partial(
        find_application(model.backbone),
        include_top=False,
        input_shape=(*model.image_size, 3),
        pooling=model.pooling,
    )
    if model.weights == "imagenet":
        backbone = _build_imagenet(model, build)
    elif model.weights == "none":
        with drawn_alike(), seeded(model.weights_seed):
            backbone = _build(model, build)
    else:
        backbone = _build(model, build)
        load_weights(backbone, Path(model.weights), model.weights_sha256)
    backbone.trainable = False
    return backbone


@functools.cache
def count_parameters(name: str, image_size: tuple[int, int]) -> int:
    """How many parameters a backbone has without its top; built once to find out.

    Raises:
        SpecError: as `build_backbone`.
    """
    with seeded(0):
        built = find_application(name)(
            include_top=False, weights=None, input_shape=(*image_size, 3), pooling="avg"
        )
    return int(built.count_params())


def find_application(name: str) -> Callable[..., keras.Model]:
    """The builder of a backbone, by its name in `keras.applications`.

    Raises:
        SpecError: names the nearest one.
    """
    import keras

    # Modules in there have lower-case names, builders do not.
    valid = [entry for entry in dir(keras.applications) if entry[0].isupper()]
    check_backbone(name, valid)
    builder: Callable[..., keras.Model] = getattr(keras.applications, name)
    return builder


def find_preprocessing(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """The function by which this backbone wants its pixels (float32 of 0 to 255) scaled.

    For InceptionV3 it is x / 127.5 - 1.
    """
    module = importlib.import_module(find_application(name).__module__)
    scale: Callable[[np.ndarray], np.ndarray] = module.preprocess_input
    return scale


def identify_weights(model: ModelSection) -> str:
    """What the weights are, without building the backbone: part of the key of features.

    Raises:
        WeightsError: the weights file is missing, or is another one than the study was made with.
    """
    if model.weights == "none":
        return f"random, seed {model.weights_seed}"
    if model.is_preset:
        return f"sha256:{model.weights_sha256}"
    if model.weights == "imagenet":
        # Keras pins the hash of each file, so together with its version (in the key too) this is one file.
        return "imagenet"
    return f"sha256:{_hash_weights(Path(model.weights), model.weights_sha256)}"


def load_weights(backbone: keras.Model, path: Path, expected_sha256: str = "") -> None:
    """Load weights from a file; only arrays are read, so no code in a file can run.

    Args:
        backbone: takes the weights.
        path: `.weights.h5`, or an `.h5` of weights or of a whole model.
        expected_sha256: hex digits that the file must have; empty when any will do.

    Raises:
        WeightsError: the file is missing or another one, or says which layer does not fit.
    """
    _hash_weights(path, expected_sha256)
    try:
        # A damaged file can make Keras search for ever: this finds it in a process apart.
        inspect_weights(path)
        with read_whole():
            backbone.load_weights(path)
    # h5py and Keras raise OSError, ValueError, KeyError, ... for files that do not fit.
    except Exception as error:
        misfit = "" if isinstance(error, TooMuchError) else describe_misfit(backbone, path)
        raise WeightsError(
            f"The weights in {path} do not fit {backbone.name}: {misfit or _first_sentence(error).rstrip('.')}.",
            why="The file is of another architecture, has a classification top, or is damaged.",
            next_step="Give the file made for this backbone without its top (often named `notop`).",
        ) from error


def _hash_weights(path: Path, expected_sha256: str) -> str:
    if path.suffix != ".h5":
        raise WeightsError(
            f"model.weights = {str(path)!r} is neither imagenet, none nor an .h5 file.",
            why="Other formats may hold code, which orch does not run.",
            next_step="Save the weights with `model.save_weights('FILE.weights.h5')`.",
        )
    try:
        # A pipe of that name would be waited for.
        check_regular(path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"The weights file {path} cannot be read: {getattr(error, 'strerror', None) or error}.",
            next_step="Put it there, or give another one: --set model.weights=FILE.h5.",
        ) from error
    if expected_sha256.removeprefix("sha256:") not in ("", digest):
        raise WeightsError(
            f"The weights file {path} is not the one that the study was made with.",
            why=f"Its SHA-256 is {digest}, the study's is {expected_sha256.removeprefix('sha256:')}.",
            next_step="Copy the original file there.",
        )
    return digest


def _build(model: ModelSection, build: Callable[..., keras.Model]) -> keras.Model:
    try:
        return build(weights=None)
    except ValueError as error:
        raise SpecError(
            f"{model.backbone} cannot be built for images of {model.image_size[0]} x {model.image_size[1]}: "
            f"{_first_sentence(error)}",
            next_step="Choose a larger model.image_size, or another model.backbone.",
        ) from error


def _build_imagenet(model: ModelSection, build: Callable[..., keras.Model]) -> keras.Model:
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SECONDS)
    try:
        with warnings.catch_warnings():
            # MobileNet's weights were trained at several sizes of images; for any other size Keras takes those of 224 x 224, and warns.
            warnings.filterwarnings("ignore", "`input_shape` is undefined or non-square")
            return build(weights="imagenet")
    # The download fails as OSError, a plain Exception of Keras, ValueError for a damaged file, ...
    except Exception as error:
        raise WeightsError(
            f"The ImageNet weights of {model.backbone} are not on this machine and could not be had: "
            f"{_first_sentence(error)}",
            why="There is no way to the network from here, or a download was cut off.",
            next_step=(
                "Copy the file into ~/.keras/models from a machine that has it; or create the study again, with a file "
                "(--set model.weights=FILE.h5) or with random weights (--set model.weights=none)."
            ),
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)


@contextmanager
def seeded(seed: int, *, tensorflow_too: bool = False) -> Iterator[None]:
    """Let Keras draw initial weights from a seed, and leave the global generators as they were.

    Args:
        seed: as of `keras.utils.set_random_seed`.
        tensorflow_too: set TensorFlow's own seed, from which no layer of Keras draws. TensorFlow then forgets how every compiled function of
            the process is run, and prepares its graph again at the next call: of InceptionV3 for longer than an epoch takes.
    """
    import keras
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR

    python_state, numpy_state = random.getstate(), np.random.get_state()
    if tensorflow_too:
        keras.utils.set_random_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    # What Keras draws without a seed it draws from a generator that is made from Python's.
    global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, None)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def _first_sentence(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return str(lines[0])[:300].rstrip(" .:") + "."

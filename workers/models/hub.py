"""Backbones of KerasHub from presets on this machine: a folder, or what the clients of Hugging Face or Kaggle have kept. Nothing is downloaded."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from storage.errors import DataError, UsageError, WeightsError
from storage.files.hdf5 import inspect_weights
from storage.files.model_configs import find_code
from storage.files.writing import hash_file
from storage.settings import kaggle_folder

if TYPE_CHECKING:
    from storage.spec import ModelSection

HUGGING_FACE = "hf://"
KAGGLE = "kaggle://"
DECIDING = (".json", ".h5", ".safetensors")
"""Files of a preset that decide what its backbone computes."""
UNDECIDING = frozenset({"metadata.json"})
"""When it was saved, and by which versions."""
CONFIG = "config.json"
CONVERTER = "image_converter.json"
LARGEST_CONFIG = 10_000_000
USUAL_SIZE = 224
POOLINGS = ("avg", "max")


@dataclass(frozen=True, eq=False)
class HubBackbone:
    """A backbone of KerasHub that makes one vector of an image.

    Attributes:
        size: height and width of the images that it takes.
        width: how many numbers a vector has.
        parameters: how many the backbone has.
        embed: images as float32 of 0 to 255, shape (n, height, width, 3), to vectors, shape (n, features).
        remarks: what is worth knowing, one sentence each.
    """

    size: tuple[int, int]
    width: int
    parameters: int
    embed: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    remarks: tuple[str, ...] = ()


def find_preset(name: str) -> Path:
    """The folder of a preset.

    Args:
        name: a folder as `save_to_preset` writes it, hf://OWNER/NAME, kaggle://OWNER/MODEL/FRAMEWORK/NAME[/VERSION], or the name of a
            preset of KerasHub itself.

    Raises:
        UsageError: KerasHub is not installed, or the preset is not on this machine.
    """
    if not is_installed("keras_hub"):
        raise UsageError("KerasHub is not installed.", next_step="pip install keras-hub")
    if name.startswith(HUGGING_FACE):
        owner_and_name = name.removeprefix(HUGGING_FACE).strip("/")
        if not is_installed("huggingface_hub"):
            raise UsageError(
                f"{name} needs Hugging Face's client, which is not installed.",
                next_step="pip install huggingface_hub",
            )
        try:
            found = importlib.import_module("huggingface_hub").try_to_load_from_cache(owner_and_name, CONFIG)
        except ValueError:  # no name of a repository
            found = None
        if not isinstance(found, str):
            raise UsageError(
                f"{name} is not on this machine.",
                why="orch downloads nothing by itself.",
                next_step=f"`hf download {owner_and_name}` fetches it, where there is a network.",
            )
        return Path(found).parent
    folder = Path(name).expanduser()
    kept = None if (folder / CONFIG).is_file() else _find_kept_by_kaggle(name)
    if kept is not None:
        return kept
    if name.startswith(KAGGLE):
        raise UsageError(
            f"{name} is not on this machine.",
            why="orch downloads nothing by itself.",
            next_step=f"`keras_hub.models.Backbone.from_preset({name!r})` fetches it, where there is a network.",
        )
    if not (folder / CONFIG).is_file():
        raise UsageError(
            f"{name} is no preset of KerasHub: there is no {CONFIG} in it.",
            next_step="Name a folder as `backbone.save_to_preset(FOLDER)` writes it, hf://OWNER/NAME, or a preset that KerasHub has fetched.",
        )
    return folder


def is_installed(package: str) -> bool:
    """Whether a package is there, without importing it."""
    return importlib.util.find_spec(package) is not None


def _find_kept_by_kaggle(name: str) -> Path | None:
    """The newest version that Kaggle's client has kept of a preset; None where it has none."""
    parts = name.removeprefix(KAGGLE).strip("/").split("/")
    if ".." in parts or len(parts) not in ((4, 5) if name.startswith(KAGGLE) else (1,)):
        return None
    above = parts if len(parts) > 1 else ["*", "*", "*", parts[0]]
    pattern = "/".join([*above, "*"] if len(above) == 4 else above)
    try:
        found = [path for path in (kaggle_folder() / "models").glob(pattern) if (path / CONFIG).is_file()]
    except (OSError, ValueError):
        return None
    return max(found, key=lambda path: (path.name.isdigit(), path.name.zfill(9)), default=None)


def hash_preset(folder: Path) -> str:
    """SHA-256, in hex digits, over the names and contents of the files that decide what a preset computes.

    Raises:
        DataError: a file cannot be read.
    """
    files = [
        path for path in sorted(folder.iterdir()) if path.suffix in DECIDING and path.name not in UNDECIDING
    ]
    try:
        lines = [f"{path.name} {hash_file(path)}" for path in files]
    except OSError as error:
        raise DataError(f"The preset {folder} cannot be read: {error.strerror}.") from error
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_fixed_size(folder: Path) -> tuple[int, int] | None:
    """Height and width of the images that a preset takes, as its configuration says them; None where it takes several, or does not say.

    Raises:
        DataError: as `check_config`.
    """
    config = check_config(folder / CONFIG).get("config")
    shape = config.get("image_shape") if isinstance(config, dict) else None
    is_fixed = isinstance(shape, list) and len(shape) == 3 and all(isinstance(side, int) for side in shape)
    return (shape[0], shape[1]) if shape and is_fixed else None


def load_for_study(model: ModelSection) -> HubBackbone:
    """Build the preset that a study was made with.

    Raises:
        WeightsError: it is not on this machine, is another one, or cannot be built.
    """
    try:
        folder = find_preset(model.backbone)
        found = hash_preset(folder)
        if model.weights_sha256 not in ("", found):
            raise WeightsError(
                f"The preset {model.backbone} on this machine is not the one that the study was made with.",
                why=f"The SHA-256 of its files is {found}, the study's is {model.weights_sha256}.",
                next_step="Copy the original files here.",
            )
        return load_backbone(str(folder), model.image_size, model.pooling)
    except (UsageError, DataError) as error:
        raise WeightsError(error.what, why=error.why, next_step=error.next_step) from error


@functools.cache
def count_preset_parameters(name: str, image_size: tuple[int, int]) -> int:
    """How many parameters the backbone of a preset has; built once to find out.

    Raises:
        As `load_backbone`.
    """
    return load_backbone(name, image_size).parameters


def load_backbone(
    name: str,
    size: int | tuple[int, int] | None = None,
    pooling: str = "avg",
) -> HubBackbone:
    """Build the backbone of a preset with its weights; no code from its files is run.

    Feature maps and tokens are pooled to one vector.

    Args:
        name: as of `find_preset`.
        size: side of the images in pixels, or height and width; left out, that of the preset.
        pooling: one of `POOLINGS`.

    Raises:
        UsageError: as `find_preset`; or the size is not that of the preset.
        DataError: the preset names code of its own, or takes something else than images.
        WeightsError: it cannot be built, or its weights do not fit.
    """
    folder = find_preset(name)
    check_config(folder / CONFIG)
    if (folder / CONVERTER).exists():
        check_config(folder / CONVERTER)
    keras_hub = importlib.import_module("keras_hub")

    try:
        for weights in sorted(folder.glob("*.h5")):
            # A damaged file can make Keras search for ever: this finds it in a process apart.
            inspect_weights(weights)
        backbone = keras_hub.models.Backbone.from_preset(str(folder))
    # A preset that is damaged or of another version fails as ValueError, KeyError, OSError, ImportError, ...
    except Exception as error:
        raise _unloadable(keras_hub, name, error) from error
    scale, preferred, remarks = _read_converter(keras_hub, folder, name)
    inputs = backbone.input
    key = None
    if isinstance(inputs, dict):
        key = next(iter(inputs)) if len(inputs) == 1 else None
        inputs = inputs.get(key)
    shape = tuple(getattr(inputs, "shape", ()))
    if len(shape) != 4 or shape[-1] != 3:
        raise DataError(
            f"The preset {name} is no backbone for images alone: it takes {_describe(backbone.input)}."
        )
    fixed = None if None in shape[1:3] else (int(shape[1]), int(shape[2]))
    asked = (size, size) if isinstance(size, int) else size
    wanted = asked or fixed or preferred or (USUAL_SIZE, USUAL_SIZE)
    if fixed is not None and wanted != fixed:
        raise UsageError(
            f"The preset {name} takes images of {fixed[0]} x {fixed[1]} pixels.",
            next_step="Leave --size out; of a study, set model.image_size to that.",
        )

    def embed(images: NDArray[np.float32]) -> NDArray[np.float32]:
        scaled = scale(images)
        return pool(backbone.predict_on_batch({key: scaled} if key else scaled), pooling, name)

    width = int(tuple(getattr(_choose(backbone.output, name), "shape", (0,)))[-1])
    return HubBackbone(wanted, width, int(backbone.count_params()), embed, tuple(remarks))


def check_config(path: Path) -> dict[str, object]:
    """Read a preset's configuration, and make sure that it names nothing but layers of Keras and KerasHub.

    Raises:
        DataError: it does, or is none.
    """
    try:
        text = path.read_bytes()[: LARGEST_CONFIG + 1]
        config = json.loads(text) if len(text) <= LARGEST_CONFIG else None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {_first_line(error)}.") from error
    if not isinstance(config, dict):
        raise DataError(f"{path} is no configuration of a preset.")
    code = find_code(_without_hub(config))
    if code:
        raise DataError(f"{path.parent} is not loaded: {code}, and orch does not run code from a file.")
    return config


def _without_hub(part: object) -> object:
    """A configuration without the names of KerasHub's own modules, which are installed and no part of the file."""
    if isinstance(part, dict):
        is_hub = str(part.get("module", "")).startswith("keras_hub.")
        return {key: _without_hub(value) for key, value in part.items() if not (is_hub and key == "module")}
    return [_without_hub(value) for value in part] if isinstance(part, list) else part


def _read_converter(
    keras_hub: ModuleType, folder: Path, name: str
) -> tuple[Callable[[NDArray[np.float32]], NDArray[np.float32]], tuple[int, int] | None, list[str]]:
    """How a preset wants its pixels scaled, and the size it names."""
    try:
        converter = keras_hub.layers.ImageConverter.from_preset(str(folder))
        factor = np.asarray(1.0 if converter.scale is None else converter.scale, np.float32)
        offset = np.asarray(0.0 if converter.offset is None else converter.offset, np.float32)
    except Exception as error:
        if (folder / CONVERTER).exists():
            raise _unloadable(keras_hub, name, error) from error
        remark = "The preset has no image converter: grey values of 0 to 255 were divided by 255."
        return lambda images: images / np.float32(255), None, [remark]
    named = converter.image_size
    size = (int(named[0]), int(named[1])) if named else None
    return lambda images: images * factor + offset, size, []


def pool(outputs: object, pooling: str, name: str) -> NDArray[np.float32]:
    """One vector of each image.

    Args:
        outputs: what the backbone makes: shape (n, .., features), or such by name.
        pooling: one of `POOLINGS`.
        name: of the preset.

    Raises:
        DataError: it makes several things, and none of them is known.
    """
    values = np.asarray(_choose(outputs, name), np.float32)
    between = tuple(range(1, values.ndim - 1))
    if not between:
        return values
    return values.max(axis=between) if pooling == "max" else values.mean(axis=between)


def _choose(outputs: object, name: str) -> object:
    """What a vector is made of, among what a backbone makes of an image."""
    if isinstance(outputs, dict):
        known = [key for key in ("pooled_output", "sequence_output") if key in outputs]
        if not known and len(outputs) != 1:
            raise DataError(
                f"The preset {name} makes several things of an image: {', '.join(map(str, outputs))}."
            )
        return outputs[known[0]] if known else next(iter(outputs.values()))
    return outputs


def _describe(inputs: object) -> str:
    named = inputs if isinstance(inputs, dict) else {"input": inputs}
    return ", ".join(f"{key} of shape {tuple(getattr(one, 'shape', ()))}" for key, one in named.items())


def _unloadable(keras_hub: ModuleType, name: str, error: Exception) -> WeightsError:
    return WeightsError(
        f"The preset {name} cannot be loaded by KerasHub {keras_hub.__version__}: {_first_line(error)}.",
        why="It is no backbone of KerasHub, of another version, or only partly copied.",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(". ")

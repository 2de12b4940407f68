"""What is in an HDF5 file that somebody else made: found by reading all of it, in a process apart (`storage.files.apart`).

Whatever is read here without harm, Keras reads without harm, too.
"""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from storage.files import archives
from storage.files.apart import SECONDS, run_apart
from storage.parsing import check_regular

WEIGHTS = "model.weights.h5"
"""The member of a `.keras` archive that holds the weights."""
MOST_EXPANSION = 4
"""Weights hardly get smaller when they are compressed."""
SLAB = 16 * 2**20
"""Bytes of a weight that are read at once."""
BYTES_PER_SECOND = 50 * 2**20
"""Reading may take as much computing as this speed needs, besides `SECONDS`."""

Shapes = list[tuple[str, list[tuple[int, ...]]]]


@dataclass(frozen=True)
class Weights:
    """What an HDF5 file of weights, or of a whole model, holds.

    Attributes:
        config: the text of the model's configuration; None in a file of weights alone.
        keras_version: of the Keras that wrote it, as far as it says.
        parameters: how many numbers the weights are, the optimizer's left out.
        shapes: its layers with weights, in order; None for files of another form.
    """

    config: str | None
    keras_version: str
    parameters: int
    shapes: Shapes | None


def inspect_weights(path: Path) -> Weights:
    """Read an HDF5 file, or that in a `.keras` archive, from end to end.

    Raises:
        ValueError: it is damaged, names other files, needs far more memory than it has bytes, or made its reader loop or crash.
        OSError: it is missing or cannot be read.
    """
    size = check_regular(path)
    with path.open("rb"):
        pass
    found = run_apart(read_weights, str(path), seconds=SECONDS + size // BYTES_PER_SECOND)
    shapes = found["shapes"]
    if shapes is not None:
        shapes = [(name, [tuple(shape) for shape in weights]) for name, weights in shapes]
    return Weights(found["config"], found["keras_version"], found["parameters"], shapes)


def read_weights(file: str) -> dict[str, Any]:
    """What `inspect_weights` returns, as plain data; only ever called in the process apart."""
    import h5py

    path = Path(file)
    with _open(path) as source, h5py.File(source, "r") as opened:
        config = opened.attrs.get("model_config")
        if config is not None and len(config) > archives.LARGEST_TEXT:
            raise ValueError(f"its configuration is larger than {archives.LARGEST_TEXT // 2**20} MiB")
        # The older form has the weights beside the configuration; what else lies there is no weight.
        weights = opened if config is None else opened["model_weights"]
        _read_all(opened, path.stat().st_size)
        return {
            "config": None if config is None else _text(config),
            "keras_version": _text(opened.attrs.get("keras_version", ""))[:50],
            "parameters": _count(weights),
            "shapes": _read_shapes(opened),
        }


@contextlib.contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    if path.suffix != ".keras":
        with path.open("rb") as file:
            yield file
        return
    archives.check_archive(path, None)
    with zipfile.ZipFile(path) as archive, archives.open_member(archive, path, WEIGHTS) as file:
        yield file


def _read_all(opened: Any, size: int) -> None:
    """Read every attribute and every number once.

    Raises:
        ValueError: a part of it lies in another file, or it needs far more memory than the file has bytes.
    """
    import h5py

    found: list[Any] = [opened]
    # An error within this function would be lost: a name ends the search.
    elsewhere = opened.visititems_links(
        lambda name, link: _text(name) if isinstance(link, h5py.ExternalLink) else None
    )
    if elsewhere is not None:
        raise ValueError(f"its part {elsewhere!r} lies in another file")
    opened.visititems(lambda _name, item: found.append(item))
    needed = sum(
        math.prod(item.shape or ()) * item.dtype.itemsize for item in found if hasattr(item, "shape")
    )
    if needed > MOST_EXPANSION * size:
        raise ValueError(f"its weights need {needed / 2**20:,.0f} MiB, and the file has {size / 2**20:,.1f}")
    for item in found:
        for name in item.attrs:
            item.attrs[name]
        if not isinstance(item, h5py.Dataset):
            continue
        if item.external or item.is_virtual:
            raise ValueError(f"its part {item.name!r} lies in another file")
        if not item.shape:
            item[()]
            continue
        row = max(1, math.prod(item.shape[1:]) * item.dtype.itemsize)
        step = max(1, SLAB // row)
        for begin in range(0, item.shape[0], step):
            item[begin : begin + step]


def _count(weights: Any) -> int:
    counted = 0

    def visit(name: str, item: Any) -> None:
        nonlocal counted
        if hasattr(item, "shape") and not name.startswith("optimizer"):
            counted += math.prod(item.shape or ())

    weights.visititems(visit)
    return counted


def _read_shapes(opened: Any) -> list[Any] | None:
    group: Any = opened.get("model_weights", opened)
    if "layer_names" not in group.attrs:
        return None
    layers = [(_text(name), group[_text(name)]) for name in group.attrs["layer_names"]]
    shapes = [
        (name, [list(layer[_text(weight)].shape) for weight in layer.attrs["weight_names"]])
        for name, layer in layers
    ]
    return [(name, weights) for name, weights in shapes if weights]


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)

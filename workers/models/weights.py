"""Which layer of a model a weights file does not fit, and whether all of a model was read."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from storage.files.hdf5 import Shapes, inspect_weights
from storage.wording import say_count

if TYPE_CHECKING:
    import keras


SKIPPED = "Skipping nested container"
"""With these words Keras warns that layers inside a list or dict of lists keep the random weights that they were built with."""

UNFIT = re.compile(
    r"A total of (\d+) objects could not be loaded\. Example error message for object <\w+ name=([^,>]+)"
)
"""How Keras begins to say which parts of a model it could not load."""


@contextmanager
def read_whole() -> Iterator[None]:
    """Let Keras read weights without its warnings, and refuse a file that lacks the weights of a part of the model.

    Raises:
        ValueError: in words of ours where Keras lists objects, and of a part of which it only warns.
    """
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            yield
    except ValueError as error:
        if found := UNFIT.match(str(error)):
            raise ValueError(
                f"it has no weights that fit {say_count(int(found[1]), 'layer')} of the model, {found[2]!r} among them."
            ) from error
        raise
    if any(SKIPPED in str(one.message) for one in said):
        raise ValueError("it has no weights for some layers of the model.")


def describe_misfit(model: keras.Model, path: Path) -> str:
    """Say which layer does not fit, as the end of a sentence; empty when the file is of another kind or all fit.

    `.h5` files of Keras 1 and 2, and whole models of Keras 3 in that form, hold their layers in order; Keras matches
    them by that order, whatever they are called.

    Args:
        model: what the weights are for.
        path: an HDF5 file.
    """
    stored = _read_shapes(path)
    if stored is None:
        return ""
    wanted: Shapes = [
        (layer.name, [tuple(weight.shape) for weight in layer.weights])
        for layer in model.layers
        if layer.weights
    ]
    for (name, shapes), (stored_name, stored_shapes) in zip(wanted, stored, strict=False):
        if shapes != stored_shapes:
            return (
                f"layer {name!r} has {_show(shapes)}, the file's {stored_name!r} has {_show(stored_shapes)}"
            )
    if len(stored) > len(wanted):
        return f"the file goes on with layer {stored[len(wanted)][0]!r}, which the model does not have"
    if len(stored) < len(wanted):
        return f"the file ends before layer {wanted[len(stored)][0]!r}"
    return ""


def _read_shapes(path: Path) -> Shapes | None:
    """The layers with weights in an `.h5` file, in order, and the shapes in each; None for files of another form."""
    try:
        return inspect_weights(path).shapes
    # A file that is no HDF5, or is cut off, is reported by whoever loads it.
    except (OSError, ValueError):
        return None


def _show(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(" x ".join(map(str, shape)) or "a number" for shape in shapes) or "no weights"

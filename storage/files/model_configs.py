"""What the configuration in a model file says: its layers, its input, and whether Keras would run code from it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

LARGEST_WIDTH = 1_000_000
"""Units, filters or words of a layer, and numbers in an image's side: more is no network, but a way to exhaust memory."""
WIDTHS = frozenset(
    {"units", "filters", "input_dim", "output_dim", "depth_multiplier", "kernel_size", "pool_size", "size", "padding",
     "max_tokens", "num_tokens", "target_shape", "batch_shape", "batch_input_shape", "key_dim", "value_dim", "num_heads"}
)  # fmt: skip
LARGEST_INPUT = 500_000_000

KERAS = frozenset({"keras", "tf_keras"})
DANGEROUS = frozenset(
    {"utils", "saving", "config", "datasets", "callbacks", "export", "visualization", "distribution"}
)
"""Rooms of Keras that hold no part of a network, but functions that fetch, read or write files."""
FILES = frozenset({"vocabulary", "filepath", "cache_dir", "origin"})
"""Settings that name a file to read, where they are texts."""


def walk(config: Any, depth: int = 0) -> Iterator[tuple[str, str, int]]:
    """Name, kind and depth of each layer, in the order of the file; the depth counts the models around it."""
    for layer in _layers(config):
        settings = layer.get("config")
        settings = settings if isinstance(settings, dict) else {}
        name = layer.get("name") or settings.get("name") or ""
        yield str(name)[:200], str(layer.get("class_name", ""))[:200], depth
        if "layers" in settings:
            yield from walk(layer, depth + 1)


def find_input_shape(config: Any) -> tuple[int | None, ...] | None:
    """The shape of one image, as far as it is fixed; None where the file does not say."""
    for layer in _layers(config):
        settings = layer.get("config")
        settings = settings if isinstance(settings, dict) else {}
        shape = settings.get("batch_shape") or settings.get("batch_input_shape")
        if isinstance(shape, list) and all(part is None or isinstance(part, int) for part in shape):
            return tuple(shape[1:])
        if "layers" in settings:
            return find_input_shape(layer)
    return None


def find_code(part: Any) -> str:
    """Why Keras would run code from the file, or read other files; empty when it would not.

    The whole configuration is looked at: a Lambda may hide in a wrapper or a nested model.
    """
    if isinstance(part, dict):
        kind, module = part.get("class_name"), part.get("module")
        if kind in ("Lambda", "__lambda__", "function") and isinstance(part.get("config"), dict | str):
            place = part.get("config")
            name = place.get("name") if isinstance(place, dict) else ""
            return f"it holds a {kind} {str(name or '')[:200]}".rstrip()
        if isinstance(module, str) and not _is_of_keras(module):
            return f"it names {module[:200]}.{str(kind)[:200]}, which is not part of Keras's networks"
        for key, value in part.items():
            if key in FILES and isinstance(value, str):
                return f"its setting {key!r} names a file of this machine"
            if found := find_code(value):
                return found
        return ""
    if isinstance(part, list):
        return next((found for value in part if (found := find_code(value))), "")
    return ""


def check_size(part: Any) -> None:
    """Make sure that no layer is larger than any network's.

    Raises:
        ValueError: names the setting.
    """
    if isinstance(part, dict):
        for key, value in part.items():
            if key in WIDTHS:
                numbers = _numbers(value)
                if any(abs(number) > LARGEST_WIDTH for number in numbers) or (
                    "shape" in key and math.prod(numbers) > LARGEST_INPUT
                ):
                    raise ValueError(f"a layer in it has {key} = {str(value)[:60]}, which no memory holds")
            check_size(value)
    elif isinstance(part, list):
        for value in part:
            check_size(value)


def _layers(config: Any) -> list[dict[str, Any]]:
    inner = config.get("config") if isinstance(config, dict) else None
    layers = inner.get("layers") if isinstance(inner, dict) else None
    return [layer for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []


def _numbers(value: Any) -> list[int | float]:
    if isinstance(value, list):
        return [number for one in value for number in _numbers(one)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def _is_of_keras(module: str) -> bool:
    """Whether a module is one of Keras's, by its whole name: `keras_evil` begins like one, too."""
    parts = module.split(".")
    if parts == ["builtins"]:
        return True
    if parts[:2] == ["tensorflow", "keras"]:
        parts = parts[1:]
    return parts[0] in KERAS and not DANGEROUS & set(parts)

"""What helpers of an audit do: look at pictures, and compare two of them; bytes in and out, as `storage.own_processes` hands them on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.audit.copies.candidates import Candidate
from orchestrator.audit.copies.near_duplicates import compare_pair
from orchestrator.audit.copies.registration import Agreement
from orchestrator.audit.copies.sketches import READ_SIDE, Sketch, sketch
from orchestrator.audit.trivial_pixels import describe_pixels
from storage.data.grey import Scale
from storage.data.images import read_grey, read_header
from storage.own_processes import Helpers, pack, unpack

Seen = tuple[Sketch, NDArray[np.float32], tuple[str, ...]]
"""Sketch, trivial numbers, and width, height, both of them, mode and format of a file."""


def look_at(files: Sequence[Path], scale: Scale, *, helpers: int) -> Iterator[Seen]:
    """Yield what is seen in each file, in order.

    Raises:
        DataError: an image is missing or cannot be read.
    """
    with Helpers(make_looker, scale.to_document(), count=helpers) as many:
        for answer in many.map(os.fsencode(file.absolute()) for file in files):
            form, arrays = unpack(answer)
            yield Sketch.from_arrays(arrays), arrays["numbers"], tuple(form)


def make_looker(rule: Any) -> Callable[[bytes], bytes]:
    """What looks at a file, by its name."""
    scale = Scale.from_document(rule)

    def look(name: bytes) -> bytes:
        path = Path(os.fsdecode(name))
        grey = read_grey(path, READ_SIDE, scale)
        width, height, mode, kind = read_header(path)
        form = (str(width), str(height), f"{width}x{height}", mode, kind)
        return pack(form, numbers=describe_pixels(grey), **sketch(grey).to_arrays())

    return look


def compare_apart(
    helpers: Helpers, sketches: Sequence[Sketch], files: Sequence[Path], some: Sequence[Candidate]
) -> Iterator[Agreement]:
    """Yield how well some candidates agree, in order; the helpers are those of `make_comparer`.

    Raises:
        DataError: an image is missing or cannot be read.
    """

    def request(one: Candidate) -> bytes:
        names = [str(files[place].absolute()) for place in (one.first, one.second)]
        first, second = sketches[one.first].to_arrays("first "), sketches[one.second].to_arrays("second ")
        return pack([one.flip, names], ours=one.ours, theirs=one.theirs, **first, **second)

    for answer in helpers.map(map(request, some)):
        yield Agreement(**unpack(answer)[0])


def make_comparer(rule: Any) -> Callable[[bytes], bytes]:
    """What compares two pictures by their sketches, and by their files where these agree."""
    scale = Scale.from_document(rule)

    def compare(request: bytes) -> bytes:
        (flip, names), arrays = unpack(request)
        first, second = (partial(_read, Path(name), scale) for name in names)
        agreement = compare_pair(
            Sketch.from_arrays(arrays, "first "),
            Sketch.from_arrays(arrays, "second "),
            Candidate(0, 1, flip, arrays["ours"], arrays["theirs"]),
            (first, second),
        )
        return pack(
            {
                name: value.item() if hasattr(value, "item") else value
                for name, value in asdict(agreement).items()
            }
        )

    return compare


def _read(path: Path, scale: Scale, most: int) -> NDArray[np.uint8]:
    return read_grey(path, most, scale)

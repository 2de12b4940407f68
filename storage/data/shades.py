"""From the stored values of a DICOM file to shades of 0 to 1, as PS3.3 C.11.1 and C.11.2 define them.

Modality transform (table, or slope and intercept), then values of interest (table, or window), each the first where there
are several; without either the range of the picture, padding left out. Decoding and rescaling are pydicom's. Tables are
applied here, by what they hold: their descriptors often say 16 bits where 12 are used, or 8 where there are more rows than
8 bits can count. A tag that is empty or cannot be a number is taken as absent, and said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from storage.data.grey import Extent, measure

if TYPE_CHECKING:
    from pydicom.dataset import Dataset as Tags

NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@dataclass
class Shades:
    """A picture and how it came about.

    Attributes:
        values: float64 in [0, 1], shape (height, width), before MONOCHROME1 is inverted.
        rule: "table", "window" or "own range".
        extent: the range that was taken, for "own range".
        notes: what was set aside, in words.
    """

    values: NDArray[np.float64]
    rule: str
    extent: Extent | None = None
    notes: list[str] = field(default_factory=list)


def shade(file: Tags) -> Shades:
    """Shades of a grey file of one frame, before MONOCHROME1 is inverted.

    Raises:
        Exception: whatever pydicom raises where the pixels cannot be decoded.
    """
    notes: list[str] = []
    stored = _decode(file)
    values = _apply_modality(stored, file, notes)
    table = _read_table(file, "VOILUTSequence", notes)
    if table is not None:
        first, entries, bits = table
        return Shades(_look_up(values, first, entries) / (2**bits - 1), "table", None, notes)
    values = values.astype(np.float64)
    centre, width = (read_numbers(file, name, notes) for name in ("WindowCenter", "WindowWidth"))
    function = str(_get(file, "VOILUTFunction") or "LINEAR").strip().upper()
    if function not in FUNCTIONS:
        notes.append(f"VOI LUT Function {function} is none of the standard")
        function = "LINEAR"
    picture = values[~_find_padding(stored, file, notes)]
    picture = picture if picture.size else values.ravel()
    extent = measure(picture)
    if centre and width:
        if min(len(centre), len(width)) > 1:
            notes.append("several windows, the first was taken")
        if width[0] > 0 and not (function == "LINEAR" and width[0] < 1):
            seen = apply_window(values, centre[0], width[0], function)
            ends = apply_window(np.array([extent.lowest, extent.highest]), centre[0], width[0], function)
            if extent.lowest == extent.highest or abs(ends[1] - ends[0]) > 1 / 512:
                return Shades(seen, "window", None, notes)
            notes.append("the window shows nothing of the picture")
        else:
            notes.append(f"Window Width {width[0]:g} is not allowed")
    low, high = extent.lowest, extent.highest
    whole = np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)
    return Shades(whole, "own range", extent, notes)


def apply_window(
    values: NDArray[np.float64], centre: float, width: float, function: str = "LINEAR"
) -> NDArray[np.float64]:
    """Shades in [0, 1] of values seen through a window, by the functions of PS3.3 C.11.2.1.2 and C.11.2.1.3.

    Raises:
        ValueError: no such function, or a width that it does not allow.
    """
    if function == "SIGMOID" and width > 0:
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    if function == "LINEAR_EXACT" and width > 0:
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if function == "LINEAR" and width > 1:
        return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
    if function == "LINEAR" and width == 1:
        return (values > centre - 0.5).astype(np.float64)
    raise ValueError(f"a window of width {width:g} and function {function} is not allowed")


def read_numbers(file: Tags, name: str, notes: list[str] | None = None) -> list[float]:
    """The numbers of a tag; empty where it is absent, empty or no number. A decimal comma is read as a point."""
    value = _get(file, name)
    if value is None:
        return []
    parts = (
        value
        if isinstance(value, Sequence) and not isinstance(value, str | bytes)
        else str(value).split("\\")
    )
    numbers = []
    for part in parts:
        text = str(part).strip().strip("\0").strip()
        if not NUMBER.fullmatch(text) or not np.isfinite(float(text.replace(",", "."))):
            if text and notes is not None:
                notes.append(f"{name} {text[:16]!r} is no number")
            return []
        numbers.append(float(text.replace(",", ".")))
    return numbers


def _get(file: Tags, name: str) -> Any:
    """A tag's value; its raw text where pydicom cannot make a value of it; None where it is absent or empty."""
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(name)
    assert tag is not None
    if tag not in file:
        return None
    raw = file.get_item(tag)
    try:
        value = file[tag].value
    # pydicom converts on the first look, and what it raises for text that is no number differs by tag.
    except Exception:
        held = getattr(raw, "value", None)
        value = held.decode("ascii", "replace") if isinstance(held, bytes) else held
    return None if value is None or (isinstance(value, str | bytes) and not value.strip()) else value


def _decode(file: Tags) -> NDArray[Any]:
    """Stored values. Where they lie in the upper bits of a word, pydicom is asked for all bits up to them."""
    allocated, bits, high = (
        int((read_numbers(file, name) or [0])[0]) for name in ("BitsAllocated", "BitsStored", "HighBit")
    )
    if not 0 < bits <= allocated:
        bits = high + 1 if 0 < high < allocated else allocated
        file.BitsStored = bits
    shift = high + 1 - bits
    if shift <= 0 or high >= allocated or "PixelData" not in file:
        return np.asarray(file.pixel_array)
    file.BitsStored = high + 1
    return np.asarray(file.pixel_array) >> shift


def _apply_modality(stored: NDArray[Any], file: Tags, notes: list[str]) -> NDArray[Any]:
    from pydicom.dataset import Dataset
    from pydicom.pixels import apply_rescale

    table = _read_table(file, "ModalityLUTSequence", notes)
    if table is not None:
        return _look_up(stored, *table[:2])
    slope, intercept = (read_numbers(file, name, notes) for name in ("RescaleSlope", "RescaleIntercept"))
    if slope and slope[0] == 0:
        notes.append("Rescale Slope is 0")
        slope = []
    if not slope and not intercept:
        return stored
    tags = Dataset()
    tags.RescaleSlope, tags.RescaleIntercept = (slope or [1.0])[0], (intercept or [0.0])[0]
    return np.asarray(apply_rescale(stored, tags))


def _read_table(file: Tags, name: str, notes: list[str]) -> tuple[int, NDArray[np.int64], int] | None:
    """The first value that a look-up table maps, its entries, and their bits; None where there is none that can be used.

    The bits are those declared, unless the entries use more, or fewer by two or more: then they are those used.
    """
    sequence = _get(file, name)
    if not isinstance(sequence, Sequence) or not len(sequence):
        return None
    item = sequence[0]
    described, data = read_numbers(item, "LUTDescriptor"), _get(item, "LUTData")
    if len(described) < 3 or data is None:
        notes.append(f"the table of {name} is incomplete")
        return None
    if len(sequence) > 1:
        notes.append("several tables, the first was taken")
    count = int(described[0]) & 0xFFFF or 65536
    if isinstance(data, bytes):
        # One byte an entry where there are no more bytes than entries (and one to make them even), whatever is declared.
        packed = len(data) <= count + count % 2
        order = "<" if _is_little_endian(file) else ">"
        entries = np.frombuffer(data, np.uint8 if packed else f"{order}u2", len(data) // (1 if packed else 2))
    else:
        entries = np.atleast_1d(np.asarray(data))
    entries = entries.astype(np.int64)[:count] & 0xFFFF
    if not entries.size or entries.min() == entries.max():
        notes.append(f"the table of {name} is empty or all one value")
        return None
    if len(entries) < count / 2:
        notes.append(f"the table of {name} is cut off")
        return None
    if len(entries) < count:
        notes.append(f"the table of {name} has {len(entries)} entries of {count}")
    used, declared = int(entries.max()).bit_length(), int(described[2])
    return int(described[1]), entries, declared if 0 <= declared - used <= 1 else used


def _look_up(values: NDArray[Any], first: int, entries: NDArray[np.int64]) -> NDArray[np.int64]:
    """Entries by value; what lies outside takes the first or the last."""
    whole = np.rint(values).astype(np.int64)
    if first > 32767 and whole.max() < first:
        first -= 65536  # A negative number written as an unsigned one.
    elif first < 0 and whole.min() >= 0 and whole.max() >= first + 65536:
        first += 65536
    return entries[np.clip(whole - first, 0, len(entries) - 1)]


def _find_padding(stored: NDArray[Any], file: Tags, notes: list[str]) -> NDArray[np.bool_]:
    """Which stored values are padding (PS3.3 C.7.5.1.1.2): one value, or all from it to the range limit."""
    ends = [
        numbers[0]
        for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")
        if (numbers := _read_stored(file, name, stored.dtype, notes))
    ]
    if not ends or "PixelPaddingValue" not in file:
        return np.zeros(stored.shape, np.bool_)
    padding = (stored >= min(ends)) & (stored <= max(ends))
    return np.zeros_like(padding) if padding.all() else padding


def _read_stored(file: Tags, name: str, dtype: np.dtype[Any], notes: list[str]) -> list[float]:
    """A stored value from a tag whose text may have the other sign: the same bits are the same value."""
    value = _get(file, name)
    if isinstance(value, bytes):
        value = int.from_bytes(value[:2], "little" if _is_little_endian(file) else "big")
    numbers = [float(value)] if isinstance(value, int) else read_numbers(file, name, notes)
    size = 2 ** (8 * dtype.itemsize)
    if numbers and dtype.kind == "i" and numbers[0] >= size // 2:
        bits = 16 if numbers[0] < 2**16 else 8 * dtype.itemsize
        numbers = [numbers[0] - 2**bits]
    if numbers and dtype.kind == "u" and numbers[0] < 0:
        numbers = [numbers[0] + size]
    return numbers


def _is_little_endian(file: Tags) -> bool:
    meta = getattr(file, "file_meta", None)
    syntax = getattr(meta, "TransferSyntaxUID", None)
    return bool(getattr(syntax, "is_little_endian", True))

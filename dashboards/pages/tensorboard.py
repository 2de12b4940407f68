"""Training curves as TensorBoard's event files, written without TensorFlow.

A file is a sequence of records: length (uint64), its checksum, the data, its checksum; checksums are CRC-32C, masked as
TensorFlow's record_writer.h has it. The data is an `Event` of event.proto; the five fields that a curve needs are encoded here.
"""

from __future__ import annotations

import math
import os
import struct
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path

from storage.results.ledger import FoldEpoch
from storage.studies.point_records import PointRecord

_KEYS = ("point", "fold", "epoch")
_MASK = 0xA282EAD8
_REVERSED_POLYNOMIAL = 0x82F63B78

Scalars = Iterable[tuple[int, str, float]]
"""(step, tag, value)"""


def write_curves(
    points: Sequence[PointRecord], curves: Sequence[FoldEpoch], folder: Path, *, wall_time: float
) -> int:
    """Write one run per point and fold, such as `point-0057/fold-1`, and one of their means, `point-0057/mean`.

    Args:
        points: which points to write.
        curves: their fold-epochs.
        folder: made where it is missing; give it to `tensorboard --logdir`.
        wall_time: the time that events carry where their point has none, in seconds since 1970.

    Returns:
        How many files were written.
    """
    by_point: dict[int, list[FoldEpoch]] = defaultdict(list)
    for row in curves:
        by_point[row.point].append(row)
    written = 0
    for point in points:
        rows = by_point.get(point.point, [])
        time = point.finished_at or point.claimed_at or wall_time
        runs = {
            f"fold-{fold + 1}": [row for row in rows if row.fold == fold]
            for fold in {row.fold for row in rows}
        }
        place = folder / f"point-{point.point:04d}"
        for name, lines in runs.items():
            _write_file(place / name, _scalars(lines), time)
        if rows:
            _write_file(place / "mean", _means(rows), time)
            written += len(runs) + 1
    return written


def encode_record(data: bytes) -> bytes:
    """Frame one record with its length and checksums."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", mask_checksum(length)) + data + struct.pack("<I", mask_checksum(data))


def mask_checksum(data: bytes) -> int:
    """CRC-32C, rotated and shifted, so that a checksum within the data is not mistaken for one."""
    checksum = crc32c(data)
    return (((checksum >> 15) | (checksum << 17)) + _MASK) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """The Castagnoli checksum (RFC 3720)."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def _make_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ _REVERSED_POLYNOMIAL if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_TABLE = _make_table()


def _scalars(rows: Iterable[FoldEpoch]) -> Scalars:
    names = [field.name for field in fields(FoldEpoch) if field.name not in _KEYS]
    for row in rows:
        for name in names:
            value = float(getattr(row, name))
            if math.isfinite(value):
                yield row.epoch, name, value


def _means(rows: Sequence[FoldEpoch]) -> Scalars:
    values: dict[tuple[int, str], list[float]] = defaultdict(list)
    for epoch, name, value in _scalars(rows):
        values[epoch, name].append(value)
    for (epoch, name), known in sorted(values.items()):
        yield epoch, name, sum(known) / len(known)


def _write_file(folder: Path, scalars: Scalars, time: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # TensorBoard knows event files by this part of their name; written again, the same file is replaced.
    path = folder / "events.out.tfevents.0.orch"
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(encode_record(_double(1, time) + _text(3, "brain.Event:2")))
            for step, tag, value in scalars:
                summary = _message(1, _text(1, tag) + _float(2, value))
                file.write(encode_record(_double(1, time) + _varint(2, step) + _message(5, summary)))
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _number(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _varint(field: int, value: int) -> bytes:
    return _number(field << 3) + _number(value)


def _double(field: int, value: float) -> bytes:
    return _number(field << 3 | 1) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    return _number(field << 3 | 5) + struct.pack("<f", value)


def _message(field: int, data: bytes) -> bytes:
    return _number(field << 3 | 2) + _number(len(data)) + data


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())

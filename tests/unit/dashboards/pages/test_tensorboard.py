"""Event files that TensorFlow itself reads back."""

import struct
from pathlib import Path

import pytest

from dashboards.pages.tensorboard import crc32c, encode_record, write_curves
from storage.studies.point_records import PointRecord
from tests.studies import make_row


def make_point(number: int) -> PointRecord:
    values = dict.fromkeys(PointRecord.__dataclass_fields__)
    return PointRecord(**{**values, "point": number, "finished_at": 1_700_000_000.5})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "checksum"),
    # RFC 3720, B.4, and the check value of the catalogue of CRC algorithms.
    [
        (b"\x00" * 32, 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"123456789", 0xE3069283),
    ],
)
def test_checksums_are_those_of_the_standard(data: bytes, checksum: int) -> None:
    assert crc32c(data) == checksum


def test_a_record_is_framed() -> None:
    record = encode_record(b"abc")
    assert struct.unpack("<Q", record[:8]) == (3,)
    assert record[12:15] == b"abc"
    assert len(record) == 8 + 4 + 3 + 4


@pytest.mark.slow
def test_tensorflow_reads_what_was_written(tmp_path: Path) -> None:
    import tensorflow as tf

    rows = [
        make_row(7, fold, epoch, 0.5 + fold / 10 + epoch / 100) for fold in range(2) for epoch in (1, 2, 300)
    ]
    rows[0] = make_row(7, 0, 1, float("nan"))
    assert write_curves([make_point(7), make_point(8)], rows, tmp_path, wall_time=0) == 3
    assert sorted(path.name for path in (tmp_path / "point-0007").iterdir()) == ["fold-1", "fold-2", "mean"]
    (file,) = (tmp_path / "point-0007" / "mean").iterdir()
    events = list(tf.compat.v1.train.summary_iterator(str(file)))
    assert events[0].file_version == "brain.Event:2"
    read = {
        (event.step, value.tag): value.simple_value for event in events[1:] for value in event.summary.value
    }
    assert read[1, "val_auc"] == pytest.approx(0.61)
    assert read[300, "val_auc"] == pytest.approx(0.55 + 3)
    assert events[1].wall_time == 1_700_000_000.5
    assert {tag for _, tag in read} >= {"train_loss", "val_loss", "learning_rate", "steps"}

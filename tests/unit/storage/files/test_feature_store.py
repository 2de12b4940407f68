"""The store of features: whole or absent, found when damaged, resumed when stopped."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest

from storage.errors import FeaturesError
from storage.files import checked_rows, feature_writer, features

KEY = features.FeatureKey(
    fingerprint="sha256:1",
    backbone="InceptionV3",
    weights="random, seed 0",
    image_size=(75, 75),
    resize="bilinear",
    preprocessing="inception_v3",
    pooling="max",
    views=("identity", "horizontal"),
    precision="float32",
    batch=4,
    versions=(("keras", "3"),),
)
SHAPE = (5, 2, 3)
ROWS = np.arange(30, dtype=np.float32).reshape(10, 3)


def write(cache: Path, rows: np.ndarray = ROWS) -> None:
    with feature_writer.FeatureWriter(cache, KEY, SHAPE) as writer:
        for start in range(writer.done, len(rows), KEY.batch):
            writer.append(rows[start : start + KEY.batch])
        writer.finish()


def test_what_is_written_is_read_back(tmp_path) -> None:
    assert features.open_features(tmp_path, KEY) is None
    write(tmp_path)
    stored = features.open_features(tmp_path, KEY)
    assert stored.values.shape == SHAPE
    assert stored.values.dtype == np.float32
    assert np.array_equal(stored.values.reshape(10, 3), ROWS)
    assert stored.digest == KEY.digest
    assert stored.sample() == ROWS.reshape(-1).tolist()
    assert not list(tmp_path.glob("features/*.partial"))


def test_a_sample_is_small_and_from_fixed_places(tmp_path) -> None:
    values = np.arange(10_000, dtype=np.float32).reshape(10, 10, 100)
    sample = features.Features(values, "digest", tmp_path).sample()
    assert len(sample) == 64
    assert sample == features.Features(values.copy(), "digest", tmp_path).sample()
    assert sample[-1] == 9_999


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(features.FeatureKey)])
def test_every_part_of_the_key_changes_the_digest(field) -> None:
    other = {"image_size": (76, 75), "views": ("identity",), "batch": 5, "versions": (("keras", "4"),)}
    changed = dataclasses.replace(KEY, **{field: other.get(field, "other")})
    assert changed.digest != KEY.digest
    assert dataclasses.replace(KEY).digest == KEY.digest


@pytest.mark.parametrize(
    "damage", ["byte", "short", "missing", "meta", "meta without size", "meta of another kind"]
)
def test_a_damaged_folder_is_named_and_made_again(tmp_path, damage, caplog) -> None:
    write(tmp_path)
    folder = tmp_path / "features" / KEY.digest
    values, meta = folder / "values.npy", folder / "meta.json"
    if damage == "byte":
        content = bytearray(values.read_bytes())
        content[-1] ^= 1
        values.write_bytes(content)
    elif damage == "short":
        os.truncate(values, values.stat().st_size - 4)
    elif damage == "missing":
        values.unlink()
    elif damage == "meta":
        meta.write_text("{")
    elif damage == "meta without size":
        meta.write_text(json.dumps({"sha256": "0"}))
    else:
        meta.write_text("[]")
    assert features.open_features(tmp_path, KEY) is None
    assert str(folder) in caplog.text
    assert "are damaged and are extracted again" in caplog.text
    write(tmp_path)
    assert np.array_equal(features.open_features(tmp_path, KEY).values.reshape(10, 3), ROWS)
    assert sorted(path.name for path in folder.parent.iterdir()) == [KEY.digest]


@pytest.mark.parametrize("name", ["values.npy", "meta.json"])
def test_whatever_byte_is_damaged_the_folder_counts_as_none(tmp_path, name) -> None:
    write(tmp_path)
    path = tmp_path / "features" / KEY.digest / name
    content = path.read_bytes()
    for place in range(min(len(content), 4096)):
        for bits in (1 << place % 8, 0xFF):
            damaged = bytearray(content)
            damaged[place] ^= bits
            path.write_bytes(damaged)
            assert features.open_features(tmp_path, KEY) is None, (place, bits)
    path.write_bytes(b"")
    assert features.open_features(tmp_path, KEY) is None


@pytest.mark.parametrize("sums", ["kept", "damaged", "lost"])
def test_a_row_damaged_while_an_extraction_was_stopped_is_extracted_again(tmp_path, sums) -> None:
    with feature_writer.FeatureWriter(tmp_path, KEY, SHAPE) as writer:
        writer.append(ROWS[:8])
    partial = tmp_path / "features" / f"{KEY.digest}.partial"
    content = bytearray((partial / "values.npy").read_bytes())
    content[-3 * 4 * 3] ^= 1  # in row 5 of 8, of 3 numbers of 4 bytes
    if sums == "kept":
        (partial / "values.npy").write_bytes(content)
    elif sums == "damaged":
        (partial / "sums").write_bytes((partial / "sums").read_bytes()[:23])
    else:
        (partial / "sums").unlink()
    with feature_writer.FeatureWriter(tmp_path, KEY, SHAPE) as writer:
        assert writer.done == (0 if sums == "lost" else 4)
    write(tmp_path)
    assert np.array_equal(features.open_features(tmp_path, KEY).values.reshape(10, 3), ROWS)


def test_features_damaged_while_they_are_used_are_refused_and_put_aside(tmp_path, monkeypatch) -> None:
    write(tmp_path)
    monkeypatch.setattr(checked_rows, "RECHECK_SECONDS", -1.0)
    stored = features.open_features(tmp_path, KEY)
    assert np.array_equal(stored.values[np.array([3, 1])].reshape(4, 3), ROWS[[6, 7, 2, 3]])
    path = tmp_path / "features" / KEY.digest / "values.npy"
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\xff")
    assert np.array_equal(stored.values[0], ROWS[:2])
    with pytest.raises(FeaturesError, match="damaged while it was in use"):
        np.reshape(stored.values, (-1, 3))
    assert features.open_features(tmp_path, KEY) is None
    assert not list((tmp_path / "features").iterdir())


def test_a_stopped_extraction_goes_on_at_a_whole_batch(tmp_path) -> None:
    with feature_writer.FeatureWriter(tmp_path, KEY, SHAPE) as writer:
        writer.append(ROWS[:4])
    assert features.open_features(tmp_path, KEY) is None
    partial = tmp_path / "features" / f"{KEY.digest}.partial" / "values.npy"
    with partial.open("ab") as file:
        file.write(ROWS[4].tobytes() + b"torn")
    with feature_writer.FeatureWriter(tmp_path, KEY, SHAPE) as writer:
        assert writer.done == 4
    write(tmp_path)
    assert np.array_equal(features.open_features(tmp_path, KEY).values.reshape(10, 3), ROWS)


def test_a_partial_file_without_a_whole_header_begins_anew(tmp_path) -> None:
    partial = tmp_path / "features" / f"{KEY.digest}.partial"
    partial.mkdir(parents=True)
    (partial / "values.npy").write_bytes(b"\x93NUMPY\x01")
    write(tmp_path)
    assert np.array_equal(features.open_features(tmp_path, KEY).values.reshape(10, 3), ROWS)


def test_unfinished_features_are_never_named_finished(tmp_path) -> None:
    with feature_writer.FeatureWriter(tmp_path, KEY, SHAPE) as writer:
        writer.append(ROWS[:4])
        with pytest.raises(FeaturesError, match="4 of 10 rows"):
            writer.finish()
    assert features.open_features(tmp_path, KEY) is None


def test_a_full_disk_is_one_clear_error_and_what_was_written_stays(tmp_path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with feature_writer.FeatureWriter(tmp_path, KEY, SHAPE) as writer:
            writer.append(ROWS[:4])
            size = next(tmp_path.glob("features/*.partial/values.npy")).stat().st_size
            # A limit on the size of files cuts a write short just as a full disk does.
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, hard))
            with pytest.raises(FeaturesError, match="Features cannot be written"):
                writer.append(ROWS[4:8])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert next(tmp_path.glob("features/*.partial/values.npy")).stat().st_size == size
    assert features.open_features(tmp_path, KEY) is None
    write(tmp_path)
    assert np.array_equal(features.open_features(tmp_path, KEY).values.reshape(10, 3), ROWS)


def test_too_little_space_is_said_before_anything_is_computed(tmp_path) -> None:
    with pytest.raises(FeaturesError, match="MB are free"):
        feature_writer.FeatureWriter(tmp_path, KEY, (10**9, 2, 10**6))


def test_a_cache_that_cannot_be_made_is_one_clear_error(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(FeaturesError, match="cannot be written"),
        features.lock_extraction(tmp_path / "file", KEY, lambda: None),
    ):
        pass


def _extract_as_worker(cache: Path, barrier) -> None:
    barrier.wait()
    with features.lock_extraction(cache, KEY, lambda: None):
        if features.open_features(cache, KEY) is None:
            with (cache / "log").open("a") as file:
                file.write("extracted\n")
            write(cache)


def test_of_many_processes_one_extracts(tmp_path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    processes = [context.Process(target=_extract_as_worker, args=(tmp_path, barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert (tmp_path / "log").read_text() == "extracted\n"


def test_who_waits_is_told_once(tmp_path) -> None:
    told = []
    context = multiprocessing.get_context("fork")
    held, done = context.Event(), context.Event()

    def hold() -> None:
        with features.lock_extraction(tmp_path, KEY, lambda: None):
            held.set()
            done.wait(10)

    process = context.Process(target=hold)
    process.start()
    held.wait(10)

    def on_wait() -> None:
        told.append("waiting")
        done.set()

    with features.lock_extraction(tmp_path, KEY, on_wait):
        pass
    process.join()
    assert told == ["waiting"]

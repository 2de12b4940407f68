"""Images that processes of their own decode are those that this process reads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from storage.data.grey import Scale
from storage.data.images import read_image
from storage.errors import DataError
from storage.own_processes import AHEAD
from storage.pictures.fitting import STRETCH
from storage.pictures.views import VIEWS
from workers.inputs.decoders import count_decoders, decode_apart, keep_ready
from workers.inputs.decoding import read_image_batches

SIZE = (9, 7)
COUNT = 3 * AHEAD + 1


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    made = []
    for number in range(COUNT):
        kind = (np.uint8, np.uint16)[number % 5 == 0]
        pixels = generator.integers(0, 4000 if kind is np.uint16 else 256, (11, 13)).astype(kind)
        made.append(folder / f"ä {number}.png")
        Image.fromarray(pixels).save(made[-1])
    return made


def decode(files: list[Path], decoders: int = 2) -> Iterator[np.ndarray]:
    return decode_apart(files, SIZE, Scale((12,)), STRETCH, decoders=decoders, threads=2)


def children() -> set[int]:
    listed = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(one) for file in listed for one in file.read_text().split()}


@pytest.mark.parametrize("count", [0, 1, 5, AHEAD, 2 * AHEAD, COUNT])
def test_every_image_comes_in_order_as_this_process_reads_it(
    files: list[Path], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [read_image(file, SIZE, Scale((12,))) for file in files[:count]]
    # Else this process would read what the others cannot, and all of it if they do not start.
    monkeypatch.delattr("workers.inputs.decoders.read_image")
    found = list(decode(files[:count]))
    assert len(found) == count
    assert all(np.array_equal(one, two) for one, two in zip(found, expected, strict=True))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the children")
def test_images_of_a_killed_process_are_read_in_this_one_and_no_process_stays(files: list[Path]) -> None:
    before = children()
    decoding = decode(files)
    first = [next(decoding) for _ in range(3)]
    for process in children() - before:
        os.kill(process, signal.SIGKILL)
    found = first + list(decoding)
    assert all(
        np.array_equal(one, read_image(file, SIZE, Scale((12,))))
        for one, file in zip(found, files, strict=True)
    )
    assert children() == before


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the children")
def test_whoever_stops_early_leaves_no_process(files: list[Path]) -> None:
    before = children()
    decoding = decode(files)
    next(decoding)
    assert len(children() - before) == 2
    decoding.close()  # type: ignore[attr-defined]
    assert children() == before


def test_a_damaged_file_is_named_in_the_words_of_this_process(files: list[Path], tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(files[3].read_bytes()[:40])
    with pytest.raises(DataError) as expected:
        read_image(damaged, SIZE)
    with pytest.raises(DataError) as found:
        list(decode([*files[:3], damaged, *files[3:]]))
    assert str(found.value) == str(expected.value)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells who lives")
def test_they_leave_when_the_process_that_asked_is_killed(files: list[Path]) -> None:
    program = (
        "import sys, time; from pathlib import Path; from workers.inputs.decoders import decode_apart\n"
        f"decoding = decode_apart([Path(sys.argv[1])] * {2 * AHEAD}, {SIZE}, None, 'stretch', decoders=1, threads=1)\n"
        "next(decoding); print('begun', flush=True); time.sleep(60)"
    )
    asking = subprocess.Popen([sys.executable, "-c", program, str(files[1])], stdout=subprocess.PIPE)
    assert asking.stdout is not None
    assert asking.stdout.readline() == b"begun\n"
    (helper,) = Path(f"/proc/{asking.pid}/task/{asking.pid}/children").read_text().split()
    asking.kill()
    asking.communicate()
    ends = time.monotonic() + 20
    while Path(f"/proc/{helper}/cmdline").exists() and Path(f"/proc/{helper}/cmdline").read_bytes():
        assert time.monotonic() < ends, "it stayed"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("processors", "images", "expected"),
    [(2, 10_000, 0), (4, 10_000, 2), (6, 199, 0), (16, 200, 4), (96, 10_000, 4)],
)
def test_how_many_there_are(processors: int, images: int, expected: int) -> None:
    assert count_decoders(processors, images) == expected


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_what_is_kept_ready_comes_in_order_and_is_made_before_it_is_asked_for(count: int) -> None:
    made: list[int] = []

    def make() -> Iterator[int]:
        for number in range(count):
            made.append(number)
            yield number

    found = []
    for number in keep_ready(make()):
        ends = time.monotonic() + 10
        while len(made) < min(count, number + 2):
            assert time.monotonic() < ends, "the next one is not made meanwhile"
            time.sleep(0.001)
        found.append(number)
    assert found == list(range(count))


def test_an_error_of_what_is_kept_ready_comes_after_what_was_made_before_it() -> None:
    def make() -> Iterator[int]:
        yield 1
        raise DataError("damaged")

    ready = keep_ready(make())
    assert next(ready) == 1
    with pytest.raises(DataError, match="damaged"):
        next(ready)


def test_an_image_goes_to_a_device_once_as_bytes_whatever_the_number_of_its_views(files: list[Path]) -> None:
    chosen, views = files[:8], VIEWS
    batches = list(read_image_batches(chosen, SIZE, views, 4 * len(views)))
    sent = np.concatenate([batch.images[: batch.places.max() + 1] for batch in batches])
    assert sent.dtype == np.uint8
    assert len(sent) == len(chosen)
    assert sum(batch.count for batch in batches) == len(chosen) * len(views)
    # A row more than that lies in each batch: one that begins within an image would need it.
    assert [len(batch.images) for batch in batches] == [5, 5]

"""Reading in a process apart: whatever a file makes its reader do, this process gets a sentence."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from storage.files import apart
from storage.files.apart import TooMuchError, run_apart
from storage.files.hdf5 import inspect_weights


def test_an_answer_and_an_error_come_back() -> None:
    assert run_apart(json.loads, "[1, 2.5, null]") == [1, 2.5, None]
    with pytest.raises(ValueError, match="Expecting value: line 1"):
        run_apart(json.loads, "[")


def test_relative_paths_count_from_where_this_process_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_apart(math.gcd, 4, 6) == 2
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert run_apart(os.getcwd) == str(tmp_path / name)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (math.factorial, (10**9,), "did not end within 1 seconds of computing"),
        (time.sleep, (60,), "did not end in 1 seconds"),
        (os.abort, (), "made the library crash"),
        (os._exit, (0,), "made the library crash"),
        (bytes, (2**40,), "needs more than 350 MiB of memory"),
    ],
)
def test_a_reader_that_loops_waits_crashes_or_fills_the_memory_is_one_sentence(
    function: Any, arguments: tuple[Any, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    # A second of computing takes longer where other tests compute, too.
    monkeypatch.setattr(apart, "WAITING", 1 if function is time.sleep else 50)
    with pytest.raises(TooMuchError, match=message):
        run_apart(function, *arguments, seconds=1)
    assert time.monotonic() - began < 55
    assert run_apart(math.gcd, 12, 18) == 6, "the next request is served"


def test_two_threads_get_their_own_answers() -> None:
    found: dict[int, Any] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.__setitem__(n, run_apart(math.gcd, n, 0))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: n for n in range(8)}


def test_a_module_where_somebody_works_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fractions.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(apart, "_readers", [])
    from statistics import fmean

    assert run_apart(fmean, [1, 2]) == 1.5


def write_weights(path: Path) -> Path:
    """Weights in the older form."""
    with h5py.File(path, "w") as file:
        group = file.create_group("dense")
        file.attrs["layer_names"] = [b"dense"]
        group.attrs["weight_names"] = [b"kernel"]
        group["kernel"] = np.zeros((40, 3), np.float32)
        file["optimizer/m"] = np.zeros((40, 3), np.float32)
    return path


def test_weights_are_read_from_end_to_end(tmp_path: Path) -> None:
    found = inspect_weights(write_weights(tmp_path / "w.h5"))
    assert (found.config, found.parameters, found.shapes) == (None, 120, [("dense", [(40, 3)])])


@pytest.mark.parametrize("named", ["other.h5", "/etc/passwd"])
def test_a_file_that_names_another_file_is_refused(tmp_path: Path, named: str) -> None:
    path = write_weights(tmp_path / "w.h5")
    with h5py.File(path, "a") as file:
        file["dense/more"] = h5py.ExternalLink(named, "/")
    with pytest.raises(ValueError, match="its part 'dense/more' lies in another file"):
        inspect_weights(path)


def test_weights_outside_the_file_are_refused(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "w.h5")
    with h5py.File(path, "a") as file:
        file.create_dataset("raw", (4,), "f4", external=[(str(tmp_path / "elsewhere"), 0, 16)])
    with pytest.raises(ValueError, match="its part '/raw' lies in another file"):
        inspect_weights(path)

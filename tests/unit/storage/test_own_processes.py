"""A process that orch starts finds the same orch, and nothing else that lies in the working folder."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import storage
from storage.own_processes import Helpers, count_processors, make_command, pack, unpack


def run_without_installed_packages(program: str, folder: Path, *words: str) -> str:
    command = make_command(program, *words)
    # The interpreter behind a virtual environment has none of its packages, so that orch is not installed for it.
    bare = [sys._base_executable, "-S", *command[1:]]  # type: ignore[attr-defined]
    ended = subprocess.run(bare, cwd=folder, env={}, capture_output=True, text=True)
    return ended.stdout if ended.returncode == 0 else ended.stderr


def test_a_copy_of_the_source_that_was_never_installed_is_found(tmp_path: Path) -> None:
    said = run_without_installed_packages("import storage; print(storage.__file__)", tmp_path)
    assert said.strip() == storage.__file__


def test_a_package_of_that_name_that_a_library_installed_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage" / "__init__.py").write_text("")
    command = make_command("import storage; print(storage.__file__)")
    installed = {"PYTHONPATH": str(tmp_path)}
    bare = [sys._base_executable, "-S", *command[1:]]  # type: ignore[attr-defined]
    said = subprocess.run(
        bare, cwd=tmp_path, env=installed, capture_output=True, text=True, check=True
    ).stdout
    assert said.strip() == storage.__file__


def test_a_module_in_the_working_folder_is_not_taken_for_a_part_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "shutil.py").write_text("raise SystemExit('the module of somebody else')\n")
    (tmp_path / "storage.py").write_text("raise SystemExit('the module of somebody else')\n")
    said = run_without_installed_packages(
        "import shutil, sys, storage; print(shutil.__name__, sys.argv[1:])", tmp_path, "a b"
    )
    assert said.strip() == "shutil ['a b']"


def make_repeater(setting: tuple[int, int]) -> Callable[[bytes], bytes]:
    times, asker = setting

    def repeat(request: bytes) -> bytes:
        is_helper = os.getpid() != asker
        if request == b"killed" and is_helper:
            os.kill(os.getpid(), signal.SIGKILL)
        if request == b"wrong":
            raise ValueError("nothing can be made of this")
        return request * times if is_helper else b"computed here"

    return repeat


def test_requests_and_answers_that_no_pipe_holds_pass_each_other() -> None:
    requests = [bytes([number]) * 300_000 for number in range(60)]
    with Helpers(make_repeater, (3, os.getpid()), count=2, threads=2) as helpers:
        assert list(helpers.map(requests)) == [3 * request for request in requests]
        assert list(helpers.map([b"a"])) == [b"aaa"]
        assert list(helpers.map([])) == []


def test_no_more_helpers_are_started_than_there_are_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    begin = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *words, **more: started.append(1) or begin(*words, **more)
    )
    with Helpers(make_repeater, (2, os.getpid()), count=16) as helpers:
        assert list(helpers.map([])) == []
        assert len(started) == 0
        assert list(helpers.map([b"a", b"b"])) == [b"aa", b"bb"]
        assert len(started) == 2
        assert list(helpers.map([b"c", b"d", b"e"])) == [b"cc", b"dd", b"ee"]
        assert len(started) == 3


def test_what_a_killed_helper_owes_is_computed_here() -> None:
    requests = [b"a", b"b", b"killed", b"c", b"d", b"e"]
    with Helpers(make_repeater, (2, os.getpid()), count=2) as helpers:
        found = list(helpers.map(requests))
    # The first of the two is killed; what it was asked for before its end may still have been answered.
    assert found[1::2] == [b"bb", b"cc", b"ee"]
    assert found[0] in (b"aa", b"computed here")
    assert found[2::2] == [b"computed here"] * 2


def list_open_files() -> set[int]:
    """The numbers of the files that this process has open."""
    found = set()
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):
            os.fstat(int(name))  # not the list itself, which is closed by now
            found.add(int(name))
    return found


def test_without_a_file_left_for_a_helper_those_that_run_or_this_process_answer() -> None:
    requests, soft_and_hard = [b"a", b"b", b"c"], resource.getrlimit(resource.RLIMIT_NOFILE)
    gc.collect()  # what other tests of this process left open is closed now, not in between
    open_before = list_open_files()
    for files in (
        2,
        10,
    ):  # not even two pipes; one helper, which has two files, and takes eight while it starts
        free = [number for number in range(max(open_before) + files + 2) if number not in open_before]
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (free[files], soft_and_hard[1]))
            with Helpers(make_repeater, (2, os.getpid()), count=3) as helpers:
                found = list(helpers.map(requests))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, soft_and_hard)
        assert found == ([b"computed here"] * 3 if files == 2 else [b"aa", b"bb", b"cc"])
    assert list_open_files() == open_before, "nothing stays open"


def test_without_a_thread_left_this_one_answers() -> None:
    soft_and_hard, stack = resource.getrlimit(resource.RLIMIT_AS), threading.stack_size(2**31)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    try:
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, soft_and_hard[1]))
        with Helpers(make_repeater, (2, os.getpid()), count=0) as helpers:
            assert list(helpers.map([b"a", b"b", b"c"])) == [b"computed here"] * 3
    finally:
        resource.setrlimit(resource.RLIMIT_AS, soft_and_hard)
        threading.stack_size(stack)


def make_sleeper(seconds: float) -> Callable[[bytes], bytes]:
    def sleep(request: bytes) -> bytes:
        time.sleep(seconds)
        return request

    return sleep


def test_no_helper_outlives_the_process_that_asks_whatever_it_still_has_to_compute(tmp_path: Path) -> None:
    program = (
        "import os, signal, threading, time; from storage.own_processes import Helpers; "
        "from tests.unit.storage.test_own_processes import make_sleeper; helpers = Helpers(make_sleeper, 30, count=2); "
        "threading.Thread(target=lambda: list(helpers.map([b'a'] * 9)), daemon=True).start(); time.sleep(1); "
        "print(*(one._process.pid for one in helpers._helpers), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(storage.__file__).parent.parent
    ended = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    left = [int(word) for word in ended.stdout.split()]
    assert len(left) == 2, ended.stderr
    end = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in left) and time.monotonic() < end:
        time.sleep(0.05)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            pytest.fail("a helper stayed")


@pytest.mark.parametrize("count", [0, 1])
def test_an_error_is_the_one_that_this_process_meets(count: int) -> None:
    with (
        Helpers(make_repeater, (2, os.getpid()), count=count) as helpers,
        pytest.raises(ValueError, match="nothing can be"),
    ):
        list(helpers.map([b"a", b"wrong"]))


def test_what_is_packed_comes_back() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    facts, arrays = unpack(pack({"name": "ä\udce4", "number": 0.1}, array=array))
    assert facts == {"name": "ä\udce4", "number": 0.1}
    assert np.array_equal(arrays["array"], array)
    assert arrays["array"].dtype == np.float32


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "20000 100000"}, 1),
        ({"cpu.max": "99999999 100000"}, None),
        ({"cpu.max": "nonsense"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 1),
    ],
)
def test_a_container_has_as_many_processors_as_it_was_given_time_of(
    tmp_path: Path, files: dict[str, str], expected: int | None
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content + "\n")
    assert count_processors(tmp_path) == (expected or count_processors(tmp_path / "no such folder"))

"""Slots, exit codes, and what the supervisor does with processes that crash, drain or will not leave."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.machine.gpus import Gpu
from orchestrator.machine.processes import choose_slots
from storage.errors import UsageError
from storage.own_processes import count_processors
from storage.studies.points import MAX_LOSSES
from tests.conftest import REPOSITORY
from workers.process import supervisor
from workers.process.messages import AWAY, CRASHED, RENEWED
from workers.process.supervisor import Slot, Supervisor, sum_up


def devices(slots: Sequence[Slot]) -> list[str | None]:
    return [slot.environment.get("CUDA_VISIBLE_DEVICES") for slot in slots]


@pytest.mark.parametrize(
    ("gpus", "processes", "per_gpu", "visible", "expected"),
    [
        ("all", None, 1, [], [None]),
        ("all", None, 1, ["0", "1"], ["0", "1"]),
        ("all", None, 2, ["0", "1"], ["0", "1", "0", "1"]),
        ("all", 3, 1, ["4", "5"], ["4", "5", "4"]),
        ("all", 2, 1, [], [None, None]),
        ("none", 2, 1, ["0", "1"], ["-1", "-1"]),
        ("0,1", None, 1, ["0", "1", "2"], ["0", "1"]),
        ("1", 2, 1, ["0", "1"], ["1", "1"]),
    ],
)
def test_processes_are_dealt_over_gpus(
    gpus: str, processes: int | None, per_gpu: int, visible: list[str], expected: list[str | None]
) -> None:
    gpus_here = [Gpu(name, name) for name in visible]
    assert devices(choose_slots(gpus, processes, per_gpu, visible=gpus_here)) == expected


def test_threads_of_the_libraries_are_split_fairly() -> None:
    cores = count_processors()
    (first, *_) = choose_slots("none", 4, 1, visible=[])
    assert first.environment["OMP_NUM_THREADS"] == str(max(1, cores // 4))
    assert "OMP_NUM_THREADS" not in choose_slots("none", 1, 1, visible=[])[0].environment


def test_gpus_that_are_not_understood() -> None:
    with pytest.raises(UsageError, match="--gpus first"):
        choose_slots("first", None, 1, visible=[])


@pytest.mark.parametrize(
    ("gpus", "visible", "words"),
    [
        ("0,1", [], "there is no GPU 0 here; no GPU was found"),
        ("0,1", ["0"], "there is no GPU 1 here; this process may use 0"),
        ("0", ["4", "5"], "there is no GPU 0 here; this process may use 4, 5"),
    ],
)
def test_a_gpu_that_is_not_there_is_refused(gpus: str, visible: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        choose_slots(gpus, None, 1, visible=[Gpu(name, name) for name in visible])


@pytest.mark.parametrize(
    ("codes", "received", "code"),
    [
        ([0, 0], [], 0),
        ([0, 1], [], 1),
        ([2, 2], [], 2),
        ([0, -9], [], 1),
        ([130, 130], [2], 130),
        ([0], [15], 143),
    ],
)
def test_the_exit_code_of_several_processes(codes: list[int], received: list[int], code: int) -> None:
    assert sum_up(codes, received) == code


def test_a_poison_point_fails_before_the_machine_is_given_up() -> None:
    assert MAX_LOSSES < supervisor.CRASHES


TELL = """import json, os, sys
tell = lambda *notice: os.write({}, json.dumps(notice).encode() + b'\\n')
"""


def supervise(
    tmp_path: Path, program: str, slots: int = 1, environments: Sequence[dict[str, str]] = ()
) -> tuple[int, list[str], list[str], int]:
    """Run a supervisor over small programs; returns code, what it said, studies that ended, and starts."""
    said: list[str] = []
    settled: list[str] = []
    starts = tmp_path / "starts"

    def command(slot: Slot, notify: int, restarted: bool) -> list[str]:
        with starts.open("a") as file:
            file.write("x")
        return [sys.executable, "-S", "-c", f"{TELL.format(notify)}\n{program}"]

    watched = Supervisor(
        [
            Slot(f"slot {number}", environment)
            for number, environment in enumerate(environments or [{}] * slots)
        ],
        command,
        said.append,
        settled.append,
        first_delay=0.01,
    )
    return watched.run(), said, settled, len(starts.read_text())


def test_a_worker_that_leaves_is_left_alone(tmp_path: Path) -> None:
    program = "tell('claimed', 's'); tell('progress', 's'); tell('settled', 's'); tell('settled', 'other')"
    assert supervise(tmp_path, program, slots=2) == (0, [], ["s"], 2)
    (tmp_path / "starts").unlink()
    assert supervise(tmp_path, "sys.exit(2)") == (2, [], [], 1)


def test_a_worker_that_needs_a_new_process_gets_one_at_once_and_did_not_crash(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    program = (
        f"path = {str(mark)!r}\n"
        "lives = os.path.getsize(path) if os.path.exists(path) else 0\n"
        "open(path, 'a').write('x')\n"
        "tell('progress', 's')\n"
        f"sys.exit({RENEWED}) if lives < 12 else None"
    )
    assert supervise(tmp_path, program) == (0, [], [], 13)


def test_a_worker_that_needs_new_processes_and_finishes_nothing_is_given_up(tmp_path: Path) -> None:
    code, said, _, starts = supervise(tmp_path, f"tell('claimed', 's'); sys.exit({RENEWED})")
    assert (code, starts) == (1, supervisor.CRASHES)
    assert "needed a new process 8 times in a row without finishing a trial: giving it up" in said[0]


def test_a_worker_that_met_what_passes_is_started_again_as_often_as_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LONGEST_DELAY", 0.02)
    mark = tmp_path / "mark"
    program = (
        f"path = {str(mark)!r}\n"
        "lives = os.path.getsize(path) if os.path.exists(path) else 0\n"
        "open(path, 'a').write('x')\n"
        f"sys.exit({AWAY}) if lives < 12 else None"
    )
    code, said, _, starts = supervise(tmp_path, program)
    assert (code, starts) == (0, 13)
    assert not any("giv" in line for line in said)


def test_a_slot_that_crashes_beside_others_that_work_is_given_up_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LONGEST_DELAY", 0.02)
    program = (
        f"sick = os.environ.get('SICK')\ntell('claimed', 's')\nif sick: sys.exit({CRASHED})\n"
        "import time\nfor _ in range(200):\n"
        f"    tell('progress', 's'); time.sleep(0.02)\n"
        f"    if os.path.getsize({str(tmp_path / 'starts')!r}) > {supervisor.CRASHES}: break"
    )
    code, said, _, starts = supervise(tmp_path, program, environments=[{"SICK": "1"}, {}])
    assert (code, starts) == (1, supervisor.CRASHES + 1)
    assert (
        "slot 0 ended with exit code 70, 8 times in a row without finishing a trial: giving it up" in said[-1]
    )


def test_a_worker_that_crashes_at_once_each_time_is_given_up(tmp_path: Path) -> None:
    code, said, _, starts = supervise(tmp_path, "os.abort()")
    assert (code, starts) == (1, supervisor.EARLY_CRASHES)
    assert "SIGABRT" in said[0]
    assert "giving it up" in said[-1]
    assert "orch doctor" in said[-1]


def test_a_machine_that_kills_every_trial_is_given_up_later(tmp_path: Path) -> None:
    code, said, _, starts = supervise(tmp_path, "tell('claimed', 's'); os.abort()")
    assert (code, starts) == (1, supervisor.CRASHES)
    assert "without finishing a trial" in said[-1]


def test_a_worker_that_crashes_now_and_then_is_started_again(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    program = (
        f"path = {str(mark)!r}\n"
        "lives = os.path.getsize(path) if os.path.exists(path) else 0\n"
        "open(path, 'a').write('x')\n"
        "tell('claimed', 's'); tell('progress', 's')\n"
        "sys.exit(70) if lives < 10 else None"
    )
    code, said, _, starts = supervise(tmp_path, program)
    assert (code, starts, len(said)) == (0, 11, 10)


SUPERVISED = """
import json, sys
from workers.process.supervisor import Slot, Supervisor
program = sys.argv[1]
command = lambda slot, notify, restarted: [sys.executable, "-S", "-c", program]
watched = Supervisor([Slot("a", {}), Slot("b", {})], command, print, grace_seconds=float(sys.argv[2]))
sys.exit(watched.run())
"""
PATIENT = (
    "import os, signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit(143)))\n"
    "signal.signal(signal.SIGINT, lambda *_: sys.exit(130))\n"
    "os.write(1, b'up\\n')\n"
    "supervisor = os.getppid()\n"
    "while os.getppid() == supervisor: time.sleep(0.05)"
)


def start_supervised(program: str) -> "subprocess.Popen[str]":
    started = subprocess.Popen(
        [sys.executable, "-c", SUPERVISED, program, "1"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert started.stdout is not None
    assert [started.stdout.readline() for _ in range(2)] == ["up\n"] * 2
    return started


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_reach_every_worker_and_decide_the_exit_code(number: int, code: int) -> None:
    started = start_supervised(PATIENT)
    started.send_signal(number)
    assert started.wait(timeout=20) == code


def test_a_second_signal_ends_at_once() -> None:
    stubborn = PATIENT.replace("time.sleep(0.3), sys.exit(143)", "None").replace(
        "while os.getppid() == supervisor: time.sleep(0.05)", "time.sleep(30); time.sleep(30)"
    )
    started = start_supervised(stubborn)
    started.send_signal(signal.SIGTERM)
    time.sleep(1.2)
    assert started.poll() is None
    started.send_signal(signal.SIGTERM)
    assert started.wait(timeout=20) == 143
    # Its workers as well, whatever they make of the signal: who lives keeps the pipe open.
    assert started.stdout is not None
    assert select.select([started.stdout], [], [], 10)[0]
    assert started.stdout.read() == ""


def test_a_signal_that_comes_by_two_ways_is_one_request() -> None:
    # Slurm tells every process of a job, and the script passes on what it was told.
    started = start_supervised(
        PATIENT.replace("sys.exit(143)", "print('drained', flush=True), sys.exit(143)")
    )
    for _ in range(2):
        started.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    assert started.wait(timeout=20) == 143
    assert started.stdout is not None
    assert started.stdout.read().count("drained") == 2


def test_what_a_request_holds_comes_through_a_command_line() -> None:
    from orchestrator.machine.worker_process import Request

    request = Request(name="a b", data=("x y",), forever=True, grace=3.0)
    assert Request(**json.loads(request.to_command()[-1])) == Request(
        name="a b",
        data=["x y"],
        forever=True,
        grace=3.0,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("lives", [True, False])
def test_a_process_whose_supervisor_died_before_it_looked_ends_at_once(tmp_path: Path, lives: bool) -> None:
    from orchestrator.machine.worker_process import Request

    gone = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    gone.wait()
    request = Request(
        name="s", data=(), forever=True, grace=3.0, supervisor=os.getpid() if lives else gone.pid
    )
    environment = {**os.environ, "ORCH_STORAGE": "nonsense://", "PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run(request.to_command(), cwd=tmp_path, env=environment, capture_output=True)
    assert ended.returncode == (2 if lives else -signal.SIGTERM), ended.stderr

"""Several `orch worker` processes on one machine: start them, pass signals on, sum up how they ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

DRAIN_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_processes(
    arguments: Sequence[str], devices: Sequence[str | None], *, say: Callable[[str], None]
) -> int:
    """Run one worker process per device and wait for all of them.

    Args:
        arguments: the command line of each worker after `orch`.
        devices: for each process the GPUs it may see (as in CUDA_VISIBLE_DEVICES), or None for what this one sees.
        say: told when a process ends badly.

    Returns:
        0 when all ended well; 130 or 143 when they were told to stop; else 1.
    """
    received: list[int] = []
    children: list[subprocess.Popen[bytes]] = []
    told = threading.Event()

    def pass_on(number: int, frame: Any) -> None:
        received.append(number)
        told.set()
        _signal_all(children, number)

    previous = {number: signal.signal(number, pass_on) for number in DRAIN_SIGNALS}
    try:
        for device in devices:
            children.append(_start(arguments, device))
        if told.is_set():
            # A signal between two starts reached only the children there were.
            _signal_all(children, received[-1])
        codes = [child.wait() for child in children]
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        _signal_all(children, signal.SIGTERM)
    for place, code in enumerate(codes, start=1):
        if code < 0:
            say(f"Worker process {place} of {len(codes)} was ended by {signal.Signals(-code).name}.")
        elif code and not received:
            say(f"Worker process {place} of {len(codes)} ended with exit code {code}.")
    return sum_up(codes, received)


def sum_up(codes: Sequence[int], received: Sequence[int]) -> int:
    """Return the exit code of the whole from those of its processes and the signals that were passed on."""
    if received:
        return 128 + received[0]
    if not any(codes):
        return 0
    # A usage error is the same in every process, and is one for the whole.
    return 2 if all(code == 2 for code in codes) else 1


def choose_devices(gpus: str, processes: int | None, *, present: int) -> list[str | None]:
    """Return the GPUs that each worker process may see: one each, dealt in turn.

    Args:
        gpus: "all", "none" or numbers such as "0,1".
        processes: how many processes; None for one per named GPU.
        present: how many GPUs this machine has.

    Raises:
        UsageError: `gpus` is none of these.
    """
    from storage.errors import UsageError

    if gpus == "none":
        return ["-1"] * (processes or 1)
    if gpus == "all":
        count = processes or 1
        return [str(place % present) if present and count > 1 else None for place in range(count)]
    numbers = gpus.split(",")
    if not all(number.strip().isdigit() for number in numbers):
        raise UsageError(
            f"--gpus {gpus} is not understood.",
            next_step="Write --gpus all, --gpus none or numbers: --gpus 0,1.",
        )
    count = processes or len(numbers)
    return [numbers[place % len(numbers)].strip() for place in range(count)]


def count_gpus() -> int:
    """Return how many NVIDIA GPUs the driver lists; 0 without a driver."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def _start(arguments: Sequence[str], device: str | None) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    if device is not None:
        environment["CUDA_VISIBLE_DEVICES"] = device
    # A process group of its own: Ctrl-C must reach a worker once, from here, and not a second time from the terminal.
    return subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", *arguments], env=environment, process_group=0
    )


def _signal_all(children: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for child in children:
        if child.poll() is None:
            child.send_signal(number)

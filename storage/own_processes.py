"""How a process of orch starts others, which run the same code whatever lies in the folder where somebody works.

`Helpers` compute for it. Threads of one process wait for each other whenever they run Python: on sixteen processors, sixteen threads
decoded small radiographs, and compared pictures, hardly faster than one. What is asked and answered are bytes.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import logging
import math
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
"""The folder that this process has orch from: site-packages, or a copy of the source that was never installed."""
PROGRAM = "from storage.own_processes import serve; serve()"
FEWEST, MOST = 200, 16
AHEAD = 16
"""Requests that each helper has before the answer to the first of them is taken."""

Answer = Callable[[bytes], bytes]
Make = Callable[[Any], Answer]


def make_command(program: str, *words: str) -> list[str]:
    """The command line of a process that runs some lines of Python.

    Args:
        program: what it runs; it may import orch.
        words: what it finds in sys.argv[1:].
    """
    # Python's -P: a module in the working folder is no part of this program. It also hides a copy of the source in that folder, which
    # is therefore named; first, because libraries install packages of such names, too. Where orch is installed, the folder is there already.
    find = f"import sys; {str(ROOT)!r} in sys.path or sys.path.insert(0, {str(ROOT)!r}); "
    return [sys.executable, "-P", "-c", find + program, *words]


def count_processors(groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Processors that this process may use: those that it may run on, or fewer where its container has the time of fewer.

    Args:
        groups: where Linux says what a container was given.
    """
    count = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        count = len(os.sched_getaffinity(0))
    for name in ("cpu.max", "cpu/cpu.cfs_quota_us"):
        with contextlib.suppress(OSError, ValueError):
            quota, *period = (groups / name).read_text().split()
            period = period or (groups / name).with_name("cpu.cfs_period_us").read_text().split()
            if quota not in ("max", "-1"):
                return max(1, min(count, math.ceil(int(quota) / int(period[0]))))
    return count


def is_alive(process: int) -> bool:
    """Whether this machine has a process of that id."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def count_helpers(requests: int) -> int:
    """How many helpers so many requests of some 20 ms each are worth; 0 where starting one takes longer than it saves."""
    return min(count_processors(), MOST) if requests >= FEWEST else 0


class Helpers:
    """Processes that compute answers, in turns. Use them in a with statement, which ends them.

    Where one fails with a request, or is killed, this process computes the answer itself: nothing is lost, and what is wrong is said
    by the error that it meets.

    Args:
        make: a function of a module; makes of the setting what answers requests, and no answer of that is empty.
        setting: plain data.
        count: how many there are; none are started before they are asked. With 0, two threads of this process answer.
        threads: of each.
    """

    def __init__(self, make: Make, setting: Any, *, count: int, threads: int = 1) -> None:
        self._answer_here = make(setting)
        self._request = json.dumps([make.__module__, make.__qualname__, setting, threads])
        self._count = count
        self._helpers: list[_Helper] = []

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, *_: object) -> None:
        for helper in self._helpers:
            helper.end()

    def map(self, requests: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the answer to each request, in order; to be taken to its end before the next call.

        A helper is started for the first request that the ones before it have no turn for: a few requests start a few.
        """
        requests = iter(requests)
        asked: deque[tuple[_Helper, bytes]] = deque()
        for number, request in enumerate(requests):
            self._start(number + 1)
            if not self._helpers:
                yield from self._map_here(itertools.chain([request], requests))
                return
            helper = self._helpers[number % len(self._helpers)]
            helper.ask(request)
            asked.append((helper, request))
            if len(asked) >= AHEAD * self._count:
                yield self._take(*asked.popleft())
        while asked:
            yield self._take(*asked.popleft())

    def _map_here(self, requests: Iterable[bytes]) -> Iterator[bytes]:
        with ThreadPoolExecutor(max_workers=2) as pool:
            both_run = threading.Event()
            try:
                for _ in range(2):
                    pool.submit(both_run.wait)
            except RuntimeError:
                log.debug("No further thread can be started.", exc_info=True)
                yield from map(self._answer_here, requests)
                return
            finally:
                both_run.set()
            yield from pool.map(self._answer_here, requests)

    def _start(self, wanted: int) -> None:
        try:
            while len(self._helpers) < min(wanted, self._count):
                self._helpers.append(_Helper(self._request))
        except OSError:
            # Neither files nor processes nor memory for more of them: those that run, or this process, take over.
            log.debug("No further helper can be started.", exc_info=True)
            self._count = len(self._helpers)

    def _take(self, helper: _Helper, request: bytes) -> bytes:
        return helper.take() or self._answer_here(request)


class _Helper:
    """A process that computes, seen from the one that asks."""

    def __init__(self, request: str) -> None:
        taken, self._requests = Pipe(duplex=False)
        self._answers, given = Pipe(duplex=False)
        with taken, given:
            self._process = subprocess.Popen(
                make_command(PROGRAM, str(taken.fileno()), str(given.fileno()), request),
                pass_fds=(taken.fileno(), given.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # A terminal's Ctrl-C is for the process that asks, which ends this one.
                start_new_session=True,
            )

    def ask(self, request: bytes) -> None:
        # One that is gone is found out when its answer is taken.
        with contextlib.suppress(OSError):
            self._requests.send_bytes(request)

    def take(self) -> bytes:
        """The next answer; empty where there is none."""
        try:
            return self._answers.recv_bytes()
        except (EOFError, OSError):
            return b""

    def end(self) -> None:
        """End the process, whatever it does."""
        self._requests.close()
        self._answers.close()
        self._process.kill()
        self._process.wait()


def pack(facts: Any, **arrays: NDArray[Any]) -> bytes:
    """Plain data and arrays as the bytes of a request or an answer."""
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)
    return content.getvalue()


def unpack(content: bytes) -> tuple[Any, dict[str, NDArray[Any]]]:
    """What `pack` was given."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return json.loads(arrays.pop("facts").tobytes()), arrays


def serve() -> None:
    """Be a helper, until whoever asks is gone."""
    requests = Connection(int(sys.argv[1]), writable=False)
    answers = Connection(int(sys.argv[2]), readable=False)
    module, name, setting, threads = json.loads(sys.argv[3])
    made: Future[Answer] = Future()
    # Requests are read all the time: whoever asks must never wait for a helper that waits for its answer to be taken.
    begun: queue.SimpleQueue[Future[bytes]] = queue.SimpleQueue()
    pool = ThreadPoolExecutor(max_workers=threads)

    def answer(request: bytes) -> bytes:
        # Whoever asked meets the same error, and says it.
        with contextlib.suppress(Exception):
            return bytes(made.result()(request))
        return b""

    def receive() -> None:
        try:
            while True:
                begun.put(pool.submit(answer, requests.recv_bytes()))
        finally:
            # Whoever asked is gone, however much is still to be computed; or no further thread can be started.
            os._exit(0)

    # Before anything is imported, which takes seconds on a machine with much to do: whoever asks may be killed meanwhile.
    threading.Thread(target=receive, daemon=True).start()
    try:
        made.set_result(getattr(importlib.import_module(module), name)(setting))
        while True:
            answers.send_bytes(begun.get().result())
    finally:
        os._exit(1)

"""Reading in a process apart: a library that loops, crashes or fills the memory over a damaged file ends that process, not this one.

HDF5 is such a library: one changed byte can make it search for ever within a call that nothing interrupts. The process apart has limits on its
computing time and its memory, is given one request after another, and is begun again after one that ended it.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from storage.own_processes import make_command

SECONDS = 20
"""Of computing, for a request that says nothing else."""
WAITING = 10
"""So many times longer it may take by the clock, where the disk is slow or the machine busy."""
MEMORY = 350 * 2**20
"""Bytes that a request may need besides what the process has."""
PROGRAM = "from storage.files.apart import serve; serve()"


class TooMuchError(ValueError):
    """A file made its reader loop, crash or need too much memory."""


def run_apart(function: Callable[..., Any], *arguments: Any, seconds: int = SECONDS) -> Any:
    """Call a function of this program in a process apart.

    Args:
        function: a function of a module; its answer is plain data.
        arguments: plain data.
        seconds: of computing.

    Returns:
        What the function returns, as JSON has it.

    Raises:
        ValueError: whatever the function raised, in its first line.
        TooMuchError: it did not end in time, needed too much memory, or ended the process.
    """
    request = json.dumps([function.__module__, function.__name__, arguments, seconds, _find_folder()])
    with _lock:
        answer = _find_reader().ask(request, seconds)
    if "refused" in answer:
        raise (TooMuchError if answer["too_much"] else ValueError)(answer["refused"])
    return answer["answer"]


def _find_folder() -> str | None:
    """Where this process is now, from which relative paths count; the process apart was perhaps started elsewhere."""
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


class _Reader:
    """The process apart, seen from this one."""

    def __init__(self) -> None:
        here, there = os.pipe(), os.pipe()
        self.process = subprocess.Popen(
            make_command(PROGRAM, str(there[0]), str(here[1])),
            pass_fds=(there[0], here[1]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # A terminal's Ctrl-C is for this process, which ends the other one.
            start_new_session=True,
        )
        os.close(there[0])
        os.close(here[1])
        self.owner = os.getpid()
        self.requests, self.answers = (
            Connection(there[1], readable=False),
            Connection(here[0], writable=False),
        )

    def ask(self, request: str, seconds: int) -> dict[str, Any]:
        """The answer to a request; without one the process is ended."""
        try:
            self.requests.send_bytes(request.encode())
            if self.answers.poll(seconds * WAITING):
                answer: dict[str, Any] = json.loads(self.answers.recv_bytes())
                return answer
            reason = f"reading it did not end in {seconds * WAITING} seconds"
        except (EOFError, OSError):
            code = self.process.wait()
            reason = (
                f"reading it did not end within {seconds} seconds of computing"
                if code == -signal.SIGXCPU
                else "reading it made the library crash that reads such files"
            )
        except BaseException:
            self.end()
            raise
        self.end()
        return {"refused": reason, "too_much": True}

    def end(self) -> None:
        """End the process, whatever it does."""
        self.requests.close()
        self.answers.close()
        self.process.kill()
        self.process.wait()

    @property
    def is_of_use(self) -> bool:
        """Whether it runs, and is this process's own; after a fork it is the other one's."""
        return self.owner == os.getpid() and not self.requests.closed and self.process.poll() is None


_lock = threading.Lock()
_readers: list[_Reader] = []


def _find_reader() -> _Reader:
    if not _readers or not _readers[0].is_of_use:
        _readers[:] = [_Reader()]
    return _readers[0]


@atexit.register
def _end_readers() -> None:
    for reader in _readers:
        if reader.is_of_use:
            reader.end()


def serve() -> None:
    """Be the process apart: answer requests until nobody is there to make one."""
    requests, answers = (
        Connection(int(sys.argv[1]), writable=False),
        Connection(int(sys.argv[2]), readable=False),
    )
    with contextlib.suppress(EOFError, OSError):
        while True:
            module, name, arguments, seconds, folder = json.loads(requests.recv_bytes())
            if folder is not None:
                with contextlib.suppress(OSError):
                    os.chdir(folder)
            function = getattr(importlib.import_module(module), name)
            try:
                with _limits(seconds):
                    answer = {"answer": function(*arguments)}
            except MemoryError:
                reason = f"reading it needs more than {MEMORY // 2**20} MiB of memory"
                answer = {"refused": reason, "too_much": True}
            except SystemError:
                # A library that lost its own error.
                answer = {"refused": "its parts are damaged", "too_much": False}
            except RecursionError:
                answer = {"refused": "its parts are nested too deeply", "too_much": False}
            # HDF5 raises many kinds of errors for damaged files.
            except Exception as error:
                first = (str(error).strip().splitlines() or [type(error).__name__])[0]
                answer = {"refused": first[:300], "too_much": False}
            answers.send_bytes(json.dumps(answer).encode())


@contextlib.contextmanager
def _limits(seconds: int) -> Iterator[None]:
    """Let what follows compute for so long, and have so much memory more than the process has by now."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    used = int(spent.ru_utime + spent.ru_stime) + 1
    hardest = resource.getrlimit(resource.RLIMIT_CPU)[1]
    end = used + seconds if hardest == resource.RLIM_INFINITY else min(used + seconds, hardest)
    resource.setrlimit(resource.RLIMIT_CPU, (end, hardest))
    most = resource.getrlimit(resource.RLIMIT_AS)
    # Other systems than Linux count address space in ways that cannot be limited.
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, most[1]))
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, most)

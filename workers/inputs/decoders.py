"""Image files decoded by processes of their own, on machines with several processors.

Threads of one process wait for each other whenever they run Python, and so does whoever sends batches to a GPU: with sixteen threads
small radiographs were decoded no faster than with one, and a GPU got half of what it could take. Here threads share an interpreter by
fours at most, and the one of training is left alone.

An image comes back as its bytes. Where a process fails with one, or is killed, its images are read in this process, which says what is
wrong with a file in the same words as ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from storage.data.grey import Scale
from storage.data.images import read_image
from storage.own_processes import make_command

Given = TypeVar("Given")
Made = TypeVar("Made")

PROGRAM = "from workers.inputs.decoders import serve; serve()"
MOST = 4
"""Processes at most: each takes about 60 MB."""
AHEAD = 16
"""Images that each process is asked for before the first of them is taken: more than it has threads for, or it would wait for more."""


def count_decoders(processors: int, images: int) -> int:
    """How many processes decode so many images on so many processors; 0 where starting them takes longer than they save."""
    return min(MOST, processors // 2) if processors >= 4 and images >= 200 else 0


def decode_apart(
    files: Sequence[Path],
    size: tuple[int, int],
    scale: Scale | None,
    resize: str,
    *,
    decoders: int,
    threads: int,
) -> Iterator[NDArray[np.uint8]]:
    """Yield the images, uint8 of shape (height, width, 3), in order.

    Args:
        files, size, scale, resize: as of `storage.data.images.read_image`.
        decoders: processes, which take turns.
        threads: of each, below `AHEAD`.
    """
    rule = None if scale is None else scale.to_document()
    with contextlib.ExitStack() as stack:
        helpers = [
            stack.enter_context(_Decoder((size, rule, resize, threads)))
            for _ in range(min(decoders, len(files)))
        ]
        asked = iter(range(len(files)))

        def ask(count: int) -> None:
            for number in asked:
                helpers[number % len(helpers)].ask(files[number])
                count -= 1
                if not count:
                    return
            for helper in helpers:
                helper.ask_no_more()

        ask(AHEAD * len(helpers))
        for number, file in enumerate(files):
            image = helpers[number % len(helpers)].take((*size, 3))
            yield read_image(file, size, scale, resize) if image is None else image
            ask(1)


class _Decoder:
    """A process that decodes, seen from this one."""

    def __init__(self, setting: tuple[tuple[int, int], object, str, int]) -> None:
        here, there = os.pipe(), os.pipe()
        try:
            self._process = subprocess.Popen(
                make_command(PROGRAM, str(there[0]), str(here[1]), json.dumps(setting)),
                pass_fds=(there[0], here[1]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # A terminal's Ctrl-C is for this process, which ends the other one.
                start_new_session=True,
            )
        finally:
            os.close(there[0])
            os.close(here[1])
        self._requests = Connection(there[1], readable=False)
        self._answers = Connection(here[0], writable=False)

    def __enter__(self) -> _Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self._requests.close()
        self._answers.close()
        self._process.kill()
        self._process.wait()

    def ask(self, file: Path) -> None:
        """Let a file be decoded."""
        # One that is gone is found out by `take`.
        with contextlib.suppress(OSError):
            self._requests.send_bytes(os.fsencode(file.absolute()))

    def ask_no_more(self) -> None:
        """Let it leave once it has answered."""
        self._requests.close()

    def take(self, shape: tuple[int, int, int]) -> NDArray[np.uint8] | None:
        """The next image; None where the process has none to give."""
        image = np.empty(shape, np.uint8)
        try:
            length = self._answers.recv_bytes_into(image.data.cast("B"))
        except (EOFError, OSError):
            return None
        return image if length == image.nbytes else None


def serve() -> None:
    """Be a process that decodes, until whoever asks is gone or has asked for everything."""
    requests = Connection(int(sys.argv[1]), writable=False)
    answers = Connection(int(sys.argv[2]), readable=False)
    size, rule, resize, threads = json.loads(sys.argv[3])
    scale = None if rule is None else Scale.from_document(rule)

    def read(name: bytes) -> bytes:
        # Whoever asked reads such a file again, and says what is wrong.
        with contextlib.suppress(Exception):
            return read_image(Path(os.fsdecode(name)), tuple(size), scale, resize).tobytes()
        return b""

    with contextlib.suppress(EOFError, OSError):
        for content in run_ahead(read, _receive(requests), threads=threads, ahead=threads):
            answers.send_bytes(content)


def _receive(requests: Connection) -> Iterator[bytes]:
    with contextlib.suppress(EOFError, OSError):
        while True:
            yield requests.recv_bytes()


def run_ahead(
    compute: Callable[[Given], Made], given: Iterable[Given], *, threads: int, ahead: int
) -> Iterator[Made]:
    """Yield what `compute` makes, in order; `ahead` more are begun on threads before they are asked for."""
    pending: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="ahead") as pool:
        try:
            for one in given:
                pending.append(pool.submit(compute, one))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def keep_ready(given: Iterator[Made], ahead: int = 2) -> Iterator[Made]:
    """Yield what an iterator gives, made on a thread while the one before it is used; `ahead` are ready at most."""
    end = object()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ready") as pool:
        pending = deque(pool.submit(next, given, end) for _ in range(ahead))
        while (made := pending.popleft().result()) is not end:
            pending.append(pool.submit(next, given, end))
            yield cast("Made", made)

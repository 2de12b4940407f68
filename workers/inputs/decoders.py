"""Image files decoded by threads, or by processes of their own on machines with several processors.

Threads that decode small radiographs wait for each other, and so does whoever sends batches to a GPU: with sixteen of them a GPU got
half of what it could take. Helpers leave the interpreter of training alone.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from storage.data.grey import Scale
from storage.data.images import read_image
from storage.own_processes import Helpers

Given = TypeVar("Given")
Made = TypeVar("Made")

MOST = 4
"""Processes at most: each takes about 60 MB."""
FEWEST_PROCESSORS, FEWEST_IMAGES = 4, 200
"""With fewer, starting processes takes longer than they save."""


def count_decoders(processors: int, images: int) -> int:
    """How many processes decode so many images on so many processors; 0 where threads of this one do."""
    enough = processors >= FEWEST_PROCESSORS and images >= FEWEST_IMAGES
    return min(MOST, processors // 2) if enough else 0


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
        threads: of each.
    """
    setting = [size, None if scale is None else scale.to_document(), resize]
    with Helpers(make_reader, setting, count=decoders, threads=threads) as helpers:
        for content in helpers.map(os.fsencode(file.absolute()) for file in files):
            yield np.frombuffer(content, np.uint8).reshape(*size, 3)


def make_reader(setting: Any) -> Callable[[bytes], bytes]:
    """What a helper does: from the name of a file to the bytes of its picture."""
    size, rule, resize = setting
    scale = None if rule is None else Scale.from_document(rule)
    return lambda name: read_image(Path(os.fsdecode(name)), tuple(size), scale, resize).tobytes()


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

"""What is compared runs in processes of its own, in turn: each sets its threads as its users would."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class Apart:
    """An object in a process of its own, which computes only while it is asked to.

    Args:
        make: makes the object there; importable, as its arguments must be.
        arguments: handed to `make`.
    """

    def __init__(self, make: Callable[..., Any], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        self._process.start()
        theirs.close()
        self.greeting = self._receive()

    def run(self, *arguments: Any) -> Any:
        """What the object's `run` returns."""
        self._pipe.send(arguments)
        return self._receive()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()

    def __enter__(self) -> Self:
        """Use it in a with statement."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.close()

    def _receive(self) -> Any:
        is_well, answer = self._pipe.recv()
        if not is_well:
            raise RuntimeError(answer)
        return answer


def _serve(pipe: Any, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        made = make(*arguments)
        pipe.send((True, getattr(made, "greeting", "")))
        while True:
            asked = pipe.recv()
            pipe.send((True, made.run(*asked)))
    except (EOFError, KeyboardInterrupt):
        return
    except Exception as error:
        pipe.send((False, f"{type(error).__name__}: {error}"))

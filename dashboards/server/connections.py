"""Connections to the dashboard: those that say nothing, or speak too slowly, take nothing from the others."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from waitress.channel import HTTPChannel
from waitress.task import ThreadedTaskDispatcher

from dashboards.server.health import HEALTH
from dashboards.server.live import EVENTS, MOST_STREAMS
from dashboards.server.login import Application
from storage.errors import UsageError

THREADS = 8
SWITCH_SECONDS = 0.0005
"""A thread that computes a page lets another one go on after this time; Python's own 5 ms, for each of eight threads, is too long."""
LARGEST_REQUEST = 16 * 2**20
MOST_CONNECTIONS = 1000
SILENT_SECONDS = 20
"""A connection without a word is closed after this time."""
REQUEST_SECONDS = 30.0
"""A request must have come whole after this time, so that a byte now and then keeps no connection."""
ACCEPTED_AT_ONCE = 32
SPARE = 100
"""So many connections before there are too many, those that wait for longest without a whole request are closed."""


class ImpatientChannel(HTTPChannel):
    """A connection of waitress that is closed when a request takes too long to come, or when others need its place."""

    _began = 0.0

    def __init__(self, server: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(server, *arguments, **options)
        if len(server.active_channels) > server.adj.connection_limit - SPARE:
            idle = [channel for channel in server.active_channels.values() if not channel.requests]
            for channel in sorted(idle, key=lambda channel: float(channel.creation_time))[: SPARE // 2]:
                channel.will_close = channel is not self

    def received(self, data: bytes) -> bool:
        """Take what came; the time of a request runs from its first byte."""
        if self.request is None:
            self._began = time.time()
        return bool(super().received(data))

    def readable(self) -> bool:
        """Asked in every turn of the server."""
        if self.request is not None and not self.requests and time.time() - self._began > REQUEST_SECONDS:
            self.will_close = True
        return bool(super().readable())


class Lanes:
    """Who answers which request: /healthz has a thread of its own, so that it waits for no page and no guesser.

    So has each stream of events, which lasts for minutes. Takes the place of waitress' dispatcher, whose threads answer everything else.
    """

    def __init__(self, others: ThreadedTaskDispatcher, when_stopping: Callable[[], Any]) -> None:
        self._others = others
        self._when_stopping = when_stopping
        # One more than streams, so that what is too much is told so.
        counts = {HEALTH: 1, EVENTS: MOST_STREAMS + 1}
        self._own = {path: ThreadedTaskDispatcher() for path in counts}
        for path, count in counts.items():
            self._own[path].set_thread_count(count)

    def add_task(self, channel: HTTPChannel) -> None:
        """Give the next request of a connection to the threads that answer it."""
        asked = getattr(channel.requests[0], "path", "") if channel.requests else ""
        self._own.get(asked, self._others).add_task(channel)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """End the threads; streams are told before they are waited for."""
        self._when_stopping()
        for own in self._own.values():
            own.shutdown(cancel_pending, timeout)
        return bool(self._others.shutdown(cancel_pending, timeout))


def make_server(
    application: Application, host: str, port: int, *, when_stopping: Callable[[], Any] = lambda: None
) -> Any:
    """A server that has the address, and answers as soon as its `run` is called; `when_stopping` is called when it ends.

    Raises:
        UsageError: the address cannot be listened on.
    """
    import waitress

    _allow_files(MOST_CONNECTIONS + 200)
    sys.setswitchinterval(SWITCH_SECONDS)
    # It writes a line for each request that waits: strangers would fill the log.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    handlers: dict[int, Any] = {}
    try:
        server = waitress.create_server(
            application, map=handlers, host=host, port=port, threads=THREADS, ident="orch",
            max_request_body_size=LARGEST_REQUEST, clear_untrusted_proxy_headers=True,
            connection_limit=MOST_CONNECTIONS, channel_timeout=SILENT_SECONDS, cleanup_interval=5,
            # A reader who leaves is noticed while an answer is being written.
            channel_request_lookahead=1,
            # `select` fails above file number 1023, and every connection is a file.
            asyncore_use_poll=True,
        )  # fmt: skip
    except OSError as error:
        raise UsageError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}.",
            why="Another program may use the port.",
            next_step=f"Choose another: orch dashboard --port {port % 65535 + 1}",
        ) from error
    lanes = Lanes(server.task_dispatcher, when_stopping)
    server.task_dispatcher = lanes
    for handler in list(handlers.values()):
        if hasattr(handler, "channel_class"):
            handler.channel_class, handler.task_dispatcher = ImpatientChannel, lanes
            handler.handle_accept = partial(_accept_all, handler, handler.handle_accept)
    return server


def _accept_all(server: Any, accept_one: Callable[[], None]) -> None:
    """Let all in who wait, and not one in each turn of the server, which looks at every connection that there is."""
    for _ in range(ACCEPTED_AT_ONCE):
        before = len(server.active_channels)
        accept_one()
        if len(server.active_channels) <= before:
            return


def _allow_files(count: int) -> None:
    """Let this process have so many files open, as far as the system lets it."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

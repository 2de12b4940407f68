"""What /healthz answers, and that it waits for no other request."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

from dashboards.server.connections import THREADS, make_server
from dashboards.server.health import FRESH_SECONDS, HEALTH, Health, answer_health


def test_the_database_is_asked_at_most_once_a_second() -> None:
    now, asked, answers = [0.0], [], [True]

    def probe() -> bool:
        asked.append(now[0])
        return answers[0]

    health = Health(probe, lambda: now[0])
    assert [health() for _ in range(5)] == [True] * 5
    answers[0] = False
    now[0] = FRESH_SECONDS
    assert health()
    now[0] = FRESH_SECONDS + 0.1
    assert not health()
    assert not health()
    assert asked == [0.0, FRESH_SECONDS + 0.1]


def test_who_asks_while_the_database_is_asked_waits_for_that_answer() -> None:
    asked, begun, told = [], threading.Event(), threading.Event()

    def probe() -> bool:
        asked.append(1)
        begun.set()
        return told.wait(10)

    health = Health(probe)
    answers: list[bool] = []
    askers = [threading.Thread(target=lambda: answers.append(health())) for _ in range(3)]
    askers[0].start()
    assert begun.wait(10)
    for asker in askers[1:]:
        asker.start()
    told.set()
    for asker in askers:
        asker.join(10)
    assert (answers, len(asked)) == ([True] * 3, 1)


def test_health_is_answered_while_every_other_thread_is_held() -> None:
    free, held = threading.Event(), threading.Semaphore(0)

    def application(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environment["PATH_INFO"] != HEALTH:
            held.release()
            free.wait(20)
        status, headers, body = answer_health(True)
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]

    server = make_server(application, "127.0.0.1", 0)
    port = int(server.effective_port)
    threading.Thread(target=server.run, daemon=True).start()
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(2 * THREADS)]
    try:
        for connection in connections:
            connection.request("GET", "/page")
        assert all(held.acquire(timeout=10) for _ in range(THREADS))
        for _ in range(3):
            began = time.monotonic()
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as asking:
                asking.request("GET", f"{HEALTH}?probe=1")
                answer = asking.getresponse()
                assert (answer.status, answer.read()) == (200, b"ok\n")
            assert time.monotonic() - began < 1
        free.set()
        assert {connection.getresponse().status for connection in connections} == {200}
    finally:
        free.set()
        for connection in connections:
            connection.close()
        server.task_dispatcher.shutdown()
        server.close()

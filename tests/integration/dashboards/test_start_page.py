"""The start page: what it tells of workers, studies and failures, how it stays fresh, and what it leaves to others."""

import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from dashboards.pages.publish import publish_study
from dashboards.server import live
from dashboards.server.connections import make_server
from dashboards.server.live import EVENTS, MOST_STREAMS_EACH, Poller, encode_event
from dashboards.server.overview import LONGEST_ERROR, Overview, OverviewReader, one_line
from dashboards.server.progress import STALL_SECONDS
from dashboards.server.serve import make_application
from dashboards.server.start import StartPage
from orchestrator.studies.reporting import draw_report
from storage.database import tables
from storage.database.engine import Database
from storage.states import WorkerState
from storage.studies.points import beat
from storage.studies.workers import note_worker
from tests.generated_studies import fleet_at_work, sized_study
from tests.studies import claim, expire, make_study
from tests.unit.dashboards.server.test_login import Browser, Clock


def poll_at_once(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.0) -> None:
    """However long a look takes."""
    monkeypatch.setattr(live, "POLL_SECONDS", seconds)
    monkeypatch.setattr(live, "LARGEST_SHARE", float("inf"))


def note(database: Database, worker: str, state: WorkerState, **where: Any) -> None:
    note_worker(
        database, worker=worker, host="gpu-0", pid=7, device="GPU 0", state=state, versions={}, **where
    )


def test_the_fleet_the_studies_and_what_failed(database: Database) -> None:
    study = sized_study(database, "small", 12, settled=6, failed=2, folds=3, epochs=4)
    names = fleet_at_work(database, [study], 3, silent=1)
    note(database, "idle", WorkerState.IDLE)
    note(database, "left", WorkerState.GONE)
    overview = OverviewReader(database).read()
    # Who holds what of itself: the lost one first.
    assert [(line.worker, line.state, line.place) for line in overview.workers] == [
        (names[0], "lost", "epoch 7 of 4"),
        (names[1], "working", "epoch 7 of 4"),
        (names[2], "working", "epoch 7 of 4"),
        ("idle", "idle", ""),
    ]
    assert overview.workers[1].study == "small"
    assert overview.workers[1].study_id == study.optuna_study_id
    (line,) = overview.studies
    assert (line.planned, line.settled, line.failed, line.running) == (12, 6, 2, 3)
    assert line.state == "open"
    assert line.corrected == "when finished"
    values = [point.value for point in _points(database, study.uuid) if point.outcome == "COMPLETE"]
    assert line.best == f"{max(values):.4f}"
    assert line.time_left
    assert [(trouble.what, trouble.error.partition(":")[0]) for trouble in overview.troubles] == [
        ("failed", "ResourceExhaustedError")
    ] * 2
    assert overview.said == "Workers: 1 idle, 1 lost, 2 working. Trials left: 6."


def _points(database: Database, uuid: str) -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(sa.select(tables.points).where(tables.points.c.study_uuid == uuid)))


def test_a_worker_is_lost_when_its_lease_is_over_late_before_and_not_shown_when_it_left(
    sqlite: Database,
) -> None:
    study = make_study(sqlite, **{"study.lease_seconds": 600})
    held = claim(sqlite, study, "gpu-worker")
    beat(sqlite, held, lease_seconds=600)
    note(sqlite, "gpu-worker", WorkerState.WORKING, study_uuid=study.uuid, point=held.point)
    reader = OverviewReader(sqlite)

    def state() -> list[str]:
        return [line.state for line in reader.read().workers]

    assert state() == ["working"]
    with sqlite.transaction() as connection:
        connection.execute(sa.update(tables.workers).values(last_seen=tables.workers.c.last_seen - 400))
    assert state() == ["late"]
    expire(sqlite, held)
    assert state() == ["lost"]
    # A process that is known to be gone, and still holds a trial, was killed.
    note(sqlite, "gpu-worker", WorkerState.GONE, study_uuid=study.uuid, point=held.point)
    assert state() == ["lost"]
    another = claim(sqlite, study, "another")
    assert another.point == held.point
    assert state() == []
    assert [trouble.what for trouble in reader.read().troubles] == [
        "its worker was lost once; it is tried again"
    ]


def test_a_worker_with_several_trials_has_a_line_for_each_and_one_that_stalls_is_seen(
    sqlite: Database,
) -> None:
    study, clock = make_study(sqlite), Clock()
    held = [claim(sqlite, study, "many") for _ in range(3)]
    reader = OverviewReader(sqlite, clock=clock)

    def look(beating: int, moving: Sequence[int]) -> tuple[list[str], str]:
        # The record names one of the trials: that whose lease was renewed last.
        note(sqlite, "many", WorkerState.WORKING, study_uuid=study.uuid, point=held[beating].point)
        with sqlite.transaction() as connection:
            moved = tables.points.c.point.in_([held[place].point for place in moving])
            connection.execute(sa.update(tables.points).where(moved).values(epoch=tables.points.c.epoch + 1))
        overview = reader.read()
        return [f"{line.state} {line.place}" for line in overview.workers], overview.said

    assert look(0, [0, 1, 2]) == (["working epoch 1 of 4"] * 3, "Workers: 1 working. Trials left: 6.")
    clock.now += STALL_SECONDS / 2
    assert look(1, [0, 2])[0] == ["working epoch 2 of 4", "working epoch 1 of 4", "working epoch 2 of 4"]
    clock.now += STALL_SECONDS / 2 + 1
    states, said = look(0, [0, 2])
    assert [state.partition(",")[0] for state in states] == [
        "stalled epoch 1 of 4",
        "working epoch 3 of 4",
        "working epoch 3 of 4",
    ]
    assert said.startswith("Workers: 1 stalled.")


def test_the_corrected_value_is_kept_by_the_publisher_and_computed_where_nobody_did(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = sized_study(sqlite, "kept", 6, folds=2, epochs=3, pruned=False)
    sized_study(sqlite, "unkept", 6, folds=2, epochs=3, pruned=False)
    publish_study(sqlite, kept)
    attributes = sqlite.optuna.get_study_user_attrs(kept.optuna_study_id)
    assert attributes["progress"] == "6 of 6 trials finished"
    assert re.fullmatch(r"0\.\d{4} \(trial \d+\)", attributes["best AUC"])
    poll_at_once(monkeypatch)
    seen: list[Overview] = []
    poller = Poller(sqlite, lambda overview, _: str(seen.append(overview)))
    poller.look()
    end = time.monotonic() + 60
    while any(line.corrected == "being computed" for line in seen[-1].studies) and time.monotonic() < end:
        time.sleep(0.05)
        poller.look()
    said = {line.name: line.corrected for line in seen[-1].studies}
    assert said["kept"] == attributes["corrected for selection"]
    assert re.match(r"0\.\d{4}", said["unkept"])
    assert {line.name: line.corrected for line in seen[0].studies}["kept"] == said["kept"]


def test_errors_and_names_are_shown_and_do_nothing(sqlite: Database) -> None:
    study = make_study(sqlite, "<script>alert(1)</script>")
    held = claim(sqlite, study, "w")
    with sqlite.transaction() as connection:
        connection.execute(
            sa.update(tables.points)
            .where(tables.points.c.point == held.point)
            .values(error="Traceback\n  x\nValueError: <img src=x onerror=alert(1)>\x1b[31m")
        )
    browser = Browser(make_application(sqlite, password=None, allow_edit=False))
    assert browser.request("/") == 200
    page = browser.body.decode()
    assert "The best value has no interval here" in page
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "ValueError: &lt;img src=x onerror=alert(1)&gt;\\x1b[31m" in page
    assert "unsafe" not in browser.headers["Content-Security-Policy"]
    assert one_line("first\n" + "x" * 1000).endswith("…")
    assert len(one_line("x" * 1000)) == LONGEST_ERROR
    assert encode_event("a\nb") == b"data: a\ndata: b\n\n"


def test_our_pages_need_the_login_and_leave_the_rest_to_optuna_dashboard(sqlite: Database) -> None:
    make_study(sqlite)
    browser = Browser(make_application(sqlite, password="p", allow_edit=False))
    for path in ("/", "/orch/now", EVENTS, "/orch/report/small", "/orch/start.js"):
        assert browser.request(path) == 303, path
        assert browser.request(path, HTTP_ACCEPT="text/event-stream") == 401, path
    browser.log_in("p")
    assert browser.request("/") == 200
    assert b"Log out" in browser.body
    assert browser.request("/", "HEAD") == 200
    assert browser.body == b""
    assert browser.request("/orch/start.css") == 200
    assert browser.request("/dashboard") == 200
    assert browser.request("/orch/report/small") == 404
    assert browser.request("/", "POST", HTTP_ORIGIN="http://localhost:8080") == 403


def test_a_report_runs_its_own_scripts_only(sqlite: Database) -> None:
    sized_study(sqlite, "with a / and ü", 4, folds=2, epochs=2)
    calls: list[str] = []

    def write(name: str) -> str:
        calls.append(name)
        return draw_report(sqlite, name, [])

    browser = Browser(make_application(sqlite, password=None, allow_edit=False, write_report=write))
    browser.request("/")
    address = re.search(r'href="(/orch/report/[^"]+)"', browser.body.decode())
    assert address
    # WSGI hands the path over decoded, as Latin-1.
    path = "/orch/report/" + "with a / and ü".encode().decode("latin-1")
    assert address[1] == "/orch/report/with%20a%20%2F%20and%20%C3%BC"
    for _ in range(2):
        assert browser.request(path) == 200
    assert calls == ["with a / and ü"]
    policy = browser.headers["Content-Security-Policy"]
    assert policy.count("'sha256-") == 2
    assert "script-src 'sha256-" in policy
    assert browser.request("/orch/report/none") == 404
    assert b"There is no study" in browser.body


def test_a_database_that_is_away_leaves_what_was_read_last(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_study(sqlite, "kept-in-sight")
    poll_at_once(monkeypatch)
    page = StartPage(lambda *_: [], sqlite)
    assert "kept-in-sight" in page.poller.look()

    def fail(_: OverviewReader) -> Overview:
        raise sa.exc.OperationalError("", None, Exception("away"))

    monkeypatch.setattr(OverviewReader, "read", fail)
    text = page.poller.look()
    assert "The database does not answer" in text
    assert "kept-in-sight" in text


@contextmanager
def running(database: Database) -> Iterator[tuple[int, Callable[[], None]]]:
    """A server on a free port, and what ends it."""
    pages: list[StartPage] = []
    application = make_application(database, password=None, allow_edit=False, pages=pages)
    server = make_server(application, "127.0.0.1", 0, when_stopping=lambda: pages[0].poller.close())
    threading.Thread(target=server.run, daemon=True).start()
    try:
        yield int(server.effective_port), server.task_dispatcher.shutdown
    finally:
        server.task_dispatcher.shutdown()
        server.close()


def follow(port: int) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", EVENTS, headers={"Accept": "text/event-stream"})
    return connection, connection.getresponse()


def read_event(answer: http.client.HTTPResponse) -> str:
    lines = []
    while True:
        line = answer.readline().decode()
        if not line or (line == "\n" and any(one.startswith("data:") for one in lines)):
            return "".join(lines)
        lines.append(line)


def test_events_come_when_something_changes_and_end_with_the_server(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll_at_once(monkeypatch, 0.1)
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.1)
    make_study(sqlite, "first")
    with running(sqlite) as (port, stop):
        opened = [follow(port) for _ in range(MOST_STREAMS_EACH)]
        try:
            answer = opened[0][1]
            assert answer.getheader("Content-Type") == "text/event-stream"
            assert "first" in read_event(answer)
            # One reader has no more of them, and everything else is answered beside them.
            refused, said = follow(port)
            assert said.status == 503
            refused.close()
            for _ in range(3):
                with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as other:
                    other.request("GET", "/api/studies")
                    assert other.getresponse().status == 200
            # The place of one who leaves is free again.
            opened.pop()[0].close()
            end, status = time.monotonic() + 20, 503
            while status == 503 and time.monotonic() < end:
                time.sleep(0.1)
                connection, again = follow(port)
                status = again.status
                connection.close()
            assert status == 200
            make_study(sqlite, "second")
            assert "second" in read_event(answer)
            began = time.monotonic()
            stop()
            answer.read()
            assert time.monotonic() - began < 5
        finally:
            for connection, _ in opened:
                connection.close()


def test_a_page_that_nobody_looks_at_is_not_read(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    poll_at_once(monkeypatch, 0.01)
    monkeypatch.setattr(live, "IDLE_SECONDS", 0.05)
    calls: list[int] = []
    poller = Poller(sqlite, lambda *_: f"{calls.append(1)}")
    assert calls == []
    poller.wait(0, 1.0)
    end = time.monotonic() + 20
    while any(thread.name == "start-page" for thread in threading.enumerate()) and time.monotonic() < end:
        time.sleep(0.05)
    seen = len(calls)
    time.sleep(0.1)
    assert len(calls) == seen > 0
    poller.close()
    assert poller.wait(99, 60.0) is None

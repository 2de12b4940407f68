"""A server that accepts and acknowledges, but never answers: every call ends, is said, and is tried again."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from dashboards.server.health import is_healthy
from orchestrator.studies.watch import watch_study
from storage.database import waiting, watching
from storage.database.deadlines import answering_within
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.trouble import described
from storage.database.waiting import wait_for
from storage.errors import DatabaseAwayError
from storage.studies.points import count_points
from tests.light_worker import work
from tests.postgres import PostgresServer
from tests.studies import make_study, processes

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask soon whether a server that is silent answers others."""
    monkeypatch.setattr(watching, "SILENT_SECONDS", 0.4)
    monkeypatch.setattr(watching, "PROBE_SECONDS", 0.6)


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """Stop the server's processes where they are: the kernel goes on accepting and acknowledging for them."""
    children = Path(f"/proc/{server.process_id}/task/{server.process_id}/children")
    members = [server.process_id, *map(int, children.read_text().split())]
    for member in members:
        os.kill(member, signal.SIGSTOP)
    try:
        yield
    finally:
        for member in members:
            with suppress(ProcessLookupError):
                os.kill(member, signal.SIGCONT)


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    """An open PostgreSQL database."""
    opened = open_database(postgres_url)
    yield opened
    opened.close()


def test_a_call_that_is_never_answered_ends_and_the_next_one_works(
    database: Database, postgres_server: PostgresServer, impatient: None
) -> None:
    study = make_study(database)
    with frozen(postgres_server), database.reading() as held:
        began = time.monotonic()
        with pytest.raises(DatabaseAwayError, match="has not answered for"), described():
            held.execute(sa.text("SELECT 1"))
        assert time.monotonic() - began < 4
    assert wait_for(lambda _: count_points(database, study.uuid), give_up_after=20).planned == 6


def test_a_transaction_that_is_never_answered_ends_at_its_commit_too(
    database: Database, postgres_server: PostgresServer, impatient: None
) -> None:
    study = make_study(database)
    connection = database.engine.connect()
    connection.execute(sa.text("UPDATE orch_studies SET state = 'stopped'"))
    with frozen(postgres_server), pytest.raises(DatabaseAwayError, match="has not answered"), described():
        connection.commit()
    connection.close()
    assert wait_for(lambda _: count_points(database, study.uuid), give_up_after=20).planned == 6


def test_a_slow_answer_of_a_server_that_lives_is_waited_for(database: Database, impatient: None) -> None:
    with database.reading() as connection:
        connection.execute(sa.text("SELECT pg_sleep(1.7)"))
        # Not even where nobody is let in any more.
        connection.execute(sa.text("SELECT 1"))


def test_a_limit_of_the_caller_holds_however_the_server_is(database: Database) -> None:
    began = time.monotonic()
    told = pytest.raises(DatabaseAwayError, match="has not answered")
    with answering_within(0.5), told, described(), database.reading() as connection:
        connection.execute(sa.text("SELECT pg_sleep(5)"))
    assert time.monotonic() - began < 2


def test_health_is_answered_soon(database: Database, postgres_server: PostgresServer) -> None:
    assert is_healthy(database)
    time.sleep(0.6)
    with frozen(postgres_server):
        began = time.monotonic()
        assert not is_healthy(database)
        assert time.monotonic() - began < 6
    assert is_healthy(database)


def test_who_watches_is_told_and_goes_on(
    database: Database,
    postgres_server: PostgresServer,
    impatient: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(waiting, "SAID_AFTER", 0.3)
    study = make_study(database, points=1)
    lines: list[str] = []
    looks = iter(range(12))

    def sleep(seconds: float) -> None:
        if next(looks) >= 10 or "answers again" in caplog.text:
            raise KeyboardInterrupt
        time.sleep(min(seconds, 0.5))

    holding = frozen(postgres_server)
    holding.__enter__()
    thaw = threading.Timer(2.5, holding.__exit__, (None, None, None))
    thaw.start()
    with pytest.raises(KeyboardInterrupt):
        watch_study(database, study, print_line=lines.append, interval=0.2, sleep=sleep)
    thaw.join()
    assert "has not answered for" in caplog.text
    assert lines


@pytest.mark.main_tier("True")
@pytest.mark.parametrize("told_first", [False, True])
def test_the_grace_period_holds_without_the_database(
    database: Database, postgres_server: PostgresServer, postgres_url: str, tmp_path: Path, told_first: bool
) -> None:
    study = make_study(database, points=1, **{"training.epochs": 1000})
    worker = processes.Process(target=work, args=(postgres_url, "small", 0.05, str(tmp_path), "", "", 3.0))
    worker.start()
    while count_points(database, study.uuid).running < 1:
        time.sleep(0.05)
    with frozen(postgres_server):
        time.sleep(0.0 if told_first else 1.0)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGTERM)
        began = time.monotonic()
        worker.join(20)
        assert worker.exitcode is not None
        assert time.monotonic() - began < 4.0

"""The PostgreSQL server of the tests is a real one, asks for a password, and leaves nothing behind."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from tests import postgres
from tests.conftest import REPOSITORY
from tests.postgres import USER, PostgresServer, remove_leftovers


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def test_wrong_password_is_refused(server: PostgresServer) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(host="127.0.0.1", port=server.port, user=USER, password="x", dbname="postgres")


def test_passwords_are_kept_as_scram(server: PostgresServer) -> None:
    [(kept,)] = server.execute("SELECT rolpassword FROM pg_authid WHERE rolname = current_user")
    assert kept.startswith("SCRAM-SHA-256$")


def test_copies_of_the_template_are_separate_and_it_is_filled_once(server: PostgresServer) -> None:
    filled = []

    def fill(url: str) -> None:
        filled.append(url)
        server.execute("CREATE TABLE kept (n int)", database=name_of(url))

    first, second = server.copy_template(fill), server.copy_template(fill)
    server.execute("INSERT INTO kept VALUES (1)", database=name_of(first))
    assert server.execute("SELECT n FROM kept", database=name_of(first)) == [(1,)]
    assert server.execute("SELECT n FROM kept", database=name_of(second)) == []
    assert len(filled) == 1


def test_what_was_committed_survives_a_crash_on_the_same_port(server: PostgresServer) -> None:
    url, port = server.create_database(), server.port
    server.execute("CREATE TABLE kept (n int)", database=name_of(url))
    server.stop("immediate")
    with pytest.raises(psycopg2.OperationalError):
        server.connect(name_of(url))
    server.start()
    assert server.port == port
    assert server.execute("SELECT count(*) FROM kept", database=name_of(url)) == [(0,)]


def test_a_database_in_use_can_be_dropped(server: PostgresServer) -> None:
    url = server.create_database()
    connection = server.connect(name_of(url))
    server.drop_database(url)
    connection.close()
    assert server.execute(f"SELECT 1 FROM pg_database WHERE datname = '{name_of(url)}'") == []


def test_the_server_of_a_killed_run_is_removed_by_the_next() -> None:
    code = (
        "import time\nfrom tests.postgres import PostgresServer\n"
        "server = PostgresServer(); server.start(); print(server.folder, server.port, flush=True); time.sleep(300)"
    )
    run = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    with run.stdout:
        folder, _, port = run.stdout.readline().strip().rpartition(" ")
        run.kill()
        run.wait()
    assert Path(folder).is_dir()
    remove_leftovers()
    assert not Path(folder).exists()
    end = time.monotonic() + 20
    while _listens(int(port)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not _listens(int(port))


@pytest.mark.platform_impossible("only root runs the server under another account")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server under another account")
def test_root_copies_programs_that_the_account_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = postgres._wheel_folder()
    with tempfile.TemporaryDirectory() as private:  # mode 0700, root's
        for part in wheel.parent.glob(f"{wheel.name}*"):
            if part.suffix != ".dist-info":
                shutil.copytree(part, Path(private) / part.name, symlinks=True)
        monkeypatch.setattr(postgres, "_wheel_folder", lambda: Path(private) / wheel.name)
        server = PostgresServer()
        try:
            server.start()
            assert server.execute("SELECT 1") == [(1,)]
            assert server._binaries.is_relative_to(server.folder)
        finally:
            server.close()
        assert not server.folder.exists()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

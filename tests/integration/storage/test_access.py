"""What a role may do, which text a database can keep, and who holds the lock of its tables."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestrator.cli import run
from orchestrator.machine.doctor import WARN, _check_storage
from storage.database import schema
from storage.database.access import find_obstacle, grant_readonly
from storage.database.address import parse_url
from storage.database.opening import open_database
from storage.errors import SchemaError, StorageNotFoundError
from storage.studies.study import list_studies
from tests.postgres import PostgresServer
from tests.studies import make_study


def as_role(url: str, role: str, password: str) -> str:
    return parse_url(url).set(username=role, password=password).render_as_string(hide_password=False)


def make_role(server: PostgresServer, role: str) -> None:
    if not server.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
        server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'p'")


def test_a_database_that_cannot_keep_every_name_is_refused_before_tables_are_made(
    postgres_server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "plain_ascii"
    postgres_server.execute(f"DROP DATABASE IF EXISTS {name}")
    postgres_server.execute(
        f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    assert run(["db", "init", "--storage", postgres_server.url(name)]) == 1
    told = capsys.readouterr().err
    assert "SQL_ASCII" in told
    assert "--encoding=UTF8" in told
    postgres_server.drop_database(postgres_server.url(name))


def test_reading_is_granted_in_the_schema_of_the_tables(
    postgres_server: PostgresServer, empty_postgres_url: str
) -> None:
    name = empty_postgres_url.rpartition("/")[2]
    for role in ("lab_owner", "lab_viewer"):
        make_role(postgres_server, role)
    postgres_server.execute('CREATE SCHEMA "the Lab" AUTHORIZATION lab_owner', database=name)
    for role in ("lab_owner", "lab_viewer"):
        postgres_server.execute(f'ALTER ROLE {role} IN DATABASE {name} SET search_path = "the Lab"')
    with closing(open_database(as_role(empty_postgres_url, "lab_owner", "p"), create=True)) as database:
        make_study(database)
        assert grant_readonly(database, "lab_viewer") == '"the Lab"'
    with closing(open_database(as_role(empty_postgres_url, "lab_viewer", "p"))) as viewer:
        assert [study.name for study in list_studies(viewer)] == ["small"]
        assert "permission denied" in str(find_obstacle(viewer))


def test_doctor_tries_a_write(postgres_server: PostgresServer, postgres_url: str, sqlite_url: str) -> None:
    make_role(postgres_server, "only_looks")
    with closing(open_database(postgres_url)) as database:
        grant_readonly(database, "only_looks")
        facts = sa.text("SELECT count(*) FROM orch_facts WHERE key LIKE 'try:%'")
        for url in (postgres_url, sqlite_url):
            assert "write" not in {check.name for check in _check_storage(url)}
        with database.reading() as connection:
            assert connection.execute(facts).scalar_one() == 0
    (check,) = [
        check for check in _check_storage(as_role(postgres_url, "only_looks", "p")) if check.name == "write"
    ]
    assert (check.status, "only read" in check.text) == (WARN, True)


def test_a_server_that_is_read_only_is_not_called_ready(
    postgres_server: PostgresServer, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = postgres_url.rpartition("/")[2]
    postgres_server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    run(["db", "init", "--storage", postgres_url])
    told = capsys.readouterr().err
    assert "Ready" not in told
    assert "can only read" in told


def test_who_holds_the_lock_of_the_tables_is_named(
    postgres_server: PostgresServer,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(schema, "LOCK_SECONDS", 1.0)
    monkeypatch.setattr(schema, "SAID_AFTER", 0.3)
    holder = postgres_server.connect(postgres_url.rpartition("/")[2])
    with closing(holder), closing(open_database(postgres_url)) as database, holder.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), pg_advisory_lock(%s)", (schema.ADVISORY_LOCK,))
        pid = cursor.fetchone()[0]  # type: ignore[index]
        began = time.monotonic()
        with pytest.raises(SchemaError, match=f"PID {pid}, role orch_test"):
            schema.upgrade(database)
        assert time.monotonic() - began < 10
        assert "waiting for it" in caplog.text
        holder.rollback()
        cursor.execute("SELECT pg_advisory_unlock_all()")
        assert schema.upgrade(database)[0] == schema.SCHEMA_VERSION


def test_tables_of_another_optuna_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    with closing(sqlite3.connect(path)) as old:
        # What Optuna 2.6 left, as far as a later one looks.
        old.execute(
            "CREATE TABLE version_info (version_info_id INTEGER PRIMARY KEY, schema_version INTEGER, library_version VARCHAR(256))"
        )
        old.execute("INSERT INTO version_info VALUES (1, 11, '2.6.0')")
        old.commit()
    with pytest.raises(StorageNotFoundError, match=r"another version of Optuna.*Use another database"):
        open_database(f"sqlite:///{path}", create=True)

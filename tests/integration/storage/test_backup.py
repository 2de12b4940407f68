"""A backup that is restored elsewhere: the same studies, no lease of the past, nothing ever replaced."""

from __future__ import annotations

import json
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.database import backup, tables
from storage.database.address import parse_url
from storage.database.backup import back_up, restore
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.schema import schema_version
from storage.errors import SchemaError, StorageError, UsageError
from storage.studies.points import list_points
from storage.studies.study import list_studies
from storage.studies.workers import list_workers, note_worker
from tests.postgres import PostgresServer, _wheel_folder
from tests.studies import claim, make_study


@pytest.fixture
def new_url(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A place of the same kind where there is no database yet."""
    if database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'restored.db'}"
    newest = max(_wheel_folder().glob("pginstall*"), key=lambda path: int(path.name[9:] or 0))
    request.getfixturevalue("monkeypatch").setenv("PATH", str(newest / "bin"), prepend=":")
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


def test_what_was_backed_up_is_restored_in_a_new_place(
    database_url: str, new_url: str, tmp_path: Path
) -> None:
    kept = tmp_path / "studies.backup"
    with closing(open_database(database_url)) as database:
        claim(database, make_study(database))
        note_worker(database, worker="w", host="h", pid=1, device="cpu", state="working", versions={})  # type: ignore[arg-type]
        back_up(database, kept)
        with pytest.raises(UsageError, match="replaces no file"):
            back_up(database, kept)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="replaces no database"):
        restore(database_url, kept)
    found = restore(new_url, kept)
    assert (found.studies, found.points) == (1, {"open": 6})
    with closing(open_database(new_url)) as database:
        study = list_studies(database)[0]
        point = list_points(database, study.uuid)[0]
        assert (point.attempt, point.losses, point.worker, point.expires_at) == (1, 0, None, None)
        assert [worker.state for worker in list_workers(database)] == ["gone"]
        again = claim(database, study)
        assert (again.point, again.attempt) == (0, 2)
        assert list_points(database, study.uuid)[0].losses == 0
    with pytest.raises(UsageError, match="replaces no database"):
        restore(new_url, kept)


def test_a_backup_of_a_newer_orch_is_refused_before_anything_is_made(
    database_url: str, new_url: str, tmp_path: Path
) -> None:
    with closing(open_database(database_url)) as database:
        make_study(database)
        with database.transaction() as connection:
            connection.exec_driver_sql(f"UPDATE {tables.VERSION_TABLE} SET version_num = '9999'")
        for name, least, is_taken in (("unreadable", "9998", False), ("readable", "0001", True)):
            with database.transaction() as connection:
                note = json.dumps({"version": "9999", "from": least})
                fact = tables.facts.c.key == tables.READABLE_KEY
                connection.execute(sa.update(tables.facts).where(fact).values(value=note))
            back_up(database, tmp_path / name)
            if is_taken:
                assert restore(new_url, tmp_path / name).schema == "9999"
                continue
            with pytest.raises(SchemaError, match=r"The backup .*unreadable has tables of a newer orch"):
                restore(new_url, tmp_path / name)
            if new_url.startswith("sqlite"):
                assert not (tmp_path / "restored.db").exists()
            else:
                with closing(Database(parse_url(new_url))) as empty:
                    assert schema_version(empty) is None


def test_a_server_that_stops_answering_ends_a_backup(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(backup, "SILENT_LOOKS", 2)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pg_dump").write_text("#!/bin/sh\nexec sleep 60\n")
    (programs / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    with closing(open_database(postgres_url)) as database:
        postgres_server.stop()
        try:
            began = time.monotonic()
            with pytest.raises(StorageError, match="does not answer any more, so pg_dump was ended"):
                back_up(database, tmp_path / "b")
            assert time.monotonic() - began < 30
        finally:
            postgres_server.start()
    assert not (tmp_path / "b").exists()


def test_a_file_that_is_no_backup_leaves_nothing(new_url: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    for content in (b"", b"filename,a\n", b"SQLite format 3\x00" + b"x" * 5000, b"PGDMP" + b"x" * 5000):
        wrong.write_bytes(content)
        with pytest.raises((UsageError, StorageError)):
            restore(new_url, wrong)
    assert not (tmp_path / "restored.db").exists()


def test_no_program_and_no_password_in_sight(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    with closing(open_database(postgres_url)) as database:
        with pytest.raises(StorageError, match="pg_dump is not on this machine"):
            back_up(database, tmp_path / "b")
        program = programs / "pg_dump"
        program.write_text('#!/bin/sh\necho "$@" >&2\nexit 1\n')
        program.chmod(0o755)
        with pytest.raises(StorageError) as failed:
            back_up(database, tmp_path / "b")
    assert database.url.password
    assert database.url.password not in str(failed.value)
    assert not (tmp_path / "b").exists()

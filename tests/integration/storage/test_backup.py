"""A backup that is restored elsewhere: the same studies, no lease of the past, nothing ever replaced."""

from __future__ import annotations

import stat
from contextlib import closing
from pathlib import Path

import pytest

from storage.database.backup import back_up, restore
from storage.database.opening import open_database
from storage.errors import StorageError, UsageError
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
    backup = tmp_path / "studies.backup"
    with closing(open_database(database_url)) as database:
        claim(database, make_study(database))
        note_worker(database, worker="w", host="h", pid=1, device="cpu", state="working", versions={})  # type: ignore[arg-type]
        back_up(database, backup)
        with pytest.raises(UsageError, match="replaces no file"):
            back_up(database, backup)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="replaces no database"):
        restore(database_url, backup)
    found = restore(new_url, backup)
    assert (found.studies, found.points) == (1, {"claimed": 1, "open": 5})
    with closing(open_database(new_url)) as database:
        study = list_studies(database)[0]
        assert list_points(database, study.uuid)[0].expires_at == 0
        assert [worker.state for worker in list_workers(database)] == ["gone"]
        assert claim(database, study).point == 0
    with pytest.raises(UsageError, match="replaces no database"):
        restore(new_url, backup)


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

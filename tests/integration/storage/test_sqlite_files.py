"""One SQLite file and several users and processes: readers beside the owner, the switch to WAL, a file that is deleted."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from storage.database.access import require_whole
from storage.database.backup import back_up
from storage.database.opening import open_database, require_writable
from storage.database.sqlite_file import SqliteFile, find_damage
from storage.database.trouble import described
from storage.errors import DatabaseAwayError, StorageError, StorageNotFoundError
from storage.studies.points import count_points, list_points
from storage.studies.study import list_studies, load_study, stop_study
from storage.studies.trials import list_running
from tests.studies import claim, make_study, processes

OWNER, COLLEAGUE = 20001, 20002


def _become(user: int, warm: str) -> None:
    """Be another user from now on (root), or the same one, whom the permissions of the file bind (anybody else)."""
    with closing(open_database(warm)) as database:  # what is imported lazily may lie where only root can read
        list_running(database, list_studies(database)[0])
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


def _look(url: str, warm: str, user: int, answer: Connection) -> None:
    _become(user, warm)
    seen: list[str] = []
    try:
        with closing(open_database(url)) as database:
            for study in list_studies(database):
                seen.append(f"{study.name} {count_points(database, study.uuid).running}")
                list_running(database, study)
            require_writable(database)
    except Exception as error:
        seen.append(f"{type(error).__name__}: {error}")
    answer.send(seen)


def look(path: Path, user: int) -> list[str]:
    """What another user sees of a database."""
    listening, answer = processes.Pipe()
    warm = f"sqlite:///{path.parent.parent / 'warm.db'}"
    process = processes.Process(target=_look, args=(f"sqlite:///{path}", warm, user, answer))
    process.start()
    assert listening.poll(60)
    seen: list[str] = listening.recv()
    process.join(60)
    return seen


@pytest.fixture
def shared(sqlite_template: Path) -> Iterator[Path]:
    """A database in a folder that everybody may enter and write to."""
    place = Path(tempfile.mkdtemp(prefix="orch-shared-", dir="/tmp"))
    place.chmod(0o755)
    folder = place / "lab"
    folder.mkdir()
    folder.chmod(0o1777)
    shutil.copy(sqlite_template, folder / "o.db")
    (folder / "o.db").chmod(0o644)
    shutil.copy(folder / "o.db", place / "warm.db")
    with closing(open_database(f"sqlite:///{place / 'warm.db'}")) as database:
        make_study(database)
    yield folder / "o.db"
    shutil.rmtree(place)


@pytest.mark.parametrize("is_owner_at_work", [False, True])
def test_a_look_of_another_user_leaves_nothing_behind(shared: Path, is_owner_at_work: bool) -> None:
    url = f"sqlite:///{shared}"
    with closing(open_database(url)) as database:
        study = make_study(database)
        claim(database, study)
        if os.geteuid() != 0:
            shared.chmod(0o444)
        if not is_owner_at_work:
            database.close()
        before = sorted(path.name for path in shared.parent.iterdir())
        assert before == (["o.db", "o.db-shm", "o.db-wal"] if is_owner_at_work else ["o.db"])
        seen, told = look(shared, COLLEAGUE)
        assert seen == "small 1"
        # Looking is allowed; a worker is told at once, and does not wait for a file that stays closed.
        assert told.startswith("StorageError: You may only read the study database")
        assert sorted(path.name for path in shared.parent.iterdir()) == before
        shared.chmod(0o644)
        stop_study(database, study)


@pytest.mark.platform_impossible(reason="another user can only be played by root")
@pytest.mark.skipif(os.geteuid() != 0, reason="another user can only be played by root")
def test_leftovers_of_another_user_are_named(shared: Path) -> None:
    with closing(open_database(f"sqlite:///{shared}")) as database:
        make_study(database)
    os.chown(shared, OWNER, OWNER)
    Path(f"{shared}-wal").touch(0o644)
    (told,) = look(shared, OWNER)
    assert "o.db-wal belongs to another user (root)" in told


def test_the_switch_to_the_write_ahead_log_is_waited_for(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "o.db", isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO t VALUES (1)")
    commit = threading.Timer(1.0, other.execute, ("COMMIT",))
    commit.start()
    began = time.monotonic()
    open_database(f"sqlite:///{tmp_path / 'o.db'}", create=True).close()
    assert time.monotonic() - began > 0.8
    commit.join()
    other.close()


def test_a_file_that_is_deleted_is_missed_and_not_made_again(sqlite_url: str, tmp_path: Path) -> None:
    with closing(open_database(sqlite_url)) as database:
        study = make_study(database)
        kept = tmp_path / "kept.db"
        with closing(sqlite3.connect(tmp_path / "orch.db")) as source, closing(sqlite3.connect(kept)) as copy:
            source.backup(copy)
        stop_study(database, study)
        for path in tmp_path.glob("orch.db*"):
            path.unlink()
        for is_folder in (False, True):
            if is_folder:
                (tmp_path / "orch.db").mkdir()
            with pytest.raises(StorageNotFoundError, match="is gone"):
                load_study(database, "small")
            with pytest.raises(StorageNotFoundError, match="is gone"):
                claim(database, study)
            with pytest.raises(StorageNotFoundError, match="is gone"):
                list_running(database, study)
        (tmp_path / "orch.db").rmdir()
        assert list(tmp_path.glob("orch.db*")) == []
        kept.rename(tmp_path / "orch.db")
        assert load_study(database, "small").state == "open"
        claim(database, study)


def test_a_connection_made_while_the_disk_was_read_only_is_not_kept(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_database(sqlite_url)) as database:
        study = make_study(database)
        database.engine.dispose()
        with monkeypatch.context() as patch:
            patch.setattr(SqliteFile, "is_read_only", property(lambda _: True))
            with pytest.raises(DatabaseAwayError, match="can only be read"), described():
                stop_study(database, study)
        stop_study(database, study)
        assert load_study(database, "small").state == "stopped"


def test_a_folder_that_cannot_be_looked_into_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    with closing(open_database(f"sqlite:///{tmp_path}/share/orch.db", create=True)) as database:
        make_study(database, "first", points=1)
        for rested in (True, False):
            (tmp_path / "share").rename(tmp_path / "kept")
            (tmp_path / "share").symlink_to("share")
            if not rested:
                database.engine.dispose()
            with pytest.raises(DatabaseAwayError, match="cannot be opened at the moment"), described():
                load_study(database, "first")
            (tmp_path / "share").unlink()
            (tmp_path / "kept").rename(tmp_path / "share")
            assert load_study(database, "first").state == "open"


def test_a_damaged_page_is_named_and_gets_into_no_backup(sqlite_url: str, tmp_path: Path) -> None:
    with closing(open_database(sqlite_url)) as database:
        make_study(database, "first", points=50)
        file = database.file
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'orch_points'").fetchone()[
            0
        ]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with file.open("r+b") as opened:
        opened.seek((page - 1) * size)
        opened.write(b"\xa5" * size)
    with closing(open_database(sqlite_url)) as database:
        for ask in (require_whole, lambda opened: back_up(opened, tmp_path / "backup.db")):
            with pytest.raises(StorageError, match=r"damaged: .*orch db restore"):
                ask(database)
        assert not (tmp_path / "backup.db").exists()
        with pytest.raises(StorageError, match=r"malformed.*orch db restore"), described():
            list_points(database, load_study(database, "first").uuid)


def test_a_locked_file_is_not_called_damaged(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as writer:
        writer.execute("CREATE TABLE t (x)")
        writer.commit()
        writer.execute("BEGIN EXCLUSIVE")
        with (
            closing(sqlite3.connect(tmp_path / "x.db", timeout=0)) as reader,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            find_damage(reader)
        writer.rollback()
        assert find_damage(writer) == ""

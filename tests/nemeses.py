"""Trouble of the database that is not a crash: a full disk, a locked table under a time limit. Made for real, for a while, again and again."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import optuna
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from storage.database import tables
from storage.database.opening import open_database
from storage.states import PointState
from tests.postgres import PostgresServer
from tests.studies import make_study

TOOLS_ERRORS = (ValueError, KeyError, RuntimeError, sa.exc.SQLAlchemyError, optuna.exceptions.OptunaError)
"""What Optuna raises where somebody else was quicker."""
TABLES = ("orch_points", "orch_epochs", "trials", "trial_intermediate_values")
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
FULL_DISK = """
CREATE TABLE disk (is_full boolean);
INSERT INTO disk VALUES (false);
CREATE FUNCTION fail_when_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT is_full FROM disk) THEN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
  END IF;
  RETURN NEW;
END $$;
"""


@contextmanager
def full_disk(server: PostgresServer, url: str, *, lasts: float, every: float) -> Iterator[list[int]]:
    """Let the server find its disk full for `lasts` seconds, every so many; yields how often it was.

    Inserts and updates raise the server's own error, by a trigger: a disk that is really full ends the whole server sooner or
    later, and its log with it.
    """
    name = make_url(url).database
    with server.connect(name) as connection, connection.cursor() as cursor:
        cursor.execute(FULL_DISK)
        for table in TABLES:
            cursor.execute(
                f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION fail_when_full()"
            )
    connection.close()

    def be_full(wait: Callable[[float], object]) -> None:
        own = server.connect(name)
        own.autocommit = True
        own.cursor().execute("UPDATE disk SET is_full = true")
        wait(lasts)
        own.cursor().execute("UPDATE disk SET is_full = false")
        own.close()

    with _again_and_again(be_full, every) as times:
        yield times


@contextmanager
def statement_timeout(
    server: PostgresServer, url: str, *, limit: str, lasts: float, every: float
) -> Iterator[list[int]]:
    """Give the database a statement_timeout, as managed servers have, and lock a table for longer than that, again and again."""
    name = make_url(url).database
    server.execute(f"ALTER DATABASE {name} SET statement_timeout = '{limit}'")

    def lock(wait: Callable[[float], object]) -> None:
        own = server.connect(name)
        own.autocommit = False
        with own.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("LOCK TABLE orch_epochs, trial_intermediate_values IN ACCESS EXCLUSIVE MODE")
            wait(lasts)
        own.rollback()
        own.close()

    with _again_and_again(lock, every) as times:
        yield times


@contextmanager
def frozen_server(server: PostgresServer, *, lasts: float, every: float) -> Iterator[list[int]]:
    """Stop the server's processes where they are: the kernel goes on accepting and acknowledging for them."""

    def freeze(wait: Callable[[float], object]) -> None:
        children = Path(f"/proc/{server.process_id}/task/{server.process_id}/children")
        members = [server.process_id, *map(int, children.read_text().split())]
        for member in members:
            _signal(member, signal.SIGSTOP)
        wait(lasts)
        for member in members:
            _signal(member, signal.SIGCONT)

    with _again_and_again(freeze, every) as times:
        yield times


@contextmanager
def changed_password(
    server: PostgresServer, role: str, file: Path, *, lasts: float, every: float
) -> Iterator[list[int]]:
    """Give a role a new password and end its sessions, again and again; the file of passwords follows `lasts` seconds later.

    Args:
        server: on which the role is made.
        role: whom the workers are there.
        file: of passwords, as libpq reads it; made here.
        lasts: seconds for which the file has the old one.
        every: seconds from one change to the next.
    """
    changes = 0

    def tell(password: str) -> None:
        file.touch(mode=0o600)
        file.write_text(f"*:*:*:{role}:{password}\n")

    def change(wait: Callable[[float], object]) -> None:
        nonlocal changes
        changes += 1
        server.execute(f"ALTER ROLE {role} PASSWORD 'changed{changes}'")
        server.execute(f"{CUT} AND usename = '{role}'")
        wait(lasts)
        tell(f"changed{changes}")

    server.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'first'")
    tell("first")
    with _again_and_again(change, every) as times:
        yield times


@contextmanager
def cut_sessions(server: PostgresServer, *, every: float) -> Iterator[list[int]]:
    """End about half of the server's sessions at once, wherever they are, again and again."""

    def cut(_: object) -> None:
        server.execute(f"{CUT} AND random() < 0.5")

    with _again_and_again(cut, every) as times:
        yield times


@contextmanager
def outside_tools(url: str, study: str, *, every: float, touched: set[int]) -> Iterator[list[int]]:
    """Somebody with Optuna at hand: ends a running trial with a value of his own, and adds trials.

    Args:
        url: of the database.
        study: its name.
        every: seconds from one to the next.
        touched: filled with the numbers of the trials that are his.
    """
    chance = random.Random(1)

    def meddle(_: object) -> None:
        with contextlib.suppress(*TOOLS_ERRORS):
            theirs = optuna.load_study(study_name=study, storage=url)
            running = theirs.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING])
            if running:
                number = chance.choice(running).number
                theirs.tell(number, 0.999)
                touched.add(number)
            theirs.add_trial(optuna.trial.create_trial(value=0.998))
            touched.add(theirs.get_trials(deepcopy=False)[-1].number)

    with _again_and_again(meddle, every) as times:
        yield times


@contextmanager
def newer_fleet(url: str, *, every: float) -> Iterator[list[int]]:
    """A newer orch works beside: its tables have more columns, and its studies options that this one does not know."""
    times_made = 0

    def skew(_: object) -> None:
        nonlocal times_made
        times_made += 1
        with closing(open_database(url)) as database:
            if times_made == 1:
                with database.transaction() as connection:
                    for table in ("orch_studies", "orch_points", "orch_epochs", "orch_workers"):
                        connection.execute(sa.text(f"ALTER TABLE {table} ADD COLUMN of_tomorrow TEXT"))
            name = f"newer{times_made}"
            make_study(database, name, points=2)
            row = tables.studies.c
            with database.transaction() as connection:
                spec = json.loads(
                    connection.execute(sa.select(row.spec).where(row.name == name)).scalar_one()
                )
                spec["training"]["new_option"] = 1
                connection.execute(
                    sa.update(tables.studies).where(row.name == name).values(spec=json.dumps(spec))
                )

    with _again_and_again(skew, every) as times:
        yield times


@contextmanager
def clock_set_back(url: str, *, every: float, hours: float = 5) -> Iterator[list[int]]:
    """Leases that a clock gave which has been set back since: they end hours from now."""

    def set_back(_: object) -> None:
        point = tables.points.c
        with closing(open_database(url)) as database, database.transaction() as connection:
            connection.execute(
                sa.update(tables.points)
                .where(point.state == PointState.CLAIMED)
                .values(expires_at=point.expires_at + hours * 3600)
            )

    with _again_and_again(set_back, every) as times:
        yield times


@contextmanager
def bit_flips(folder: Path, *, every: float) -> Iterator[list[int]]:
    """Turn one bit of a file in a folder, again and again; counts those that were turned."""
    chance, turned = random.Random(2), 0

    def turn(_: object) -> None:
        nonlocal turned
        with contextlib.suppress(OSError, IndexError):
            path = chance.choice([path for path in folder.rglob("*") if path.is_file()])
            with path.open("r+b") as file:
                place = chance.randrange(path.stat().st_size or 1)
                file.seek(place)
                byte = file.read(1)
                file.seek(place)
                file.write(bytes([byte[0] ^ 1 << chance.randrange(8)]))
            turned += 1

    with _again_and_again(turn, every) as times:
        yield times
    times[0] = turned


@contextmanager
def full_folder(folder: Path) -> Iterator[None]:
    """A folder on a disk of its own that is full; needs root, as only it may mount."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    try:
        with contextlib.suppress(OSError), (folder / "others").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def _signal(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


@contextmanager
def _again_and_again(
    trouble: Callable[[Callable[[float], object]], None], every: float
) -> Iterator[list[int]]:
    over = threading.Event()
    times = [0]

    def make() -> None:
        while not over.wait(every):
            trouble(over.wait)
            times[0] += 1

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        yield times
    finally:
        over.set()
        thread.join()

"""A sick device, a full disk and a database in trouble are nobody's fault but their own: no trial pays for them."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa

from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import (
    DeviceError,
    FeaturesError,
    NotEnoughMemoryError,
    SickProcessError,
    SpentProcessError,
    StorageError,
    UnpreparedError,
)
from storage.studies import points
from storage.studies import study as studies
from storage.studies.study import StudyRecord
from storage.studies.workers import list_workers
from tests.faulty_workers import failing, work
from tests.postgres import PostgresServer
from tests.studies import PretendObjective, make_study
from workers.attempts.attempt import Attempt
from workers.process import track_record
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker, WorkerSummary


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_record, "FIRST_PAUSE", 0.05)


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    with closing(open_database(sqlite_url)) as opened:
        yield opened


def test_a_study_that_cannot_be_trained_ends_even_when_one_process_is_alone(database: Database) -> None:
    study = make_study(database, points=5)
    ends = []
    while not points.count_points(database, study.uuid).is_settled:
        try:
            work(database, study, failing("the spec is wrong"), replaceable=True)
        except (SickProcessError, SpentProcessError) as error:
            ends.append(type(error))
        assert len(ends) < 12
    assert points.count_points(database, study.uuid).failed == 5


def test_without_memory_the_trial_fails_and_a_new_process_takes_over(database: Database) -> None:
    study = make_study(database, points=2, **{"study.retries": 0})

    def exhaust(attempt: Attempt) -> None:
        if attempt.point == 0:
            raise RuntimeError("CUDNN_STATUS_ALLOC_FAILED")

    with pytest.raises(SpentProcessError, match="memory was not enough"):
        work(database, study, exhaust, replaceable=True)
    assert "Out of memory on GPU 0" in str(points.list_points(database, study.uuid)[0].error)
    with pytest.raises(SpentProcessError):
        work(database, study, exhaust, replaceable=True)
    work(database, study, exhaust, replaceable=True)
    counts = points.count_points(database, study.uuid)
    assert (counts.complete, counts.failed) == (1, 1)


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (OSError(errno.ENOSPC, "the disk"), "a disk of this machine"),
        (OSError(errno.EIO, "the disk"), "a disk of this machine"),
        (OSError("[Errno 116] Stale file handle"), "a disk of this machine"),
        (OSError(errno.EMFILE, "Too many open files"), "a limit of this machine"),
        (FeaturesError("Features were damaged while they were in use."), "what this machine has"),
    ],
)
def test_a_fault_of_the_machine_gives_the_point_back_and_the_worker_goes_on(
    database: Database, error: Exception, whose: str
) -> None:
    study = make_study(database, points=2)
    met: list[int] = []

    def fill(attempt: Attempt) -> None:
        if len(met) < 3:
            met.append(attempt.point)
            raise error

    told: list[str] = []
    summary = work(database, study, fill, told=told)
    assert (summary.complete, summary.failed, summary.stopped) == (2, 0, 3)
    assert sum(f"given back, because of {whose}" in line for line in told) == 3


def test_damage_that_making_again_does_not_end_ends_the_worker_and_no_trial(database: Database) -> None:
    study = make_study(database, points=2)
    told: list[str] = []

    def read(_: Attempt) -> None:
        raise FeaturesError("Features were damaged while they were in use.")

    with pytest.raises(UnpreparedError, match=r"5 times in a row.*ORCH_CACHE"):
        work(database, study, read, told=told)
    assert sum("given back, because of what this machine has" in line for line in told) == 5
    counts = points.count_points(database, study.uuid)
    assert (counts.open, counts.failed) == (2, 0)
    assert [record.state for record in list_workers(database)] == ["gone"]


def prepare_with(
    database: Database, names: list[str], find: Callable[[StudyRecord], PretendObjective], told: list[str]
) -> WorkerSummary:
    """Serve studies, with an objective that has to be made."""
    worker = Worker(Circumstances(database, device="GPU 0", tell=told.append), find)
    return worker.run(lambda: [studies.load_study(database, name) for name in names])


def test_a_cache_on_a_full_disk_is_waited_for_and_other_studies_are_served(database: Database) -> None:
    for name in ("first", "second"):
        make_study(database, name, points=1)
    tries: list[str] = []

    def find(study: StudyRecord) -> PretendObjective:
        tries.append(study.name)
        if study.name == "first" and tries.count("first") < 4:
            raise FeaturesError("Features cannot be written.") from OSError(errno.ENOSPC, "full")
        return PretendObjective()

    told: list[str] = []
    assert prepare_with(database, ["first", "second"], find, told).complete == 2
    assert tries.index("second") < 4
    assert "first: waiting because of a disk of this machine" in told[0]


def test_models_that_do_not_fit_are_said_with_what_needs_less_and_other_studies_are_served(
    database: Database,
) -> None:
    for name in ("huge", "small"):
        make_study(database, name, points=1)

    def find(study: StudyRecord) -> PretendObjective:
        if study.name == "huge":
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
        return PretendObjective()

    told: list[str] = []
    with pytest.raises(
        NotEnoughMemoryError, match=r"A smaller batch size or head, or cv\.schedule"
    ) as raised:
        prepare_with(database, ["huge", "small"], find, told)
    assert "the models of study 'huge'" in str(raised.value)
    assert points.count_points(database, studies.load_study(database, "small").uuid).complete == 1
    assert points.count_points(database, studies.load_study(database, "huge").uuid).open == 1


def test_a_device_that_does_not_start_ends_the_process_before_a_claim(database: Database) -> None:
    study = make_study(database, points=1)

    def find(_: StudyRecord) -> PretendObjective:
        raise RuntimeError("Unable to initialize backend 'cuda'")

    with pytest.raises(DeviceError):
        prepare_with(database, [study.name], find, [])
    assert points.count_points(database, study.uuid).open == 1


TROUBLE = """
CREATE SEQUENCE troubles;
CREATE FUNCTION be_in_trouble() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE states text[] := ARRAY['53100', '57014', '58030', '25006', '54000', '40001'];
DECLARE number bigint := nextval('troubles');
BEGIN
  IF number <= array_length(states, 1) THEN
    RAISE EXCEPTION 'trouble %%', number USING ERRCODE = states[number];
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER in_trouble BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION be_in_trouble();
"""


@pytest.mark.parametrize("table", ["orch_epochs", "orch_points", "trial_intermediate_values"])
def test_a_database_in_trouble_is_waited_for_wherever_it_is_met(
    postgres_url: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database.waiting.LONGEST_DELAY", 0.2)
    with closing(open_database(postgres_url)) as database:
        study = make_study(database, points=3)
        with database.transaction() as connection:
            connection.exec_driver_sql(TROUBLE.format(table=table))
        summary = work(database, study)
        assert (summary.complete, summary.failed, summary.stopped) == (3, 0, 0)
        assert {record.failures for record in points.list_points(database, study.uuid)} == {0}


def test_a_locked_table_under_a_statement_timeout_fails_no_point(
    postgres_server: PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database.waiting.LONGEST_DELAY", 0.2)
    name = sa.engine.make_url(postgres_url).database
    with closing(open_database(postgres_url)) as database:
        study = make_study(database, points=3)
    postgres_server.execute(f"ALTER DATABASE {name} SET statement_timeout = '200ms'")
    with closing(open_database(postgres_url)) as database, closing(postgres_server.connect(name)) as other:
        other.autocommit = False
        other.cursor().execute("SET statement_timeout = 0; LOCK TABLE orch_epochs IN ACCESS EXCLUSIVE MODE")
        release = threading.Timer(1.5, other.rollback)
        release.start()
        summary = work(database, study)
        assert not release.is_alive(), "it waited for the lock"
        assert (summary.complete, summary.failed) == (3, 0)


def test_a_sqlite_file_on_a_full_disk_is_waited_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database.waiting.LONGEST_DELAY", 0.2)
    study = make_study(database, points=3)
    full = threading.Event()

    def limit(connection: sa.engine.Connection) -> None:
        pages = 1 if full.is_set() else 1_000_000
        # SQLite's own limit makes its own error: less than there are means no page more.
        connection.connection.driver_connection.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[union-attr]

    sa.event.listen(database.engine, "begin", limit)
    full.set()
    with pytest.raises(sa.exc.OperationalError, match="full"), database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE more AS SELECT zeroblob(200000) AS bytes")
    threading.Timer(1.0, full.clear).start()
    summary = work(database, study)
    assert (summary.complete, summary.failed) == (3, 0)


def test_what_no_waiting_changes_ends_the_worker_and_no_point(postgres_url: str) -> None:
    with closing(open_database(postgres_url)) as database:
        study = make_study(database, points=2)
        with database.transaction() as connection:
            refusing = TROUBLE.replace("'53100', '57014', '58030', '25006', '54000', '40001'", "'XX001'")
            connection.exec_driver_sql(refusing.format(table="orch_epochs"))
        with pytest.raises(StorageError, match="trouble 1"):
            work(database, study)
        counts = points.count_points(database, study.uuid)
        assert (counts.open, counts.failed) == (2, 0)
        assert points.list_points(database, study.uuid)[0].failures == 0


def test_a_training_that_hangs_lets_its_point_go_and_ends_its_process(
    sqlite_url: str, database: Database
) -> None:
    study = make_study(database, points=1)
    ended, back = threading.Event(), threading.Event()
    told: list[str] = []
    here = Circumstances(
        database, tell=told.append, silence_seconds=0.1, hung=lambda: (ended.set(), back.wait(60))[0]
    )
    stuck = Worker(here, lambda _: PretendObjective(before=lambda attempt: back.wait(60)))
    thread = threading.Thread(
        target=lambda: stuck.run(lambda: [studies.load_study(database, study.name)]), daemon=True
    )
    thread.start()
    assert ended.wait(30), "the watchdog ends a process that says nothing"
    assert "no progress of the training for" in told[0]
    (held,) = points.list_points(database, study.uuid)
    assert held.state == "claimed", "another worker can take it when its lease runs out"
    points.beat(database, points.Claim(study.uuid, 0, held.attempt, str(held.token), None), lease_seconds=-1)
    with closing(open_database(sqlite_url)) as other:
        assert work(other, study).complete == 1
    back.set()
    thread.join(30)
    (done,) = points.list_points(database, study.uuid)
    assert (done.outcome, done.failures) == ("COMPLETE", 0)


ALONE = """
import sys, threading
from storage.database.opening import open_database
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

def studies():
    print("sqlalchemy.orm.exc" in sys.modules)
    return []

Worker(Circumstances(open_database(sys.argv[1])), lambda study: None).run(studies)
"""


def test_what_a_library_imports_late_is_there_before_a_second_thread_makes_queries(sqlite_url: str) -> None:
    done = subprocess.run([sys.executable, "-c", ALONE, sqlite_url], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr

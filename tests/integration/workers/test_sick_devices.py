"""A sick device beside a healthy one, alone, or taken for sick because of a trial: what becomes of the trials."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.studies.verify import verify_study
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import DeviceError, ModelError, SickProcessError, SpentProcessError
from storage.settings import keras_backend
from storage.spec.distributions import distributions
from storage.states import AttemptEnd, WorkerState
from storage.studies import points, trials
from storage.studies.losses import MAX_LOSSES
from storage.studies.study import StudyRecord
from storage.studies.workers import note_worker
from tests.faulty_workers import DEAD, be_there, failing, work, work_until_idle
from tests.studies import PretendObjective, claim, expire, make_study
from workers.attempts.attempt import Attempt
from workers.process import worker
from workers.process.circumstances import Circumstances
from workers.process.claiming import claim_next
from workers.process.loop import WorkerSummary
from workers.process.track_record import LONGEST_WAIT_SECONDS, TrackRecord
from workers.process.worker import run_worker


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    with closing(open_database(sqlite_url)) as opened:
        yield opened


@pytest.fixture
def either(database_url: str) -> Iterator[Database]:
    """SQLite, and PostgreSQL."""
    with closing(open_database(database_url)) as opened:
        yield opened


@pytest.mark.main_tier("unknown")
@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param(DEAD, DeviceError, id="dead"),
        pytest.param("something that no list knows", SickProcessError, id="unknown"),
    ],
)
def test_a_sick_device_beside_a_healthy_one_costs_no_point(
    sqlite_url: str, database: Database, text: str, error: type[Exception]
) -> None:
    study = make_study(database, points=40)
    summary: list[WorkerSummary] = []

    def work_well() -> None:
        with closing(open_database(sqlite_url)) as own:
            summary.append(work(own, study, seconds=0.001, device="GPU 1"))

    healthy = threading.Thread(target=work_well)
    healthy.start()
    while not points.count_points(database, study.uuid).complete:
        time.sleep(0.02)
    for _ in range(4):
        with pytest.raises(error):
            work(database, study, failing(text), replaceable=True)
    healthy.join(60)
    counts = points.count_points(database, study.uuid)
    assert (counts.complete, counts.failed) == (40, 0)
    if error is DeviceError:
        records = points.list_points(database, study.uuid)
        assert sum(record.failures for record in records) == 0, "given back unharmed"


def test_a_point_fails_for_good_when_a_second_process_failed_on_it(database: Database) -> None:
    study = make_study(database, points=3, **{"study.retries": 1})

    def fail_one(attempt: Attempt) -> None:
        if attempt.point == 1:
            raise ValueError("no room")

    with pytest.raises(SpentProcessError, match="another process must try"):
        work(database, study, fail_one, replaceable=True)
    record = points.list_points(database, study.uuid)[1]
    assert (record.state, record.failures) == ("open", 2), (
        "its own retries are spent, and it is not failed yet"
    )
    told: list[str] = []
    summary = work(database, study, fail_one, replaceable=True, told=told)
    assert summary.failed == 1
    record = points.list_points(database, study.uuid)[1]
    assert (record.state, record.error) == ("failed", "ValueError: no room")
    assert any("failed for good" in line for line in told)


def test_a_device_whose_memory_is_full_leaves_what_failed_on_it_to_another_one(database: Database) -> None:
    study = make_study(database, points=2, **{"study.retries": 1})
    full = failing("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
    be_there(database, study, WorkerState.WORKING)
    for _ in range(4):
        with pytest.raises(SpentProcessError, match="memory was not enough"):
            work(database, study, full, replaceable=True)
    records = points.list_points(database, study.uuid)
    assert [(record.state, record.failures) for record in records] == [("open", 2), ("open", 2)]
    new = Circumstances(database, device="GPU 0", is_replaceable=True)
    record = TrackRecord()
    assert claim_next(new, study, record) is None, "another device serves the study"
    record.waiting_since[study.uuid] -= LONGEST_WAIT_SECONDS
    taken = claim_next(new, study, record)
    assert taken is not None, "it only seems to"
    points.release_point(database, taken)
    assert claim_next(new, study, record) is None
    be_there(database, study, WorkerState.GONE)
    assert claim_next(new, study, TrackRecord()) is not None, "none does"


def test_a_worker_that_waits_for_a_trial_is_one_that_may_do_better(database: Database) -> None:
    study = make_study(database, points=2, **{"study.retries": 0})
    claim(database, study)
    second = claim(database, study)
    trial_id, _ = trials.start_trial(database, study, second, distributions(study.spec), "another")
    trials.end_trial(database, trial_id, AttemptEnd.STOPPED)
    points.release_point(database, second)
    be_there(database, study, WorkerState.IDLE)
    for _ in range(2):
        work_until_idle(database, study, failing("something that no list knows"))
    assert points.list_points(database, study.uuid)[1].state == "open"


def test_a_sick_device_that_is_alone_spreads_its_failures_over_the_points(database: Database) -> None:
    study = make_study(database, points=12, **{"study.retries": 1})
    for _ in range(4):
        with pytest.raises(SickProcessError):
            work(database, study, failing("something that no list knows"), replaceable=True)
    assert {record.failures for record in points.list_points(database, study.uuid)} == {1}


def test_a_trial_that_breaks_one_device_after_the_other_down_comes_last_and_fails(database: Database) -> None:
    study = make_study(database, points=4)
    told: list[str] = []

    def break_down(attempt: Attempt) -> None:
        if attempt.point == 1:
            raise RuntimeError(DEAD)

    for process in range(MAX_LOSSES):
        with pytest.raises(DeviceError):
            work(database, study, break_down, device=f"GPU {process % 2}", replaceable=True, told=told)
        assert points.count_points(database, study.uuid).complete == (1 if process == 0 else 3)
    assert "failed for good, because of the device" in told[-1]
    record = points.list_points(database, study.uuid)[1]
    assert record.state == "failed"
    assert "More than one device broke down with this trial" in str(record.error)
    assert work(database, study, break_down).failed == 0
    account = verify_study(database, study, [{"batch_size": 16 + number} for number in range(4)])
    assert account["ok"], account["problems"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_device_that_computes_no_more_is_known_whatever_is_said_of_it(
    database: Database, monkeypatch: pytest.MonkeyPatch, wrapped: bool
) -> None:
    study = make_study(database, points=1)

    def fail(attempt: Attempt) -> None:
        try:
            raise RuntimeError("etwas ist kaputt")
        except RuntimeError as error:
            if wrapped:
                raise ModelError("etwas ist kaputt") from error
            raise

    def compute() -> None:
        raise RuntimeError("nothing works any more")

    monkeypatch.setattr("workers.device.preparation.try_out", compute)
    with pytest.raises(DeviceError, match="etwas ist kaputt"):
        work(database, study, fail, replaceable=True)
    (record,) = points.list_points(database, study.uuid)
    assert (record.state, record.failures) == ("open", 0)


def serve_with(
    database: Database,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[..., object],
    **circumstances: object,
) -> list[str]:
    """Serve a study of one trial whose objective `prepare` makes; returns what was told."""
    study = make_study(database, points=1)
    here = SimpleNamespace(fingerprint=study.fingerprint, folder=folder)
    monkeypatch.setattr(worker, "load_dataset", lambda _: here)
    monkeypatch.setattr(worker, "prepare_for", lambda _: None)
    monkeypatch.setattr(worker, "prepare_objective", prepare)
    told: list[str] = []
    circumstances = {"tell": told.append, **circumstances}
    run_worker(Circumstances(database, **circumstances), ["small"], [folder], folder / "cache")  # type: ignore[arg-type]
    return told


def test_an_extraction_that_hangs_ends_the_process_and_lets_its_lock_go(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = threading.Event()

    def prepare(*given: Any) -> PretendObjective:
        report = given[-1]
        for variant in range(2):
            for done in range(5 - variant):
                report(done, 4)
                time.sleep(0.02)
        assert not hung.is_set()
        assert hung.wait(20), "the watchdog"
        return PretendObjective()

    told = serve_with(database, tmp_path, monkeypatch, prepare, silence_seconds=0.1, hung=hung.set)
    assert "No progress of the preparation" in told[0]


@pytest.mark.parametrize(
    ("device", "gpus", "words"),
    [
        ("GPU 0", [], "GPU 0 is not used: BACKEND finds no GPU"),
        ("CPU", ["AMD Instinct"], "BACKEND computes on AMD Instinct"),
        ("GPU 0", ["H100"], None),
        ("CPU (1 of 2)", [], None),
    ],
)
def test_a_process_that_computes_on_something_else_than_its_slot_is_called_says_so(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    gpus: list[str],
    words: str | None,
) -> None:
    monkeypatch.setattr(worker, "name_gpus", lambda: gpus)
    told = serve_with(database, tmp_path, monkeypatch, lambda *_: PretendObjective(), device=device)
    if words is None:
        assert told[0].startswith("Working on")
    else:
        assert words.replace("BACKEND", keras_backend()) in told[0]


def test_a_gpu_that_is_gone_is_not_replaced_by_the_processor(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "name_gpus", list[str])
    monkeypatch.setattr(worker, "is_gone", lambda device: device == "GPU-bb22")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bb22")
    with pytest.raises(DeviceError, match="GPU 1 is gone"):
        serve_with(database, tmp_path, monkeypatch, lambda *_: pytest.fail("prepared"), device="GPU 1")


def die_with_a_point(database: Database, study: StudyRecord, process: int, device: str = "GPU 0") -> bool:
    """Be a process on a device that ends it with the point it takes; False where it takes none."""
    here = Circumstances(database, device=device, name=f"sick {process} on {device}", is_replaceable=True)
    note_worker(
        database, worker=here.name, host="h", pid=1, device=device, state=WorkerState.GONE, versions={}
    )  # fmt: skip
    taken = claim_next(here, study, TrackRecord())
    if taken is None:
        return False
    trial_id, number = trials.start_trial(database, study, taken, distributions(study.spec), here.name)
    points.note_trial(database, taken, trial_id=trial_id, trial_number=number)
    expire(database, taken)
    return True


def test_a_device_that_kills_every_process_fails_no_trial_that_another_device_has_not_tried(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "h")
    study = make_study(database, points=2)
    claim(database, study, worker="another")
    be_there(database, study, WorkerState.WORKING)
    deaths = [die_with_a_point(database, study, process) for process in range(MAX_LOSSES + 2)]
    assert deaths.count(True) == 1
    assert not deaths[-1], "left to the device that has not tried it"
    assert points.list_points(database, study.uuid)[1].state == "open"


@pytest.mark.parametrize("devices", [2, 8])
def test_a_point_that_ends_every_process_fails_before_the_machine_of_several_devices_is_given_up(
    either: Database, monkeypatch: pytest.MonkeyPatch, devices: int
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "h")
    study = make_study(either, points=1)
    names = [f"GPU {number}" for number in range(devices)]
    for name in names:
        be_there(either, study, WorkerState.WORKING, f"other process on {name}", name)
    deaths = 0
    # Each device tries as often as it may before the next one does.
    while points.count_points(either, study.uuid).failed == 0:
        before = deaths
        for name in names:
            while die_with_a_point(either, study, deaths, name):
                deaths += 1
                assert deaths <= MAX_LOSSES
        assert deaths > before, "nobody tries it any more"
    assert deaths == MAX_LOSSES


@pytest.mark.parametrize("state", [WorkerState.WORKING, WorkerState.IDLE])
def test_a_last_loss_on_one_device_alone_is_no_proof_while_another_one_serves_or_waits(
    either: Database, state: WorkerState
) -> None:
    study = make_study(either, points=2)
    trials.start_trial(either, study, claim(either, study, "another"), distributions(study.spec), "another")
    be_there(either, study, state)
    note_worker(
        either, worker="sick", host="h", pid=1, device="GPU 0", state=WorkerState.GONE, versions={}
    )  # fmt: skip
    for _ in range(MAX_LOSSES + 1):
        expire(either, claim(either, study, worker="sick"))
    assert points.claim_point(either, study, worker="another", token="t") is not None

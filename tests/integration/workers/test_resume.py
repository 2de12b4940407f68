"""A trial that was interrupted comes to the value, and to the epoch, that it would have come to undisturbed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from orchestrator.studies.verify import verify_study
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.files.checkpoints import Checkpoint
from storage.results import predictions
from storage.states import AttemptEnd
from storage.studies import points, trials
from storage.studies.study import StudyRecord, load_study
from tests.studies import PretendObjective, expire, make_study, rising_auc
from workers.attempts.attempt import Attempt
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker, WorkerSummary


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """An open database with orch's tables."""
    opened = open_database(sqlite_url)
    yield opened
    opened.close()


class Killed(BaseException):
    """Ends an attempt as abruptly as a test in one process can."""


class Bench:
    """Runs attempts that stop after so many fold-epochs, and counts what was computed."""

    def __init__(self, database: Database, study: StudyRecord, artifacts: Path | None) -> None:
        self.database, self.study, self.artifacts = database, study, artifacts
        self.computed: Counter[tuple[int, int, int]] = Counter()
        self.stop = threading.Event()
        self.stop_after = 10**9
        self.kill_after = 10**9

    def auc(self, point: int, fold: int, epoch: int) -> float:
        """Count, and stop or die where told to."""
        self.computed[point, fold, epoch] += 1
        done = self.computed.total()
        if done >= self.kill_after:
            raise Killed
        if done >= self.stop_after:
            self.stop.set()
        return rising_auc(point, fold, epoch)

    def run(self) -> WorkerSummary:
        """Let one worker work until it is done or stopped."""
        self.stop.clear()
        worker = Worker(
            Circumstances(self.database, self.stop, artifacts=self.artifacts),
            lambda _: PretendObjective(auc=self.auc),
        )
        return worker.run(lambda: [load_study(self.database, self.study.name)])

    def account(self) -> dict:
        """`orch study verify`."""
        count = self.study.spec.point_count
        return verify_study(self.database, self.study, [{"batch_size": 16 + n} for n in range(count)])


def undisturbed(point: int, folds: int = 3) -> float:
    return sum(rising_auc(point, fold, 3) for fold in range(folds)) / folds


@pytest.mark.parametrize("stop_after", [4, 5, 6, 7, 11])
def test_lockstep_goes_on_from_its_last_epoch(database: Database, tmp_path: Path, stop_after: int) -> None:
    bench = Bench(database, make_study(database, points=1), tmp_path)
    bench.stop_after = stop_after
    assert bench.run().stopped == (stop_after < 10)
    bench.stop_after = 10**9
    bench.run()
    assert set(bench.computed.values()) == {1}, "an epoch was trained twice"
    assert points.list_points(database, bench.study.uuid)[0].value == pytest.approx(undisturbed(0))
    kept = predictions.read_predictions(database, bench.study.uuid, 0)
    assert [(fold.epoch, float(fold.values[0, 0])) for fold in kept] == [
        (3, pytest.approx(0.03, abs=1e-4))
    ] * 3
    assert bench.account()["problems"] == []
    assert not list(tmp_path.rglob("*.npz"))
    trial = database.optuna.get_all_trials(bench.study.optuna_study_id)[-1]
    assert sorted(trial.intermediate_values) == [1, 2, 3, 4], "the resumed trial reports its epochs, too"


@pytest.mark.parametrize("shared_folder", [True, False])
@pytest.mark.parametrize("stop_after", [1, 3, 4, 5, 8, 10])
def test_sequential_never_trains_a_finished_fold_again(
    database: Database, tmp_path: Path, stop_after: int, shared_folder: bool
) -> None:
    study = make_study(database, points=1, **{"cv.schedule": "sequential"})
    bench = Bench(database, study, tmp_path if shared_folder else None)
    bench.stop_after = stop_after
    assert bench.run().stopped == 1
    bench.stop_after = 10**9
    bench.run()
    repeated = {cell for cell, count in bench.computed.items() if count > 1}
    unfinished = {(0, stop_after // 4, epoch + 1) for epoch in range(stop_after % 4)}
    assert repeated == (set() if shared_folder else unfinished)
    assert points.list_points(database, study.uuid)[0].value == pytest.approx(undisturbed(0))
    kept = predictions.read_predictions(database, study.uuid, 0)
    assert [fold.epoch for fold in kept] == [3, 3, 3]
    assert kept[2].values == pytest.approx(0.03, abs=1e-4)
    assert bench.account()["problems"] == []


@pytest.mark.parametrize("objective", ["max_of_mean", "mean_of_max", "last"])
def test_both_schedules_come_to_the_same_value_and_predictions(database: Database, objective: str) -> None:
    found = []
    for schedule in ("lockstep", "sequential"):
        changes = {"cv.schedule": schedule, "study.objective": objective}
        bench = Bench(database, make_study(database, schedule, points=2, **changes), None)
        bench.run()
        records = points.list_points(database, bench.study.uuid)
        kept = predictions.read_predictions(database, bench.study.uuid, 1)
        found.append(([r.value for r in records], [(f.epoch, f.values.tolist()) for f in kept]))
        assert bench.account()["problems"] == []
    assert found[0] == found[1]


@pytest.mark.parametrize("schedule", ["lockstep", "sequential"])
def test_a_resumed_trial_is_pruned_where_an_undisturbed_one_is(
    database: Database, tmp_path: Path, schedule: str
) -> None:
    ended = []
    for name, stops in (("undisturbed", False), ("stopped", True)):
        study = make_study(database, name, points=8, pruner="halving", **{"cv.schedule": schedule})
        bench = Bench(database, study, tmp_path)
        while not points.count_points(database, study.uuid).is_settled:
            bench.stop_after = bench.computed.total() + 7 if stops else 10**9
            bench.run()
        assert bench.account()["problems"] == []
        ended.append([(r.outcome, r.value, r.epoch) for r in points.list_points(database, study.uuid)])
    assert ended[0] == ended[1]
    assert {outcome for outcome, _, _ in ended[0]} == {"COMPLETE", "PRUNED"}


def test_a_killed_attempt_goes_on_on_any_machine(database: Database, tmp_path: Path) -> None:
    study = make_study(database, points=1, **{"cv.schedule": "sequential"})
    bench = Bench(database, study, None)
    bench.kill_after = 7
    with pytest.raises(Killed):
        bench.run()
    (record,) = points.list_points(database, study.uuid)
    expire(database, points.Claim(study.uuid, 0, record.attempt, str(record.token), record.params))
    bench.kill_after = 10**9
    bench.run()
    assert {cell for cell, count in bench.computed.items() if count > 1} == {(0, 1, 1), (0, 1, 2), (0, 1, 3)}
    assert bench.account()["problems"] == []
    assert bench.account()["attempts"]["lost"] == 1


def test_a_checkpoint_that_cannot_be_used_is_left_aside(tmp_path: Path) -> None:
    written = Checkpoint(tmp_path, "study", 3, "key")
    written.save(5, lambda: {"weights": np.arange(4.0)})
    fold, epoch, arrays = written.load() or (0, 0, {})
    assert (fold, epoch, arrays["weights"].tolist()) == (-1, 5, [0.0, 1.0, 2.0, 3.0])
    assert Checkpoint(tmp_path, "study", 3, "other").load() is None
    path = written.path
    assert path is not None
    path.write_bytes(path.read_bytes()[:100])
    assert written.load() is None
    np.savez(path.open("wb"), weights=np.array([object()]), allow_pickle=True)
    assert written.load() is None
    assert Checkpoint(None, "study", 3, "key").load() is None


def test_running_out_of_memory_fails_the_point_and_names_what_to_change(database: Database) -> None:
    class ResourceExhaustedError(Exception):
        """Named as TensorFlow's."""

    freed = []
    study = make_study(database, points=2, **{"study.retries": 0})

    def exhaust(attempt: Attempt) -> None:
        if attempt.point == 0:
            raise ResourceExhaustedError("OOM when allocating tensor with shape[4096,2048]")

    worker = Worker(
        Circumstances(database, device="GPU 1", per_device=3),
        lambda _: PretendObjective(before=exhaust),
        lambda: freed.append(True),
    )
    summary = worker.run(lambda: [load_study(database, study.name)])
    assert (summary.failed, summary.complete, freed) == (1, 1, [True])
    error = str(points.list_points(database, study.uuid)[0].error)
    assert "batch size 16 with 3 worker processes" in error
    assert "GPU 1" in error
    (failed,) = [t for t in database.optuna.get_all_trials(study.optuna_study_id) if t.state.name == "FAIL"]
    assert failed.user_attrs["error"] == error
    assert failed.user_attrs[trials.OUTCOME] == AttemptEnd.FAILED

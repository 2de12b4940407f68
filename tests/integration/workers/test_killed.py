"""Processes that are killed with SIGKILL in the middle of a training or an extraction, and points that kill whoever takes them.

Every process here that computes begins where Keras is imported already, and so does the one that needs only to be another.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.planning.plan import plan_points
from orchestrator.studies.verify import verify_study
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.files.checkpoints import Checkpoint
from storage.results import ledger
from storage.results.predictions import read_predictions
from storage.studies import points
from storage.studies.points import MAX_LOSSES
from storage.studies.study import StudyRecord, load_study
from tests.integration.workers import test_extraction as extracting
from tests.integration.workers import test_training as training
from tests.integration.workers.test_objectives import EPOCHS, FOLDS, KerasTrials, make
from tests.keras_processes import begun_with_keras
from tests.light_worker import die_at
from tests.small_backbone import small_backbone
from tests.studies import expire, make_study, processes
from workers.attempts.attempt import Attempt, Outcome
from workers.device.preparation import prepare
from workers.inputs.extraction import ensure_features


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """An open database with orch's tables."""
    opened = open_database(sqlite_url)
    yield opened
    opened.close()


class DoomedTrials(KerasTrials):
    """Trains for real, and kills its own process in front of one epoch of one fold of one point."""

    def __init__(self, doom: tuple[int, int, int] = (-1, -1, -1)) -> None:
        super().__init__()
        self.doom = doom
        self.trained: list[tuple[int, int, int]] = []

    def evaluate(self, attempt: Attempt) -> Outcome:
        """Note the point first."""
        self.point = attempt.point
        return super().evaluate(attempt)

    def before_epoch(self, trainer: Any, epoch: int) -> None:
        """Count, or die."""
        here = (self.point, self.trainers.index(trainer), epoch)
        if here == self.doom:
            os.kill(os.getpid(), signal.SIGKILL)
        self.trained.append(here)


def work_until_killed(url: str, study: str, artifacts: str, doom: tuple[int, int, int]) -> None:
    """Be a worker that does not survive; every epoch leaves a checkpoint."""
    Checkpoint.is_due = property(lambda self: True)  # type: ignore[method-assign,assignment]
    database = open_database(url)
    DoomedTrials(doom).work(database, load_study(database, study), Path(artifacts))


def let_leases_run_out(database: Database, study: StudyRecord) -> int:
    """As time would; returns how many points were held."""
    held = [record for record in points.list_points(database, study.uuid) if record.state == "claimed"]
    for record in held:
        expire(database, points.Claim(study.uuid, record.point, record.attempt, str(record.token), None))
    return len(held)


def everything(database: Database, study: StudyRecord) -> list[Any]:
    """What a study came to, without the times."""
    found: list[Any] = [
        (record.outcome, record.value, record.epoch) for record in points.list_points(database, study.uuid)
    ]
    for row in ledger.read_curves(database, study.uuid):
        found.append({name: value for name, value in vars(row).items() if name != "seconds"})
    for record in points.list_points(database, study.uuid):
        kept = read_predictions(database, study.uuid, record.point)
        found.append([(fold.epoch, fold.values.tobytes()) for fold in kept])
    return found


@pytest.fixture(scope="module")
def trials() -> DoomedTrials:
    return DoomedTrials()


@pytest.fixture(scope="module", autouse=True)
def _processes_with_keras() -> Iterator[None]:
    with begun_with_keras(), small_backbone():
        yield


@pytest.mark.main_tier("lockstep")
@pytest.mark.parametrize("schedule", ["lockstep", "sequential"])
def test_a_training_killed_within_a_fold_goes_on_to_the_same_bits(
    database: Database, tmp_path: Path, trials: DoomedTrials, schedule: str, sqlite_url: str
) -> None:
    undisturbed = make(database, "undisturbed", "val_auc", schedule, "halving", first_rung=2)
    trials.work(database, undisturbed)
    expected = points.list_points(database, undisturbed.uuid)
    assert {record.outcome for record in expected} == {"COMPLETE", "PRUNED"}
    # The last one that was pruned after some epochs: it must be pruned there again.
    target = [record for record in expected if record.outcome == "PRUNED" and record.epoch >= 2][-1]
    fold, epoch = 1, target.epoch
    if schedule == "sequential":
        fold, epoch = divmod(target.epoch - 1, EPOCHS)
        epoch += 1
    assert epoch >= 2, "there must be something to go on from"

    disturbed = make(database, "disturbed", "val_auc", schedule, "halving", first_rung=2)
    doomed = processes.Process(
        target=work_until_killed,
        args=(sqlite_url, "disturbed", str(tmp_path / "shared"), (target.point, fold, epoch)),
    )
    doomed.start()
    doomed.join(120)
    assert doomed.exitcode == -signal.SIGKILL
    assert let_leases_run_out(database, disturbed) == 1
    trials.trained.clear()
    trials.work(database, disturbed, tmp_path / "shared")
    again = [(fold, epoch) for point, fold, epoch in trials.trained if point == target.point]
    assert again == (
        [(number, epoch) for number in range(FOLDS)] if schedule == "lockstep" else [(fold, epoch)]
    )
    np.testing.assert_equal(everything(database, disturbed), everything(database, undisturbed))
    account = verify_study(database, disturbed, plan_points(disturbed.spec))
    assert (account["problems"], account["attempts"]["lost"]) == ([], 1)


@pytest.mark.main_tier("sequential")
@pytest.mark.parametrize("schedule", ["lockstep", "sequential"])
def test_a_fold_that_stopped_early_stays_as_it_was_after_a_kill(
    database: Database, tmp_path: Path, trials: DoomedTrials, schedule: str, sqlite_url: str
) -> None:
    changes = {"study.trials": 2, "training.patience": 1, "training.learning_rate": 0.1}

    def patient(name: str) -> StudyRecord:
        return make(database, name, "val_auc", schedule, "none", **changes)

    undisturbed = patient("undisturbed")
    trials.trained.clear()
    trials.work(database, undisturbed)
    cells = list(trials.trained)
    assert len(cells) < 2 * FOLDS * EPOCHS, "no fold stopped early"
    # The last epoch that was trained: by then folds have stopped, and this one has waited or has not.
    doom = max((cell for cell in cells if cell[0] == 0), key=lambda cell: (cell[2], cell[1]))
    if schedule == "sequential":
        doom = [cell for cell in cells if cell[0] == 0][-1]
    assert doom[2] >= 2, "there must be something to go on from"
    disturbed = patient("disturbed")
    doomed = processes.Process(
        target=work_until_killed, args=(sqlite_url, "disturbed", str(tmp_path / "shared"), doom)
    )
    doomed.start()
    doomed.join(120)
    assert doomed.exitcode == -signal.SIGKILL
    assert let_leases_run_out(database, disturbed) == 1
    trials.trained.clear()
    trials.work(database, disturbed, tmp_path / "shared")
    again = [cell for cell in trials.trained if cell[0] == 0]
    assert again == cells[: len([cell for cell in cells if cell[0] == 0])][-len(again) :]
    assert len(again) <= FOLDS
    np.testing.assert_equal(everything(database, disturbed), everything(database, undisturbed))
    assert verify_study(database, disturbed, plan_points(disturbed.spec))["folds"]["missing"] == 0


def extract_until_killed(images: str, cache: str) -> None:
    """Extract four of the images, and be killed as soon as they are stored."""
    prepare(1, 2)

    def die_at_four(done: int, total: int) -> None:
        if done >= 4:
            os.kill(os.getpid(), signal.SIGKILL)

    source = extracting.Images(tuple(sorted(Path(images).glob("*.png"))))
    with small_backbone():
        ensure_features(extracting.make_spec(), source, Path(cache), report=die_at_four)


def test_a_killed_extraction_goes_on_where_it_was(tmp_path: Path) -> None:
    prepare(1, 2)
    folders = [tmp_path / name for name in ("images", "undisturbed", "killed")]
    for folder in folders:
        folder.mkdir()
    images = extracting.Images(extracting.draw_images(folders[0]))
    stored = ensure_features(extracting.make_spec(), images, folders[1])
    doomed = processes.Process(target=extract_until_killed, args=(str(folders[0]), str(folders[2])))
    doomed.start()
    doomed.join(120)
    assert doomed.exitcode == -signal.SIGKILL
    seen: list[int] = []
    resumed = ensure_features(
        extracting.make_spec(), images, folders[2], report=lambda done, total: seen.append(done)
    )
    assert seen == [0, 6, 7]
    assert np.array_equal(resumed.values, stored.values)


def write_digest(path: str) -> None:
    """Train a head and write down the digest of what it has learnt."""
    prepare(1, 2)
    Path(path).write_text(training.train_and_digest())


def test_another_process_computes_the_same_bits(tmp_path: Path) -> None:
    other = processes.Process(target=write_digest, args=(str(tmp_path / "digest"),))
    other.start()
    other.join(120)
    prepare(1, 2)
    here = training.train_and_digest()
    assert len(here) == 64
    assert (tmp_path / "digest").read_text() == here


def test_a_point_that_kills_its_process_becomes_failed_and_the_others_are_done(
    database: Database, sqlite_url: str
) -> None:
    study = make_study(database, "poison", points=4)
    ends = []
    while not points.count_points(database, study.uuid).is_settled:
        worker = processes.Process(target=die_at, args=(sqlite_url, "poison", 1))
        worker.start()
        worker.join(60)
        ends.append(worker.exitcode)
        let_leases_run_out(database, study)
    assert ends == [-signal.SIGKILL] * MAX_LOSSES + [0]
    counts = points.count_points(database, study.uuid)
    assert (counts.complete, counts.failed) == (3, 1)
    record = points.list_points(database, study.uuid)[1]
    assert "times in a row without finishing an epoch" in str(record.error)
    account = verify_study(database, study, [{"batch_size": 16 + n} for n in range(4)])
    assert account["problems"] == []
    assert account["attempts"]["lost"] == MAX_LOSSES

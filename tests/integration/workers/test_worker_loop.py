"""The worker's loop on a real database, with objectives that train nothing."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest

from storage.database import tables
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import OrchError
from storage.metrics.objectives import AUC
from storage.results import ledger, predictions
from storage.results.peers import EpochMeans
from storage.states import AttemptEnd
from storage.studies import points
from storage.studies import study as studies
from tests.studies import PretendFold, PretendObjective, claim, expire, make_row, make_study, rising_auc
from workers.attempts.attempt import Attempt
from workers.process import loop, worker
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker, WorkerSummary


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database with orch's tables."""
    opened = open_database(database_url)
    yield opened
    opened.close()


def work(
    database: Database,
    study: studies.StudyRecord,
    objective: PretendObjective,
    stop: threading.Event | None = None,
) -> WorkerSummary:
    """Run one worker until the study is settled or `stop` is set."""
    worker = Worker(Circumstances(database, stop or threading.Event()), lambda _: objective)
    return worker.run(lambda: [studies.load_study(database, study.name)])


def trial_list(database: Database, study: studies.StudyRecord) -> list[optuna.trial.FrozenTrial]:
    """Optuna's trials of a study."""
    return optuna.load_study(study_name=study.name, storage=database.optuna).get_trials(deepcopy=False)


def test_a_stopped_study_whose_last_holder_vanished_keeps_no_worker(database: Database) -> None:
    study = make_study(database, points=2)
    held = claim(database, study)
    studies.stop_study(database, study)
    expire(database, held)
    stop = threading.Event()
    timer = threading.Timer(20, stop.set)
    timer.start()
    summary = work(database, study, PretendObjective(), stop)
    timer.cancel()
    assert not summary.drained, "it waited for a worker that is gone"
    assert points.count_points(database, study.uuid).open == 2


def test_a_study_is_worked_off_and_every_number_adds_up(database: Database) -> None:
    study = make_study(database, points=5)
    summary = work(database, study, PretendObjective())
    assert (summary.complete, summary.failed, summary.drained) == (5, 0, False)
    for trial in trial_list(database, study):
        point = trial.user_attrs["point"]
        expected = sum(rising_auc(point, fold, 3) for fold in range(3)) / 3
        assert trial.state.name == "COMPLETE"
        assert trial.value == pytest.approx(expected)
        assert trial.user_attrs["best_epoch"] == 3
        assert sum(trial.user_attrs["fold_values"]) / 3 == pytest.approx(trial.value)
        assert (
            trial.user_attrs["details"]["steps_per_epoch"]
            == [math.ceil(100 / trial.params["batch_size"])] * 3
        )
        assert sorted(trial.intermediate_values) == [1, 2, 3, 4]
        assert len(ledger.read_curves(database, study.uuid, point)) == 3 * 4
    values = {record.point: record.value for record in points.list_points(database, study.uuid)}
    assert values == {trial.user_attrs["point"]: trial.value for trial in trial_list(database, study)}


def test_folds_that_train_at_the_same_time_change_no_value_and_share_the_seconds(database: Database) -> None:
    met: list[int] = []
    meeting = threading.Barrier(2, action=lambda: met.append(1), timeout=20)

    def meet_another(point: int, fold: int, epoch: int) -> dict[str, float]:
        # Folds 0 and 1 wait for each other: one after the other they would never meet.
        if fold < 2:
            meeting.wait()
        return {}

    alone, together = make_study(database, "alone", points=1), make_study(database, "together", points=1)
    work(database, alone, PretendObjective())
    began = time.perf_counter()
    work(database, together, PretendObjective(others=meet_another, at_once=2))
    took = time.perf_counter() - began
    assert len(met) == 4
    rows, shared = (ledger.read_curves(database, study.uuid, 0) for study in (alone, together))
    assert [row.val_auc for row in rows] == [row.val_auc for row in shared]
    assert {row.seconds for row in rows} == {0.5}, "as the fold measured them"
    assert 0 < sum(row.seconds for row in shared) <= took, "no more than all of them took together"
    by_epoch = [[row.seconds for row in shared if row.epoch == epoch] for epoch in range(1, 5)]
    assert all(len(set(seconds)) == 1 for seconds in by_epoch), "folds that measured alike get alike"
    values = [points.list_points(database, study.uuid)[0].value for study in (alone, together)]
    assert values[0] == values[1]


def test_a_thread_takes_the_next_fold_when_it_is_free(database: Database) -> None:
    begun = threading.Event()

    def wait_for_the_third(point: int, fold: int, epoch: int) -> dict[str, float]:
        # In pairs the third fold would begin when the first is over.
        if fold == 2:
            begun.set()
        elif fold == 0:
            assert begun.wait(20)
        return {}

    study = make_study(database, points=1)
    work(database, study, PretendObjective(others=wait_for_the_third, at_once=2))
    assert points.list_points(database, study.uuid)[0].outcome == "COMPLETE"


def test_folds_trained_in_one_computation_are_there_before_each_is_scored(database: Database) -> None:
    trained: list[tuple[int, int]] = []

    def train_together(folds: Sequence[PretendFold], epoch: int) -> None:
        assert [fold.epoch for fold in folds] == [epoch - 1] * 3, "no fold has run this epoch"
        time.sleep(0.05)
        trained.append((len(folds), epoch))

    study = make_study(database, points=1)
    began = time.perf_counter()
    work(database, study, PretendObjective(train_together=train_together))
    took = time.perf_counter() - began
    assert trained == [(3, epoch) for epoch in range(1, 5)]
    rows = ledger.read_curves(database, study.uuid, 0)
    assert 4 * 0.05 <= sum(row.seconds for row in rows) <= took, (
        "the common time is shared out among the folds"
    )


def test_a_fold_that_fails_beside_another_fails_the_trial_with_its_own_words(database: Database) -> None:
    def fail(point: int, fold: int, epoch: int) -> dict[str, float]:
        if (fold, epoch) == (1, 2):
            raise OrchError("fold 1 fell over")
        return {}

    study = make_study(database, points=1)
    work(database, study, PretendObjective(others=fail, at_once=3))
    assert "fold 1 fell over" in str(points.list_points(database, study.uuid)[0].error)


def test_predictions_are_those_of_the_best_epoch(database: Database) -> None:
    study = make_study(database, points=1)
    work(database, study, PretendObjective())
    folds = predictions.read_predictions(database, study.uuid, 0)
    assert [(fold.fold, fold.epoch) for fold in folds] == [(0, 3), (1, 3), (2, 3)]
    assert folds[1].indices.tolist() == list(range(10, 20))
    assert folds[0].values == pytest.approx(0.03, abs=1e-4)


@pytest.mark.parametrize(("objective", "epoch"), [("mean_of_max", 3), ("last", 4)])
def test_other_objectives(database: Database, objective: str, epoch: int) -> None:
    study = make_study(database, points=1, **{"study.objective": objective})
    work(database, study, PretendObjective())
    (trial,) = trial_list(database, study)
    assert trial.value == pytest.approx(sum(rising_auc(0, fold, epoch) for fold in range(3)) / 3)
    assert {fold.epoch for fold in predictions.read_predictions(database, study.uuid, 0)} == {epoch}


def test_a_batch_size_that_was_not_applied_fails_the_point(database: Database) -> None:
    study = make_study(database, points=1)
    summary = work(database, study, PretendObjective(applied_batch_size=128))
    (record,) = points.list_points(database, study.uuid)
    assert record.state == "failed"
    assert "batch size was not applied" in str(record.error)
    assert summary.failed == 1 + study.spec.study.retries
    assert {trial.user_attrs["orch_outcome"] for trial in trial_list(database, study)} == {AttemptEnd.FAILED}


def test_a_failing_objective_is_retried_and_its_error_kept(database: Database) -> None:
    study = make_study(database, points=3)
    failures = []

    def fail_once(attempt: Attempt) -> None:
        if attempt.point == 1 and not failures:
            failures.append(attempt.point)
            raise ValueError("no room")

    work(database, study, PretendObjective(before=fail_once))
    assert points.count_points(database, study.uuid).complete == 3
    failed = [trial for trial in trial_list(database, study) if trial.state.name == "FAIL"]
    assert [trial.user_attrs["error"] for trial in failed] == ["ValueError: no room"]


def test_not_a_number_is_pruned(database: Database) -> None:
    study = make_study(database, points=2)
    summary = work(database, study, PretendObjective(loss=math.nan))
    assert summary.pruned == 2
    assert [record.value for record in points.list_points(database, study.uuid)] == [None, None]
    assert {trial.state.name for trial in trial_list(database, study)} == {"PRUNED"}


def test_a_fold_without_an_auc_is_left_out_of_the_mean(database: Database) -> None:
    study = make_study(database, points=1)
    objective = PretendObjective(auc=lambda point, fold, epoch: math.nan if fold == 2 else 0.6 + fold / 10)
    work(database, study, objective)
    assert points.list_points(database, study.uuid)[0].value == pytest.approx(0.65)


def test_no_auc_in_any_fold_is_an_error_not_a_score(database: Database) -> None:
    study = make_study(database, points=1)
    work(database, study, PretendObjective(auc=lambda *_: math.nan))
    (record,) = points.list_points(database, study.uuid)
    assert (record.state, "both classes" in str(record.error)) == ("failed", True)


def test_halving_prunes_and_the_best_point_survives(database: Database) -> None:
    study = make_study(database, points=11, pruner="halving")
    summary = work(database, study, PretendObjective())
    records = points.list_points(database, study.uuid)
    best = max(
        (record for record in records if record.outcome == "COMPLETE"), key=lambda r: float(r.value or 0)
    )
    assert summary.pruned >= 5
    assert best.point == max(range(11), key=lambda point: rising_auc(point, 0, 3))
    pruned = next(record for record in records if record.outcome == "PRUNED")
    assert pruned.value == trial_list(database, study)[int(pruned.trial_number or 0)].value


def test_values_of_lost_attempts_count_once_for_pruning(database: Database) -> None:
    study = make_study(database, points=2, pruner="halving")
    for _ in range(4):
        held = claim(database, study)
        rows = [make_row(0, fold, 1, val_auc=0.9) for fold in range(3)]
        ledger.record_epochs(database, held, "same", rows, epoch=1, lease_seconds=5)
        expire(database, held)
    assert EpochMeans().read(database, study.uuid, 1, folds=3, metric=AUC) == pytest.approx({0: 0.9})


def test_a_worker_told_to_stop_gives_the_point_back(database: Database) -> None:
    study = make_study(database, points=3)
    stop = threading.Event()
    summary = work(database, study, PretendObjective(before=lambda attempt: stop.set()), stop)
    assert (summary.stopped, summary.drained) == (1, True)
    counts = points.count_points(database, study.uuid)
    assert (counts.open, counts.running) == (3, 0)
    (trial,) = trial_list(database, study)
    assert (trial.state.name, trial.user_attrs["orch_outcome"]) == ("FAIL", AttemptEnd.STOPPED)
    work(database, study, PretendObjective())
    assert points.count_points(database, study.uuid).complete == 3


def test_a_lost_lease_drops_the_result(database: Database) -> None:
    study = make_study(database, points=1)
    stolen = []

    def steal(attempt: Attempt) -> None:
        if not stolen:
            expire(database, attempt.claim)
            stolen.append(claim(database, study, worker="thief"))

    worker = Worker(Circumstances(database), lambda _: PretendObjective(before=steal))
    summary = WorkerSummary()
    worker._serve_one([study], summary)
    assert summary.lost == 1
    assert points.list_points(database, study.uuid)[0].worker == "thief"
    assert [trial.user_attrs["orch_outcome"] for trial in trial_list(database, study)] == [AttemptEnd.LOST]


def test_a_deleted_study_ends_the_attempt_quietly(database: Database) -> None:
    study = make_study(database, points=1)
    objective = PretendObjective(before=lambda attempt: studies.delete_study(database, attempt.study))
    summary = WorkerSummary()
    Worker(Circumstances(database), lambda _: objective)._serve_one([study], summary)
    assert summary.lost == 1


def test_an_adaptive_sampler_learns_and_each_point_gets_its_own_draw(database: Database) -> None:
    study = studies.create_study(
        database,
        make_study(database, "template", points=14).spec.with_values(
            {"sampler.name": "tpe", "study.name": "adaptive"}
        ),
        [None] * 14,
        data_folder="",
        facts={},
    )
    work(database, study, PretendObjective())
    drawn = [record.params for record in points.list_points(database, study.uuid)]
    assert len({params["batch_size"] for params in drawn if params}) > 10
    assert [trial.params for trial in trial_list(database, study)] == drawn


def test_an_objective_that_cannot_be_made_ends_the_worker_before_it_claims(database: Database) -> None:
    study = make_study(database)

    def refuse(_: object) -> PretendObjective:
        raise OrchError("no weights here")

    with pytest.raises(OrchError, match="no weights"):
        Worker(Circumstances(database), refuse).run(lambda: [study])
    assert points.count_points(database, study.uuid).running == 0


def test_a_worker_says_what_it_works_on_before_its_first_trial_is_over(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(database, points=2)
    here = SimpleNamespace(fingerprint=study.fingerprint, folder=tmp_path)
    monkeypatch.setattr(worker, "load_dataset", lambda _: here)
    monkeypatch.setattr(worker, "prepare_for", lambda _: None)
    monkeypatch.setattr(worker, "prepare_objective", lambda *_: PretendObjective())
    told: list[str] = []
    worker.run_worker(Circumstances(database, tell=told.append), ["small"], [tmp_path], tmp_path / "cache")
    assert told[0] == f"Working on study 'small' (data: {tmp_path})"
    assert [line.partition(" complete")[0] for line in told[1:]] == ["small trial 0", "small trial 1"]


def test_a_finished_study_that_lost_its_last_trial_is_worked_off_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standby that took over, or a restored backup, knows less than the worker remembers."""
    monkeypatch.setattr(loop, "LOOK_AGAIN_SECONDS", 1.0)
    study = make_study(database, points=2)
    stop, taken = threading.Event(), []
    timer = threading.Timer(30, stop.set)
    timer.start()

    def before(attempt: Attempt) -> None:
        taken.append(attempt.point)

    serving = Worker(Circumstances(database, stop), lambda _: PretendObjective(before=before))

    def look() -> list[studies.StudyRecord]:
        counts = points.count_points(database, study.uuid)
        if study.uuid in serving._settled and len(taken) == 2:
            with database.transaction() as connection:
                connection.execute(
                    tables.points.update()
                    .where(tables.points.c.study_uuid == study.uuid, tables.points.c.point == 1)
                    .values(state="open", outcome=None, value=None)
                )
        elif counts.is_settled and len(taken) > 2:
            stop.set()
        return [studies.load_study(database, study.name)]

    serving.run(look, forever=True)
    timer.cancel()
    assert taken == [0, 1, 1]

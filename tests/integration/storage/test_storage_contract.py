"""The storage contract, once on SQLite and once on a real PostgreSQL."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterator

import numpy as np
import optuna
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from storage.database import columns, tables
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import LeaseLostError, StudyExistsError, StudyNotFoundError
from storage.metrics.judging import judge
from storage.metrics.objectives import AUC, METRICS
from storage.results import evaluations, ledger, predictions
from storage.results.peers import EpochMeans, read_fold_means
from storage.states import AttemptEnd, PointOutcome
from storage.studies import points, sweeping, trials
from storage.studies import study as studies
from storage.studies import workers as fleet
from storage.studies.points import MAX_LOSSES
from tests.studies import claim, expire, make_row, make_spec, make_study, processes

EVALUATION = {
    "data": {"fingerprint": "sha256:1", "part": "development, out of fold", "images": 1, "groups": 1},
    "trial": 0,
}
BATCH = {"batch_size": optuna.distributions.IntDistribution(16, 2048)}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database with orch's tables."""
    opened = open_database(database_url)
    yield opened
    opened.close()


def start(database: Database, study: studies.StudyRecord, held: points.Claim) -> tuple[int, int]:
    """Start and note the trial of a claim."""
    trial_id, number = trials.start_trial(database, study, held, BATCH, "worker")
    points.note_trial(database, held, trial_id=trial_id, trial_number=number)
    return trial_id, number


def states(database: Database, study: studies.StudyRecord) -> list[str]:
    """The states of Optuna's trials, by number."""
    loaded = optuna.load_study(study_name=study.name, storage=database.optuna)
    return [trial.state.name for trial in loaded.get_trials(deepcopy=False)]


class TestStudies:
    def test_created_study_is_found_with_its_spec_and_points(self, database: Database) -> None:
        study = make_study(database, points=4)
        assert studies.load_study(database, "small") == study
        assert study.spec == make_spec(points=4)
        assert [record.params for record in points.list_points(database, study.uuid)] == [
            {"batch_size": 16 + number} for number in range(4)
        ]

    def test_creating_again_returns_the_same_study(self, database: Database) -> None:
        assert make_study(database) == make_study(database)
        assert len(studies.list_studies(database)) == 1

    def test_another_spec_is_refused_by_its_differing_keys(self, database: Database) -> None:
        make_study(database)
        with pytest.raises(StudyExistsError, match=r"training\.epochs"):
            make_study(database, **{"training.epochs": 9})

    def test_interrupted_creation_is_completed(self, database: Database) -> None:
        optuna.create_study(storage=database.optuna, study_name="small", direction="maximize")
        assert studies.list_studies(database) == []
        study = make_study(database)
        assert points.count_points(database, study.uuid).open == 6

    def test_a_foreign_study_with_trials_is_not_taken_over(self, database: Database) -> None:
        foreign = optuna.create_study(storage=database.optuna, study_name="small")
        foreign.add_trial(optuna.trial.create_trial(value=1.0))
        with pytest.raises(StudyExistsError, match="did not make"):
            make_study(database)

    def test_unknown_study_names_the_nearest(self, database: Database) -> None:
        make_study(database, "regime-1")
        with pytest.raises(StudyNotFoundError, match="regime-1"):
            studies.load_study(database, "regime1")

    def test_deleted_study_leaves_nothing_and_a_zombie_cannot_write(self, database: Database) -> None:
        study = make_study(database)
        held = claim(database, study)
        trial_id, number = start(database, study, held)
        evaluations.record_evaluation(database, study.uuid, EVALUATION)
        assert [one.document for one in evaluations.list_evaluations(database, study.uuid)] == [EVALUATION]
        studies.delete_study(database, study)
        assert evaluations.list_evaluations(database, study.uuid) == []
        again = make_study(database)
        assert again.uuid != study.uuid
        with pytest.raises(LeaseLostError):
            points.finish_point(
                database,
                held,
                outcome=PointOutcome.COMPLETE,
                value=1.0,
                trial_id=trial_id,
                trial_number=number,
            )
        with pytest.raises(LeaseLostError):
            ledger.record_epochs(database, held, "key", [make_row(0, 0, 1)], epoch=1, lease_seconds=5)
        assert points.count_points(database, again.uuid).open == 6
        assert ledger.read_curves(database, study.uuid) == []

    def test_features_of_the_first_worker_stand(self, database: Database) -> None:
        study = make_study(database)
        assert studies.register_features(database, study, "first", [1.0, 2.0]) == ("first", [1.0, 2.0])
        assert studies.register_features(database, study, "second", [3.0]) == ("first", [1.0, 2.0])


class TestPoints:
    def test_points_are_claimed_in_order_and_once(self, database: Database) -> None:
        study = make_study(database, points=3)
        assert [claim(database, study).point for _ in range(3)] == [0, 1, 2]
        assert points.claim_point(database, study, worker="w", token=str(uuid.uuid4())) is None

    def test_a_repeated_claim_returns_what_it_won(self, database: Database) -> None:
        study = make_study(database)
        token = str(uuid.uuid4())
        first = points.claim_point(database, study, worker="w", token=token)
        assert points.claim_point(database, study, worker="w", token=token) == first
        assert points.count_points(database, study.uuid).running == 1

    def test_a_stopped_study_gives_nothing_until_resumed(self, database: Database) -> None:
        study = make_study(database)
        studies.stop_study(database, study)
        assert points.claim_point(database, study, worker="w", token=str(uuid.uuid4())) is None
        studies.resume_study(database, study)
        assert claim(database, study).point == 0

    def test_an_expired_lease_is_claimed_again_and_the_old_holder_is_fenced_out(
        self, database: Database
    ) -> None:
        study = make_study(database)
        old = claim(database, study)
        expire(database, old)
        new = claim(database, study)
        assert (new.point, new.attempt) == (old.point, 2)
        for change in (
            lambda: points.beat(database, old, lease_seconds=5),
            lambda: points.release_point(database, old),
            lambda: points.fail_point(database, old, error="x", retries=0),
            lambda: points.keep_params(database, old, {}),
            lambda: points.finish_point(
                database, old, outcome=PointOutcome.COMPLETE, value=1.0, trial_id=1, trial_number=1
            ),
        ):
            with pytest.raises(LeaseLostError):
                change()

    def test_a_lost_lease_counts_as_a_loss_not_as_a_failure(self, database: Database) -> None:
        study = make_study(database)
        expire(database, claim(database, study))
        claim(database, study)
        record = points.list_points(database, study.uuid)[0]
        assert (record.losses, record.failures, record.state) == (1, 0, "claimed")

    def test_an_epoch_of_progress_forgets_the_losses(self, database: Database) -> None:
        study = make_study(database)
        expire(database, claim(database, study))
        held = claim(database, study)
        ledger.record_epochs(database, held, "key", [make_row(0, 0, 1)], epoch=1, lease_seconds=5)
        assert points.list_points(database, study.uuid)[0].losses == 0

    def test_a_point_that_kills_its_workers_becomes_failed(self, database: Database) -> None:
        study = make_study(database, points=1)
        for _ in range(MAX_LOSSES):
            held = claim(database, study)
            start(database, study, held)
            expire(database, held)
        assert points.claim_point(database, study, worker="w", token=str(uuid.uuid4())) is None
        record = points.list_points(database, study.uuid)[0]
        assert record.state == "failed"
        assert "times in a row" in str(record.error)
        sweeping.sweep(database, study)
        assert states(database, study) == ["FAIL"] * MAX_LOSSES

    def test_a_failure_is_retried_and_then_final(self, database: Database) -> None:
        study = make_study(database, points=1)
        assert not points.fail_point(database, claim(database, study), error="first", retries=1)
        assert points.fail_point(database, claim(database, study), error="second", retries=1)
        record = points.list_points(database, study.uuid)[0]
        assert (record.state, record.error, record.failures) == ("failed", "second", 2)
        assert points.count_points(database, study.uuid).is_settled

    def test_a_released_point_is_open_and_unharmed(self, database: Database) -> None:
        study = make_study(database)
        points.release_point(database, claim(database, study))
        record = points.list_points(database, study.uuid)[0]
        assert (record.state, record.losses, record.failures) == ("open", 0, 0)

    def test_finishing_twice_is_finishing_once(self, database: Database) -> None:
        study = make_study(database)
        held = claim(database, study)
        for _ in range(2):
            points.finish_point(
                database, held, outcome=PointOutcome.PRUNED, value=0.5, trial_id=1, trial_number=0
            )
        record = points.list_points(database, study.uuid)[0]
        assert (record.state, record.outcome, record.value) == ("done", PointOutcome.PRUNED, 0.5)

    def test_counts_add_up_to_the_plan(self, database: Database) -> None:
        study = make_study(database, points=6)
        held = claim(database, study)
        points.finish_point(
            database, held, outcome=PointOutcome.COMPLETE, value=0.7, trial_id=1, trial_number=0
        )
        held = claim(database, study)
        points.finish_point(
            database, held, outcome=PointOutcome.PRUNED, value=None, trial_id=2, trial_number=1
        )
        points.fail_point(database, claim(database, study), error="x", retries=0)
        claim(database, study)
        counts = points.count_points(database, study.uuid)
        assert counts == points.PointCounts(planned=6, complete=1, pruned=1, failed=1, open=2, running=1)
        assert not counts.is_settled

    def test_drawn_parameters_are_kept_for_the_next_attempt(self, database: Database) -> None:
        spec = make_spec(points=1, **{"sampler.name": "tpe"})
        study = studies.create_study(database, spec, [None], data_folder="", facts={})
        held = claim(database, study)
        assert held.params is None
        points.keep_params(database, held, {"batch_size": 77})
        expire(database, held)
        assert claim(database, study).params == {"batch_size": 77}


class TestTrials:
    def test_a_trial_starts_with_its_parameters_and_attributes(self, database: Database) -> None:
        study = make_study(database)
        held = claim(database, study)
        start(database, study, held)
        (trial,) = optuna.load_study(study_name="small", storage=database.optuna).trials
        assert trial.params == {"batch_size": 16}
        assert (trial.user_attrs["point"], trial.user_attrs["attempt"]) == (0, 1)

    def test_sweep_leaves_the_present_attempt_alone(self, database: Database) -> None:
        study = make_study(database)
        start(database, study, claim(database, study))
        assert sweeping.sweep(database, study) == 0
        assert states(database, study) == ["RUNNING"]

    def test_sweep_fails_what_a_killed_worker_left(self, database: Database) -> None:
        study = make_study(database)
        held = claim(database, study)
        start(database, study, held)
        expire(database, held)
        assert sweeping.sweep(database, study) == 1
        (trial,) = optuna.load_study(study_name="small", storage=database.optuna).trials
        assert (trial.state.name, trial.user_attrs["orch_outcome"]) == ("FAIL", "lost")
        assert points.count_points(database, study.uuid).open == 6
        assert sweeping.sweep(database, study) == 0

    def test_sweep_tells_a_finish_that_was_cut_off(self, database: Database) -> None:
        study = make_study(database)
        for outcome, value in (
            (PointOutcome.COMPLETE, 0.75),
            (PointOutcome.PRUNED, 0.5),
            (PointOutcome.PRUNED, None),
        ):
            held = claim(database, study)
            trial_id, number = start(database, study, held)
            points.finish_point(
                database, held, outcome=outcome, value=value, trial_id=trial_id, trial_number=number
            )
        assert sweeping.sweep(database, study) == 3
        assert states(database, study) == [PointOutcome.COMPLETE, PointOutcome.PRUNED, PointOutcome.PRUNED]
        values = [t.value for t in optuna.load_study(study_name="small", storage=database.optuna).trials]
        assert values == [0.75, 0.5, None]

    def test_a_sweep_beside_live_workers_leaves_them_the_telling(self, database: Database) -> None:
        study = make_study(database)
        held = claim(database, study)
        trial_id, number = start(database, study, held)
        points.finish_point(
            database, held, outcome=PointOutcome.COMPLETE, value=0.75, trial_id=trial_id, trial_number=number
        )
        assert sweeping.sweep(database, study, spare_seconds=60) == 0
        assert not sweeping.sweep_beside_others(database, study), "something is left, though not for others"
        time.sleep(0.05)
        assert sweeping.sweep(database, study, spare_seconds=0.01) == 1
        assert states(database, study) == [PointOutcome.COMPLETE]
        assert sweeping.sweep_beside_others(database, study)

    def test_idle_workers_take_turns_to_sweep(self, database: Database) -> None:
        study = make_study(database)
        held = claim(database, study)
        start(database, study, held)
        # What another study has to be swept of is no reason to look through this one.
        expire(database, claim(database, make_study(database, "another")))
        assert sweeping.sweep_beside_others(database, study), "nothing to do takes no turn"
        expire(database, held)
        assert sweeping.sweep_beside_others(database, study)
        assert states(database, study) == ["FAIL"]
        again = claim(database, study)
        start(database, study, again)
        expire(database, again)
        assert not sweeping.sweep_beside_others(database, study), "another one swept a moment ago"
        assert states(database, study) == ["FAIL", "RUNNING"]
        time.sleep(sweeping.TURN_SECONDS)
        assert sweeping.sweep_beside_others(database, study)
        assert states(database, study) == ["FAIL", "FAIL"]

    def test_a_trial_that_is_none_of_orch_keeps_no_worker(self, database: Database) -> None:
        study = make_study(database)
        database.optuna.create_new_trial(study.optuna_study_id)
        assert sweeping.sweep_beside_others(database, study)

    def test_what_can_be_claimed(self, database: Database) -> None:
        study = make_study(database, points=1)
        assert points.is_any_claimable(database, study.uuid)
        held = claim(database, study)
        assert not points.is_any_claimable(database, study.uuid)
        expire(database, held)
        assert points.is_any_claimable(database, study.uuid)

    def test_a_deleted_study_leaves_no_turn(self, database: Database) -> None:
        study = make_study(database)
        held = claim(database, study)
        start(database, study, held)
        expire(database, held)
        sweeping.sweep_beside_others(database, study)
        studies.delete_study(database, study)
        with database.reading() as connection:
            keys = connection.execute(sa.select(tables.facts.c.key)).scalars().all()
        assert not [key for key in keys if key.startswith("sweep")]

    def test_sweep_fails_the_twin_of_a_repeated_insert(self, database: Database) -> None:
        study = make_study(database)
        held = claim(database, study)
        trials.start_trial(database, study, held, BATCH, "worker")
        start(database, study, held)
        assert sweeping.sweep(database, study) == 1
        assert states(database, study) == ["FAIL", "RUNNING"]

    def test_settling_or_ending_twice_changes_nothing(self, database: Database) -> None:
        study = make_study(database)
        trial_id, _ = start(database, study, claim(database, study))
        assert trials.settle_trial(database, trial_id, PointOutcome.COMPLETE, 0.7)
        assert not trials.settle_trial(database, trial_id, PointOutcome.PRUNED, 0.1)
        assert not trials.end_trial(database, trial_id, AttemptEnd.LOST)
        assert states(database, study) == [PointOutcome.COMPLETE]
        with pytest.raises(LeaseLostError):
            trials.report_value(database, trial_id, 1, 0.5)


class TestLedger:
    def test_rows_come_back_as_they_were_with_nan(self, database: Database) -> None:
        study = make_study(database)
        held = claim(database, study)
        rows = [make_row(0, fold, 1, val_auc=0.5 + fold / 7) for fold in range(2)]
        rows.append(make_row(0, 2, 1, val_auc=float("nan")))
        ledger.record_epochs(database, held, "key", rows, epoch=1, lease_seconds=5)
        assert repr(ledger.read_curves(database, study.uuid, 0)) == repr(rows)

    def test_what_the_holder_computes_takes_the_place_of_what_a_lost_attempt_left(
        self, database: Database
    ) -> None:
        """On another device the same epoch may have other values: reports, value and rows must be of one attempt."""
        study = make_study(database)
        lost = claim(database, study)
        left = [make_row(0, 0, 1, 0.6), make_row(0, 0, 2, 0.9, val_loss=7.0)]
        ledger.record_epochs(database, lost, "key", left, epoch=2, lease_seconds=5)
        expire(database, lost)
        held = claim(database, study)
        own = [make_row(0, 0, 2, 0.7), make_row(0, 1, 2, 0.8)]
        for _ in range(2):
            ledger.record_epochs(database, held, "key", own, epoch=2, lease_seconds=5)
        with pytest.raises(LeaseLostError):
            ledger.record_epochs(database, lost, "key", left, epoch=2, lease_seconds=5)
        assert repr(ledger.read_curves(database, study.uuid)) == repr([left[0], *own])
        ledger.record_epochs(database, held, "other", [make_row(0, 0, 2, 0.1)], epoch=2, lease_seconds=5)
        assert repr(ledger.read_curves(database, study.uuid, 0, "key")) == repr([left[0], *own])

    def test_nothing_is_written_without_the_lease(self, database: Database) -> None:
        study = make_study(database)
        held = claim(database, study)
        expire(database, held)
        claim(database, study)
        with pytest.raises(LeaseLostError):
            ledger.record_epochs(database, held, "key", [make_row(0, 0, 1)], epoch=1, lease_seconds=5)
        assert ledger.read_curves(database, study.uuid) == []

    def test_epoch_means_need_every_fold(self, database: Database) -> None:
        study = make_study(database)
        for folds in (3, 2):
            held = claim(database, study)
            rows = [make_row(held.point, fold, 1, 0.5 + 0.1 * fold) for fold in range(folds)]
            ledger.record_epochs(database, held, "key", rows, epoch=1, lease_seconds=5)
        means = EpochMeans().read(database, study.uuid, 1, folds=3, metric=AUC)
        assert means == pytest.approx({0: 0.6})

    def test_what_settled_points_had_is_read_once(self, database: Database) -> None:
        study, means = make_study(database), EpochMeans()

        def read(reader: EpochMeans) -> dict[int, float]:
            return reader.read(database, study.uuid, 1, folds=3, metric=AUC)

        for outcome in (PointOutcome.COMPLETE, PointOutcome.PRUNED, None):
            held = claim(database, study)
            for fold in range(3):
                assert held.point not in read(means)
                rows = [make_row(held.point, fold, 1, 0.1 * held.point)]
                ledger.record_epochs(database, held, "key", rows, epoch=1, lease_seconds=5)
            assert (
                read(means)
                == read(EpochMeans())
                == pytest.approx({n: 0.1 * n for n in range(held.point + 1)})
            )
            if outcome:
                points.finish_point(database, held, outcome=outcome, value=0.1, trial_id=1, trial_number=1)
                assert read(means) == read(EpochMeans())
        with database.transaction() as connection:
            connection.execute(sa.delete(tables.epochs))
        assert read(means) == pytest.approx({0: 0.0, 1: 0.1})
        with database.transaction() as connection:
            connection.execute(
                sa.update(tables.points).where(tables.points.c.point == 0).values(state="open")
            )
        assert read(means) == {}

    def test_every_reading_of_scores_has_the_sign_of_the_metric(self, database: Database) -> None:
        study = make_study(database, points=2)
        metric = METRICS["neg_val_brier"]
        held = claim(database, study)
        briers = {(0, 1): 0.3, (0, 2): 0.2, (1, 1): 0.1, (1, 2): math.nan, (2, 1): 0.2, (2, 2): 0.4}
        rows = [make_row(0, fold, epoch, val_brier=value) for (fold, epoch), value in briers.items()]
        ledger.record_epochs(database, held, "key", rows, epoch=2, lease_seconds=5)
        columns = ledger.read_score_columns(database, study.uuid, metric)
        assert repr(columns.score.tolist()) == "[-0.3, -0.2, -0.1, nan, -0.2, -0.4]"
        assert EpochMeans().read(database, study.uuid, 1, folds=3, metric=metric) == pytest.approx({0: -0.2})
        assert EpochMeans().read(database, study.uuid, 2, folds=3, metric=metric) == pytest.approx({0: -0.3})
        for objective, value in (("max_of_mean", -0.2), ("mean_of_max", -0.5 / 3), ("last", -0.3)):
            means = read_fold_means(database, study.uuid, 3, epochs=2, objective=objective, metric=metric)
            assert means == pytest.approx({0: value})
        first, second = ledger.read_mean_curves(database, study.uuid, metric)
        assert (first.score, first.score_low, first.score_high) == pytest.approx((-0.2, -0.3, -0.1))
        assert (second.score, second.score_low, second.score_high) == pytest.approx((-0.3, -0.4, -0.2))
        assert math.isnan(first.train_score)
        (loss, _) = ledger.read_mean_curves(database, study.uuid, METRICS["neg_val_loss"])
        assert (loss.score, loss.train_score) == (-0.5, -0.5)

    def test_a_database_counts_the_value_of_the_first_folds_as_judge_does(self, database: Database) -> None:
        study = make_study(database, points=200)
        scores = st.floats(0, 1, width=32) | st.just(math.nan)
        tables_of_scores = arrays.arrays(np.float64, (3, 4), elements=scores)

        @settings(max_examples=25, deadline=None, database=None)
        @given(curves=tables_of_scores, folds=st.integers(1, 3))
        def check(curves: np.ndarray, folds: int) -> None:
            held = claim(database, study)
            rows = [
                make_row(held.point, fold, epoch + 1, float(curves[fold, epoch]))
                for fold in range(3)
                for epoch in range(4)
            ]
            ledger.record_epochs(database, held, "key", rows, epoch=4, lease_seconds=5)
            for objective in ("max_of_mean", "mean_of_max", "last"):
                means = read_fold_means(
                    database, study.uuid, folds, epochs=4, objective=objective, metric=AUC
                )
                value = judge(curves[:folds], objective).value
                assert means.get(held.point, math.nan) == pytest.approx(value, abs=1e-12, nan_ok=True)

        check()

    def test_a_prediction_that_was_changed_is_left_out_and_its_fold_trained_again(
        self, database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        study = make_study(database)
        held = claim(database, study)
        indices, values = np.arange(4, dtype=np.int32), np.full((1, 4, 2), 0.5, np.float16)
        with database.transaction() as connection:
            for fold in range(2):
                predictions.keep_fold(connection, held, "key", fold, indices, values)
        assert set(predictions.read_kept_folds(database, held, "key")) == {0, 1}
        changed = sa.update(tables.predictions).where(tables.predictions.c.fold == 1)
        with database.transaction() as connection:
            connection.execute(changed.values(values=(values[0] * np.float16(0.9)).tobytes()))
        assert set(predictions.read_kept_folds(database, held, "key")) == {0}
        whole = [predictions.FoldPredictions(fold, 3, indices, values[0]) for fold in range(2)]
        predictions.keep_predictions(database, held, "key", whole)
        with database.transaction() as connection:
            connection.execute(changed.values(values=values.tobytes()[:7]))
        assert [fold.fold for fold in predictions.read_predictions(database, study.uuid, 0)] == [0]
        assert "fold 1, are damaged" in caplog.text
        both = predictions.read_predictions(database, study.uuid, 0, with_damaged=True)
        assert [(fold.fold, fold.is_whole) for fold in both] == [(0, True), (1, False)]

    def test_predictions_go_on_in_a_database_without_checksums_until_an_upgrade(
        self, database: Database
    ) -> None:
        with database.transaction() as connection:
            connection.execute(sa.text("ALTER TABLE orch_predictions DROP COLUMN digest"))
        study = make_study(database)
        held = claim(database, study)
        kept = predictions.FoldPredictions(
            0, 1, np.arange(3, dtype=np.int32), np.full((3, 1), 0.5, np.float16)
        )
        for _ in range(2):
            predictions.keep_predictions(database, held, "key", [kept])
            (found,) = predictions.read_predictions(database, study.uuid, 0)
            assert found.values.tolist() == kept.values.tolist()
            with database.transaction() as connection:
                columns.add_missing(connection)
        assert columns.list_missing(database, tables.predictions) == frozenset()

    def test_predictions_come_back_by_fold_and_are_replaced_by_a_later_attempt(
        self, database: Database
    ) -> None:
        study = make_study(database)
        held = claim(database, study)
        for shift in (0.0, 0.25):
            predictions.keep_predictions(
                database,
                held,
                "key",
                [
                    predictions.FoldPredictions(
                        fold, 3, np.arange(fold, 5), np.full((5 - fold, 2), 0.5 + shift, np.float16)
                    )
                    for fold in range(2)
                ],
            )
        first, second = predictions.read_predictions(database, study.uuid, 0)
        assert second.indices.tolist() == [1, 2, 3, 4]
        assert first.values.dtype == np.float16
        assert first.values.shape == (5, 2)
        assert (first.values == 0.75).all()

    def test_the_fleet_is_listed(self, database: Database) -> None:
        for state in ("working", "idle"):
            fleet.note_worker(
                database, worker="w", host="h", pid=1, device="CPU", state=state, versions={"keras": "3"}
            )
        (worker,) = fleet.list_workers(database)
        assert (worker.state, worker.versions) == ("idle", {"keras": "3"})
        assert worker.seconds_ago < 5


def _claim_and_finish(url: str, name: str, done: list[int]) -> None:
    database = open_database(url)
    study = studies.load_study(database, name)
    while held := points.claim_point(database, study, worker="w", token=str(uuid.uuid4())):
        points.finish_point(
            database, held, outcome=PointOutcome.COMPLETE, value=0.5, trial_id=1, trial_number=1
        )
        done.append(held.point)
    database.close()


def _create(url: str) -> None:
    make_study(open_database(url, create=True))


class TestManyProcesses:
    def test_every_point_goes_to_one_process(self, database: Database, database_url: str) -> None:
        make_study(database, points=60)
        with processes.Manager() as manager:
            done = manager.list()
            started = [
                processes.Process(target=_claim_and_finish, args=(database_url, "small", done))
                for _ in range(4)
            ]
            for process in started:
                process.start()
            for process in started:
                process.join()
            assert [process.exitcode for process in started] == [0] * 4
            assert sorted(done) == list(range(60))

    @pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
    def test_first_touch_of_an_empty_database_by_many(
        self, kind: str, tmp_path: object, request: pytest.FixtureRequest
    ) -> None:
        url = (
            f"sqlite:///{tmp_path}/new.db"
            if kind == "sqlite"
            else request.getfixturevalue("empty_postgres_url")
        )
        started = [processes.Process(target=_create, args=(url,)) for _ in range(4)]
        for process in started:
            process.start()
        for process in started:
            process.join()
        assert [process.exitcode for process in started] == [0] * 4
        database = open_database(url)
        (study,) = studies.list_studies(database)
        assert points.count_points(database, study.uuid).open == 6
        with database.reading() as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM studies")).scalar_one() == 1
        database.close()

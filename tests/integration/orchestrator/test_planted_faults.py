"""Every check of `orch study verify`, seen to find: one fault in a finished study, one row of the table."""

from __future__ import annotations

import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.studies.verify import RECORD_GONE, verify_study
from storage.data.datasets import Dataset
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import StudyUnreadableError
from storage.spec.distributions import distributions
from storage.states import AttemptEnd
from storage.studies import points, trials
from storage.studies.points import count_points
from storage.studies.study import StudyRecord, load_study
from storage.studies.sweeping import sweep
from tests.labelled_studies import LabelledObjective, make_dataset, make_labelled_study
from tests.studies import claim, expire
from workers.attempts.attempt import Attempt, Outcome
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker
from workers.pruning.rules import NoPruner


class AfterTwo(NoPruner):
    """Stops a trial after its second epoch."""

    def should_stop(self, point: int, step: int, *rest: object) -> bool:
        """Whether it is the second."""
        return step == 2


class EveryEnd(LabelledObjective):
    """Point 2 is pruned, point 3 fails, the others are complete."""

    def signal(self, point: int, fold: int, epoch: int) -> float:
        """Point 2 knows nothing."""
        return 0.0 if point == 2 else super().signal(point, fold, epoch)

    def evaluate(self, attempt: Attempt) -> Outcome:
        """End it as its number says."""
        if attempt.point == 3:
            raise ValueError("a planted error")
        pruner = AfterTwo() if attempt.point == 2 else attempt.pruner
        return super().evaluate(replace(attempt, pruner=pruner))


@dataclass(frozen=True)
class Finished:
    """A study in which there is one of everything, to be copied."""

    path: Path
    dataset: Dataset


@pytest.fixture(scope="module")
def finished(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Points 0, 1 and 4 complete (0 after a lost attempt), 2 pruned, 3 failed, 5 at work after it was given back."""
    folder = tmp_path_factory.mktemp("planted")
    for part in sqlite_template.parent.glob("orch.db*"):
        shutil.copy(part, folder / part.name)
    dataset = make_dataset(folder / "data")
    database = open_database(f"sqlite:///{folder / 'orch.db'}")
    study = make_labelled_study(database, dataset, **{"study.retries": 1, "study.lease_seconds": 3600})
    known = distributions(study.spec)

    def attempt() -> tuple[points.Claim, int]:
        held = claim(database, study)
        trial_id, number = trials.start_trial(database, study, held, known, "worker")
        points.note_trial(database, held, trial_id=trial_id, trial_number=number)
        return held, trial_id

    lost, _ = attempt()
    expire(database, lost)
    sweep(database, study)
    others = [claim(database, study) for _ in range(5)]
    stopped, trial_id = attempt()
    for held in others:
        points.release_point(database, held)
    trials.end_trial(database, trial_id, AttemptEnd.STOPPED)
    points.release_point(database, stopped)
    others = [claim(database, study) for _ in range(5)]
    attempt()
    for held in others:
        points.release_point(database, held)

    stop = threading.Event()

    def studies() -> list[StudyRecord]:
        counts = count_points(database, study.uuid)
        if counts.complete + counts.pruned + counts.failed == 5:
            stop.set()
        return [study]

    Worker(Circumstances(database, stop), lambda _: EveryEnd(dataset)).run(studies)
    database.close()
    return Finished(folder / "orch.db", dataset)


def of_point(point: int, state: str) -> str:
    """The id of the trial of a point in that state, as a subquery."""
    return (
        f"(SELECT t.trial_id FROM trials t JOIN trial_user_attributes a ON a.trial_id = t.trial_id AND a.key = 'point' "
        f"AND a.value_json = '{point}' WHERE t.state = '{state}' LIMIT 1)"
    )


POINT_1 = of_point(1, "COMPLETE")
CELL = "UPDATE orch_epochs SET {} WHERE point = 1 AND fold = {} AND epoch = {}"
CHANGED_SPEC = ("The spec was changed after the study was created",)
REPORTED = r"Trial \d+ \(planned trial 1\) reported other values than its fold results have"
OF_FOLDS = r"Trial \d+ \(planned trial 1\) says \[.*\] of its folds, and its fold results are"
SCORED = (
    r"Planned trial 1 keeps predictions of fold {} with an AUC of 0\.\d+( to 0\.\d+)?, and 0\.\d+ is recorded"
)

CHAINED = re.compile(
    r"Since the chain noted it, this was changed: |The (fold results|kept predictions) of planned trial \d+ were changed after it"
    r"|Planned trial \d+ was finished(,| with) |The study was created with \d+ trials and has \d+"
)
OF_THE_CHAIN = re.compile(r"(UPDATE|INTO|DELETE FROM) orch_(points|epochs|predictions|studies)\b")
"""What the chain of hashes says of an edited or deleted row, and of which tables it holds the rows."""

WRITTEN = r"Planned trial 1 keeps predictions of fold [\d, ]+ that are not those that were written"

FAULTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "a point is gone": (
        ("DELETE FROM orch_points WHERE point = 5",),
        ("The plan has 6 trials, numbered from 0; the database has 5", r"Trial \d+ belongs to no planned trial"),
    ),
    "a point has other parameters": (
        ("""UPDATE orch_points SET params = '{"batch_size": 99}' WHERE point = 3""",),
        (r"Planned trial 3 has the parameters {'batch_size': 99}, and the plan {'batch_size': 19}",),
    ),
    "a trial of a point that is not planned": (
        (f"UPDATE trial_user_attributes SET value_json = '6' WHERE key = 'point' AND trial_id = {of_point(5, 'RUNNING')}",),
        (r"Trial \d+ belongs to no planned trial",),
    ),
    "a trial of no point": (
        (f"DELETE FROM trial_user_attributes WHERE key = 'point' AND trial_id = {of_point(5, 'RUNNING')}",),
        (r"Trial \d+ belongs to no planned trial",),
    ),
    "fold results of another spec": (
        ("UPDATE orch_epochs SET run_key = 'another' WHERE point = 1 AND fold = 0",),
        ("Planned trial 1 has fold results of other parameters or another spec",),
    ),
    "two finished trials": (
        (f"UPDATE trials SET state = 'COMPLETE' WHERE trial_id = {of_point(0, 'FAIL')}",),
        (r"Planned trial 0 is done and has 2 finished trials \[\d+, \d+\], not one",),
    ),
    "no finished trial": (
        (f"UPDATE trials SET state = 'FAIL' WHERE trial_id = {POINT_1}",),
        (r"Planned trial 1 is done and has 0 finished trials \[\], not one", r"Trial \d+ \(planned trial 1\) is FAIL and does not say why"),
    ),
    "another trial finished it": (
        ("UPDATE orch_points SET trial_number = 99 WHERE point = 1",),
        (r"Planned trial 1 is COMPLETE by trial 99, but trial \d+ is COMPLETE",),
    ),
    "its trial ended otherwise": (
        (f"UPDATE trials SET state = 'PRUNED' WHERE trial_id = {POINT_1}",),
        (r"Planned trial 1 is COMPLETE by trial (\d+), but trial \1 is PRUNED",),
    ),
    "its trial has another value": (
        (f"UPDATE trial_values SET value = 0.99 WHERE trial_id = {POINT_1}",),
        (r"Planned trial 1 has the value 0\.\d+, and its trial 0\.99",),
    ),
    "its trial has other parameters": (
        (f"UPDATE trial_params SET param_value = 77 WHERE trial_id = {POINT_1}",),
        (r"Planned trial 1 has the parameters {'batch_size': 17}, and its trial {'batch_size': 77}",),
    ),
    "a finished trial of a claimed point": (
        (f"UPDATE trials SET state = 'COMPLETE' WHERE trial_id = {of_point(5, 'RUNNING')}",),
        ("Planned trial 5 is claimed and yet has a finished trial",),
    ),
    "an attempt too many": (
        ("UPDATE orch_points SET attempt = 1 WHERE point = 0",),
        (r"Planned trial 0 was claimed 1 times and has trials of the attempts \[1, \d\]",),
    ),
    "an attempt numbered 0": (
        (f"UPDATE trial_user_attributes SET value_json = '0' WHERE key = 'attempt' AND trial_id = {POINT_1}",),
        (r"Planned trial 1 was claimed \d times and has trials of the attempts \[0\]",),
    ),
    "failed without an error": (
        ("UPDATE orch_points SET error = NULL WHERE point = 3",),
        ("Planned trial 3 failed without an error on record",),
    ),
    "failed too early": (
        ("UPDATE orch_points SET failures = 1 WHERE point = 3",),
        ("Planned trial 3 failed after 1 error and 0 losses, which is too early",),
    ),
    "a claim of another worker": (
        ("UPDATE orch_points SET token = 'another' WHERE point = 5",),
        (r"Trial \d+ \(planned trial 5\) is RUNNING, but no worker works on it",),
    ),
    "RUNNING at a point that is open": (
        ("UPDATE orch_points SET state = 'open' WHERE point = 5",),
        (r"Trial \d+ \(planned trial 5\) is RUNNING, but no worker works on it", "Planned trial 5 is open and still has a lease"),
    ),
    "an attempt that does not say why it ended": (
        (f"DELETE FROM trial_user_attributes WHERE key = 'orch_outcome' AND trial_id = {of_point(0, 'FAIL')}",),
        (r"Trial \d+ \(planned trial 0\) is FAIL and does not say why",),
    ),
    "an attempt that failed without an error": (
        (f"DELETE FROM trial_user_attributes WHERE key = 'error' AND trial_id = {of_point(3, 'FAIL')}",),
        (r"Trial \d+ \(planned trial 3\) failed without an error on record",),
    ),
    "an error that no attempt has": (
        ("UPDATE orch_points SET failures = 3 WHERE point = 3",),
        ("Planned trial 3 counts 3 errors, its trials 2",),
    ),
    "the last epoch of a fold is missing": (
        ("DELETE FROM orch_epochs WHERE point = 1 AND fold = 2 AND epoch = 4",),
        ("Planned trial 1 lacks 1 of 12 fold-epochs", REPORTED),
    ),
    "a whole fold of a pruned trial is missing": (
        ("DELETE FROM orch_epochs WHERE point = 2 AND fold = 1",),
        (r"Planned trial 2 lacks 2 of 6 fold-epochs", REPORTED.replace("1", "2")),
    ),
    "a fold that the study does not have": (
        ("UPDATE orch_epochs SET fold = 3 WHERE point = 2 AND fold = 2",),
        ("Planned trial 2 has 2 fold-epochs of a fold or an epoch that the study does not have", "Planned trial 2 lacks", REPORTED.replace("1", "2")),
    ),
    "an epoch too many": (
        ("UPDATE orch_epochs SET epoch = 5 WHERE point = 1 AND epoch = 4 AND fold = 0",),
        ("Planned trial 1 has 1 fold-epochs of a fold or an epoch", "Planned trial 1 lacks 1 of 12", REPORTED),
    ),
    "steps that cannot be": (
        (CELL.format("steps = 1", 0, 2),),
        ("Planned trial 1 has 1 fold-epochs with another number of optimizer steps",),
    ),
    "a better value in both tables": (
        ("UPDATE orch_points SET value = 0.99 WHERE point = 1", f"UPDATE trial_values SET value = 0.99 WHERE trial_id = {POINT_1}"),
        (r"Planned trial 1 has the value 0\.99, and its fold results mean 0\.\d+",),
    ),
    "a better value in every table": (
        (
            "UPDATE orch_epochs SET val_auc = val_auc + 0.03 WHERE point = 1 AND epoch = 3",
            "UPDATE orch_points SET value = value + 0.03 WHERE point = 1",
            f"UPDATE trial_values SET value = value + 0.03 WHERE trial_id = {POINT_1}",
        ),
        (REPORTED, OF_FOLDS, *(SCORED.format(fold) for fold in range(3))),
    ),
    "an early epoch of one fold": ((CELL.format("val_auc = val_auc + 0.02", 0, 1),), (REPORTED,)),
    "two folds, the mean being kept": (
        (CELL.format("val_auc = val_auc + 0.02", 0, 3), CELL.format("val_auc = val_auc - 0.02", 1, 3)),
        (OF_FOLDS, SCORED.format(0), SCORED.format(1)),
    ),
    "an epoch that a trial does not come from": (
        (f"UPDATE trial_user_attributes SET value_json = '2' WHERE key = 'best_epoch' AND trial_id = {POINT_1}",),
        (r"Trial \d+ \(planned trial 1\) says that epoch 2 counts, and by its fold results it is epoch 3",),
    ),
    "predictions of a fold are gone": (
        ("DELETE FROM orch_predictions WHERE point = 1 AND fold = 1",),
        ("Planned trial 1 is complete and keeps predictions of 2 of 3 folds",),
    ),
    "an image is predicted twice": (
        (
            "UPDATE orch_predictions SET (indices, \"values\") = (SELECT indices, \"values\" FROM orch_predictions p "
            "WHERE p.point = 1 AND p.fold = 0) WHERE point = 1 AND fold = 1",
        ),
        ("Planned trial 1 predicts an image in more than one fold", SCORED.format(1)),
    ),
    "predictions of other folds": (
        tuple(
            f"UPDATE orch_predictions SET fold = {to} WHERE point = 1 AND fold = {fold}"
            for fold, to in ((0, 9), (1, 0), (9, 1))
        ),
        (SCORED.format(0), SCORED.format(1)),
    ),
    "predictions of an image that is not there": (
        ("UPDATE orch_predictions SET indices = CAST(x'ffff0000' || substr(indices, 5) AS BLOB) WHERE point = 1 AND fold = 0",),
        ("Planned trial 1 keeps predictions of fold 0 that do not fit the data set",),
    ),
    "predictions of more labels": (
        ("UPDATE orch_predictions SET target_count = 1 WHERE point = 1 AND fold = 0",),
        ("Planned trial 1 keeps predictions of fold 0 that do not fit the data set",),
    ),
    "predictions after another epoch": (
        ("UPDATE orch_predictions SET epoch = 2 WHERE point = 1 AND fold = 0",),
        ("Planned trial 1 keeps predictions of fold 0 after epoch 2, and epoch 3 is the one that counts", SCORED.format(0)),
    ),
    "predictions that are zero": (
        ("UPDATE orch_predictions SET \"values\" = zeroblob(length(\"values\")) WHERE point = 1",),
        tuple(SCORED.format(fold).replace(r"0\.\d+( to 0\.\d+)?,", "0.5000,") for fold in range(3)),
    ),
    "predictions of another trial": (
        (
            "UPDATE orch_predictions SET \"values\" = (SELECT \"values\" FROM orch_predictions p WHERE p.point = 4 AND "
            "p.fold = orch_predictions.fold) WHERE point = 1",
        ),
        tuple(SCORED.format(fold) for fold in range(3)),
    ),
    "predictions of other parameters": (
        ("UPDATE orch_predictions SET run_key = replace(run_key, substr(run_key, 1, 8), 'ffffffff') WHERE point = 1 AND fold = 2",),
        (WRITTEN,),
    ),
    "another learning rate": (
        ("""UPDATE orch_studies SET spec = replace(spec, '"learning_rate":0.001', '"learning_rate":0.01')""",),
        CHANGED_SPEC,
    ),
    "another pruner": (("""UPDATE orch_studies SET spec = replace(spec, '"name":"none"', '"name":"median"')""",), CHANGED_SPEC),
    "a plan that was cut after the fact": (
        (
            """UPDATE orch_studies SET spec = replace(spec, '"trials":6', '"trials":5')""",
            f"DELETE FROM trial_user_attributes WHERE trial_id = {of_point(5, 'RUNNING')}",
            "DELETE FROM trial_user_attributes WHERE key = 'point' AND value_json = '5'",
            "DELETE FROM trials WHERE trial_id NOT IN (SELECT trial_id FROM trial_user_attributes WHERE key = 'point')",
            "DELETE FROM orch_points WHERE point = 5",
        ),
        CHANGED_SPEC,
    ),
    "listed with other data": (
        ("UPDATE orch_studies SET fingerprint = 'sha256:1'",),
        ("The study is listed with the data set sha256:1, and its spec names sha256:",),
    ),
    "the curves of all folds are cut short": (
        ("DELETE FROM orch_epochs WHERE point = 1 AND epoch = 4",),
        ("Planned trial 1 lacks 3 of 12 fold-epochs", REPORTED),
    ),
    "a fold twice": (
        (
            "INSERT INTO orch_epochs (study_uuid, point, run_key, fold, epoch, val_auc, steps, samples, labels_left_out, seconds) "
            "SELECT study_uuid, point, 'another', fold, epoch, val_auc, steps, samples, labels_left_out, seconds FROM orch_epochs "
            "WHERE point = 1 AND fold = 1",
        ),
        ("Planned trial 1 has fold results of other parameters or another spec",),
    ),
    "fold results of a trial that is not there": (
        (
            "INSERT INTO orch_epochs (study_uuid, point, run_key, fold, epoch, val_auc, steps, samples, labels_left_out, seconds) "
            "SELECT study_uuid, 77, run_key, fold, epoch, val_auc, steps, samples, labels_left_out, seconds FROM orch_epochs "
            "WHERE point = 1",
        ),
        ("The database has fold results of planned trial 77, which the study does not have",),
    ),
    "predictions of a trial that is not there": (
        (
            "INSERT INTO orch_predictions (study_uuid, point, fold, run_key, epoch, target_count, indices, \"values\") "
            "SELECT study_uuid, 77, fold, run_key, epoch, target_count, indices, \"values\" FROM orch_predictions WHERE point = 1",
        ),
        ("The database has predictions of planned trial 77, which the study does not have",),
    ),
    "the lease of a finished trial": (
        ("UPDATE orch_points SET expires_at = 1e12 WHERE point = 1",),
        ("Planned trial 1 is done and still has a lease",),
    ),
    "the lease of a failed trial": (
        ("UPDATE orch_points SET expires_at = 1e12 WHERE point = 3",),
        ("Planned trial 3 is failed and still has a lease",),
    ),
    "a lease without an end": (
        ("UPDATE orch_points SET expires_at = NULL WHERE point = 5",),
        ("Planned trial 5 is claimed without a lease that ends",),
    ),
    "a lease that ends never": (
        ("UPDATE orch_points SET expires_at = 9e999 WHERE point = 5",),
        ("Planned trial 5 is claimed without a lease that ends",),
    ),
    "a claim of nobody": (
        ("UPDATE orch_points SET token = NULL WHERE point = 5",),
        ("Planned trial 5 is claimed without a lease that ends", r"Trial \d+ \(planned trial 5\) is RUNNING, but no worker works on it"),
    ),
    "a value before the end": (
        ("UPDATE orch_points SET value = 0.99 WHERE point = 5",),
        ("Planned trial 5 is claimed and yet has an outcome or a value",),
    ),
    "an outcome of a trial that failed": (
        ("UPDATE orch_points SET outcome = 'PRUNED' WHERE point = 3",),
        ("Planned trial 3 is failed and yet has an outcome or a value",),
    ),
    "an end without a time": (
        ("UPDATE orch_points SET finished_at = NULL WHERE point = 2",),
        ("Planned trial 2 is done without the time when it ended",),
    ),
    "an end without an outcome": (
        ("UPDATE orch_points SET outcome = NULL WHERE point = 1",),
        ("Planned trial 1 is done without an outcome", r"Planned trial 1 is None by trial (\d+), but trial \1 is COMPLETE"),
    ),
    "a state that there is not": (
        ("UPDATE orch_points SET state = 'halfway' WHERE point = 1",),
        ("The row of planned trial 1 in the database cannot be read: 'halfway' is not",),
    ),
    "an outcome that there is not": (
        ("UPDATE orch_points SET outcome = 'WON' WHERE point = 1",),
        ("The row of planned trial 1 in the database cannot be read: 'WON' is not",),
    ),
    "parameters cut off": (
        ("UPDATE orch_points SET params = substr(params, 1, 5) WHERE point = 1",),
        ("The row of planned trial 1 in the database cannot be read: ",),
    ),
    "a score that is a word": (
        (CELL.format("val_auc = 'high'", 0, 1),),
        (r"Planned trial 1 has something in a row that orch does not write \(.*'high'",),
    ),
    "fold values that are a word": (
        (f"""UPDATE trial_user_attributes SET value_json = '"two"' WHERE key = 'fold_values' AND trial_id = {POINT_1}""",),
        (r"Planned trial 1 has something in a row that orch does not write \(.*'two'",),
    ),
    "an attempt that is a list": (
        (f"UPDATE trial_user_attributes SET value_json = '[1]' WHERE key = 'attempt' AND trial_id = {POINT_1}",),
        ("Planned trial 1 has something in a row that orch does not write",),
    ),
    "Optuna's record is gone": (("DELETE FROM studies",), (re.escape(RECORD_GONE),)),
}  # fmt: skip
"""What is planted: the statements, and a pattern for every sentence that verify must say; it may say no other."""


@pytest.fixture(scope="module")
def opened(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A copy of the study, opened once: every test plants its fault in it and finds it as it was."""
    path = tmp_path_factory.mktemp("opened") / "orch.db"
    restore(finished, path)
    database = open_database(f"sqlite:///{path}")
    yield database
    database.close()


def restore(finished: Finished, path: str | Path) -> None:
    """Let a database be the finished study, with whoever has it open."""
    with closing(sqlite3.connect(finished.path)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)


def verify(database: Database, dataset: Dataset | None) -> dict[str, Any]:
    """What verify says of the study as it is now."""
    study = load_study(database, "labelled")
    planned: list[dict[str, Any] | None] = [{"batch_size": 16 + n} for n in range(study.spec.point_count)]
    document = verify_study(database, study, planned, dataset)
    assert document["ok"] is (document["problems"] == [])
    return document


@pytest.mark.parametrize("has_data", [True, False])
def test_nothing_is_found_where_nothing_was_planted(
    finished: Finished, opened: Database, has_data: bool
) -> None:
    restore(finished, opened.url.database or "")
    document = verify(opened, finished.dataset if has_data else None)
    assert document["problems"] == []
    counts = {
        name: document["points"][name]
        for name in ("planned", "open", "running", "complete", "pruned", "failed")
    }
    assert counts == {"planned": 6, "open": 0, "running": 1, "complete": 3, "pruned": 1, "failed": 1}
    assert document["trials"] == {"COMPLETE": 3, "PRUNED": 1, "FAIL": 4, "RUNNING": 1}
    assert document["attempts"] == {
        "complete": 3, "pruned": 1, "lost": 1, "failed": 2, "stopped": 1, "running": 1, "without_trial": 10,
    }  # fmt: skip
    assert document["folds"] == {"recorded": 3 * 12 + 6, "missing": 0}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(finished: Finished, opened: Database, fault: str) -> None:
    statements, patterns = FAULTS[fault]
    path = opened.url.database or ""
    restore(finished, path)
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement
        connection.commit()
        if statements[0].startswith("UPDATE orch_predictions") and patterns != (WRITTEN,):
            assert any(re.match(WRITTEN, problem) for problem in verify(opened, finished.dataset)["problems"])
            # And by what they mean, as in a database of an orch that kept no checksums.
            connection.execute("UPDATE orch_predictions SET digest = NULL")
            connection.commit()
        chained = [
            problem for problem in verify(opened, finished.dataset)["problems"] if CHAINED.match(problem)
        ]
        assert not chained or any(OF_THE_CHAIN.search(statement) for statement in statements), chained
        # And by what they mean, as in a database of an orch that kept no chain.
        connection.execute("DELETE FROM orch_facts WHERE key LIKE 'chain:%'")
        connection.commit()
    found = verify(opened, finished.dataset)["problems"]
    for pattern in patterns:
        assert any(re.match(pattern, problem) for problem in found), (pattern, found)
    for problem in found:
        assert any(re.match(pattern, problem) for pattern in patterns), problem


@pytest.mark.parametrize(
    "change",
    [
        CELL.format("val_auc = val_auc + 1e-9", 0, 1),
        "UPDATE orch_points SET value = value + 1e-9 WHERE point = 1",
    ],
)
def test_the_chain_names_a_number_that_was_changed_by_a_billionth(
    finished: Finished, opened: Database, change: str
) -> None:
    restore(finished, opened.url.database or "")
    with closing(sqlite3.connect(opened.url.database or "")) as connection:
        assert connection.execute(change).rowcount == 1
        connection.commit()
    (problem,) = verify(opened, finished.dataset)["problems"]
    assert re.match("(The fold results of p|P)lanned trial 1 (were changed after it )?was finished", problem)


def test_a_row_that_cannot_be_read_is_no_defect_of_whatever_command_meets_it(
    finished: Finished, opened: Database
) -> None:
    restore(finished, opened.url.database or "")
    with closing(sqlite3.connect(opened.url.database or "")) as connection:
        connection.execute("UPDATE orch_points SET state = 'halfway' WHERE point = 1")
        connection.commit()
    study = load_study(opened, "labelled")
    with pytest.raises(
        StudyUnreadableError, match=r"planned trial 1 .* edited or damaged.* `orch study verify"
    ):
        points.list_points(opened, study.uuid)
    counts = count_points(opened, study.uuid)
    assert (counts.planned, counts.complete, counts.is_settled) == (6, 2, False)

"""A study grows: the sequence goes on, guesses and enqueued trials become points once, and what other tools told breaks nothing."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import sqlalchemy as sa
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from dashboards.tables.view import read_view
from orchestrator.planning.foreign_studies import read_foreign_study
from orchestrator.planning.growing import add
from orchestrator.planning.plan import plan_points
from orchestrator.studies.best import best_document
from orchestrator.studies.records import study_document
from orchestrator.studies.verify import verify_study
from storage.database import tables
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import SpecError
from storage.growth.adoption import adopt_enqueued
from storage.growth.evidence import Evidence, read_evidence
from storage.growth.extending import extend_study
from storage.spec import StudySpec, parse
from storage.spec.distributions import distributions
from storage.studies.point_records import ADDED_FROM, list_points
from storage.studies.study import StudyRecord, create_study, delete_study, load_study
from storage.studies.study_records import growth_of, planned_count
from tests.studies import PretendObjective, make_spec, make_study
from workers.attempts.attempt import Attempt
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

Run = Callable[..., subprocess.CompletedProcess[str]]
SEARCH = {
    "batch_size": {"type": "int", "low": 16, "high": 2048},
    "dropout_rate": {"type": "float", "low": 0.0, "high": 0.5},
}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database with orch's tables."""
    with closing(open_database(database_url)) as opened:
        yield opened


def make_real_study(database: Database, sampler: str = "random", points: int = 3) -> StudyRecord:
    """A study whose points are those of its plan."""
    document = make_spec(points=points).model_dump(mode="json")
    spec = parse({**document, "search": SEARCH, "sampler": {"name": sampler}}, source="a test")
    return create_study(database, spec, plan_points(spec), data_folder="", facts={})


def work(
    database: Database, name: str = "small", *, before: Callable[[Attempt], None] = lambda attempt: None
) -> None:
    """Let a worker finish the study."""
    objective = PretendObjective(before=before)
    Worker(Circumstances(database), lambda _: objective).run(lambda: [load_study(database, name)])


def verify(database: Database, name: str = "small") -> dict[str, Any]:
    study = load_study(database, name)
    return verify_study(database, study, plan_points(study.spec, planned_count(study)))


def draw_after(evidence: Evidence, study: StudyRecord) -> dict[str, Any]:
    """What TPE draws first when it was told the evidence, the worst first."""
    seed = int(np.random.SeedSequence([study.spec.study.seed, 0]).generate_state(1)[0])
    told = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    kinds = distributions(study.spec)
    for place, start in enumerate(evidence.starts):
        told.add_trial(optuna.trial.create_trial(params=start["params"], distributions=kinds, value=place))
    return dict(told.ask(kinds).params)


def in_optuna(database: Database) -> optuna.Study:
    return optuna.load_study(study_name="small", storage=database.optuna)


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe", "listed"])
def test_a_longer_plan_begins_with_the_shorter(sampler: str) -> None:
    listed = {"points": [{"batch_size": 16, "dropout_rate": 0.0}, {"batch_size": 32, "dropout_rate": 0.1}]}
    document = make_spec(points=100).model_dump(mode="json")
    short = parse(
        {
            **document,
            "search": SEARCH,
            "sampler": {"name": sampler, **(listed if sampler == "listed" else {})},
        },
        source="a test",
    )
    long: StudySpec = short.with_values({"study.trials": 200})
    assert plan_points(short, 200) == plan_points(long)
    assert plan_points(long)[:100] == plan_points(short)


def test_coordinators_that_extend_at_once_beside_a_worker_give_each_point_once(
    database: Database, database_url: str
) -> None:
    study = make_real_study(database)
    together = threading.Barrier(3)

    def extend(total: int) -> None:
        with closing(open_database(database_url)) as other:
            together.wait()
            extend_study(other, study, plan_points(study.spec, total))

    coordinators = [threading.Thread(target=extend, args=(total,)) for total in (8, 6, 8)]

    def begin(attempt: Attempt) -> None:
        if attempt.point == 1:
            for coordinator in coordinators:
                coordinator.start()
            for coordinator in coordinators:
                coordinator.join()

    work(database, before=begin)
    points = list_points(database, study.uuid)
    assert [point.point for point in points] == list(range(8))
    assert [point.params for point in points] == plan_points(study.spec.with_values({"study.trials": 8}))
    assert all(point.is_complete for point in points)
    document = verify(database)
    assert document["ok"], document["problems"]


def test_a_worker_that_waits_takes_up_what_is_added_to_a_finished_study(
    database: Database, run_orch: Run, database_url: str
) -> None:
    make_real_study(database, points=2)
    stop = threading.Event()
    worker = Worker(Circumstances(database, stop), lambda _: PretendObjective())
    looks = 0

    def studies() -> list[StudyRecord]:
        nonlocal looks
        study = load_study(database, "small")
        settled = [point for point in list_points(database, study.uuid) if point.state.is_settled]
        if len(settled) == 2 and study.uuid in worker._settled and not growth_of(study):
            done = run_orch("study", "extend", "small", "--trials", "3", "--storage", database_url)
            assert done.returncode == 0, done.stderr
            in_optuna(database).enqueue_trial({"batch_size": 99, "dropout_rate": 0.25})
            worker._adopted_at[0] = 0.0
        looks += 1
        if len(settled) == 4 or looks > 40:
            stop.set()
        return [load_study(database, "small")]

    worker.run(studies, forever=True)
    points = list_points(database, load_study(database, "small").uuid)
    assert [(point.point, point.is_complete) for point in points] == [
        (0, True), (1, True), (2, True), (ADDED_FROM, True),
    ]  # fmt: skip


@pytest.mark.main_tier("sqlite")
def test_an_enqueued_trial_becomes_one_point_and_keeps_its_number(
    database: Database, database_url: str
) -> None:
    study = make_real_study(database)
    others = in_optuna(database)
    others.enqueue_trial({"batch_size": 64, "dropout_rate": 0.125})
    others.enqueue_trial({"batch_size": 65})
    others.enqueue_trial({"batch_size": 1_000_000, "dropout_rate": 0.1})
    others.enqueue_trial({"momentum": 0.5})
    found: list[int] = []
    together = threading.Barrier(3)

    def adopt() -> None:
        with closing(open_database(database_url)) as other:
            together.wait()
            found.append(adopt_enqueued(other, study))

    threads = [threading.Thread(target=adopt) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found) == 2
    assert adopt_enqueued(database, study) == 0
    first, second = list_points(database, study.uuid)[3:]
    assert first.params == {"batch_size": 64, "dropout_rate": 0.125}
    assert second.params is not None
    assert second.params["batch_size"] == 65
    assert 0 <= second.params["dropout_rate"] <= 0.5
    work(database)
    trials = in_optuna(database).trials
    by_number = {point.trial_number: point for point in list_points(database, study.uuid)}
    assert [trial.state.name for trial in trials[:4]] == ["COMPLETE", "COMPLETE", "FAIL", "FAIL"]
    assert by_number[0].point == ADDED_FROM, "the enqueued trial comes first, and is its own attempt"
    assert trials[0].params == first.params
    assert "lies outside" in trials[2].user_attrs["orch_refused"]
    assert "does not search momentum" in trials[3].user_attrs["orch_refused"]
    document = verify(database)
    assert document["ok"], document["problems"]
    assert document["added"] == {"enqueued": 2}
    assert document["foreign"] == {"refused": 2}


@pytest.mark.main_tier("sqlite")
def test_what_another_tool_told_is_shown_as_foreign_and_breaks_nothing(
    database: Database, database_url: str, run_orch: Run
) -> None:
    study = make_real_study(database, sampler="tpe", points=4)
    others = in_optuna(database)
    for value in (1e9, 0.1, float("inf")):
        others.add_trial(
            optuna.trial.create_trial(
                params={"unet": 1.0},
                distributions={"unet": optuna.distributions.FloatDistribution(0, 2)},
                value=value,
            )
        )
    others.ask()
    others.enqueue_trial({"batch_size": 70, "dropout_rate": 0.25})
    work(database)
    document = study_document(database, load_study(database, "small"), whole=True)
    assert document["best"]["value"] < 1
    assert document["foreign"] == {"told": 4}
    assert [point["origin"] for point in document["all_points"]] == [*["plan"] * 4, "enqueued"]
    assert best_document(database, load_study(database, "small"))["value"] < 1
    assert verify(database)["ok"], verify(database)["problems"]
    view = read_view(database, load_study(database, "small"))
    assert all(attempt.point is not None for attempt in view.attempts)
    assert any("by another tool" in sentence for sentence in view.provenance)
    listed = run_orch("study", "list", "--storage", database_url)
    assert "small: 4 trials were written to Optuna's record by another tool" in listed.stderr
    assert (
        "4 trials were written to Optuna's record by another tool"
        in run_orch("study", "show", "small", "--storage", database_url).stdout
    )
    assert study.uuid


@pytest.mark.main_tier("sqlite")
def test_a_guess_is_added_once_and_is_on_record(database: Database, database_url: str, run_orch: Run) -> None:
    make_real_study(database)
    there = ("--storage", database_url)

    def add(*settings: str) -> subprocess.CompletedProcess[str]:
        return run_orch(
            "study", "add", "small", *(w for s in settings for w in ("--set", s)), "--json", *there
        )

    assert add("batch_size=33").returncode == 2, "no trial is complete to take the rest from"
    done = add("batch_size=33", "training.dropout_rate=0.5")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["params"] == {"batch_size": 33, "dropout_rate": 0.5}
    work(database)
    best = study_document(database, load_study(database, "small"))["best"]
    like = json.loads(add("batch_size=34").stdout)
    assert like["params"] == {"batch_size": 34, "dropout_rate": best["params"]["dropout_rate"]}
    for settings, words in (
        (("batch_size=33", "dropout_rate=0.5"), "has this trial already"),
        (("learning_rate=0.1",), "does not search learning_rate"),
        (("batch_size=4096",), "lies outside of"),
        (("batch_size=16.5",), "lies outside of"),
        (("batch_size=many",), "lies outside of"),
        (("batch_size",), "HYPERPARAMETER=VALUE"),
    ):
        refused = add(*settings)
        assert (refused.returncode, words in refused.stderr) == (2, True), refused.stderr
    work(database)
    document = verify(database)
    assert document["ok"], document["problems"]
    assert document["added"] == {"guess": 2}
    # As if somebody wrote a point by hand.
    import sqlalchemy as sa

    with database.transaction() as connection:
        connection.execute(
            sa.text(f"UPDATE orch_points SET params = '{{\"batch_size\": 1}}' WHERE point = {ADDED_FROM}")
        )
    assert any("which the study does not search" in problem for problem in verify(database)["problems"])


@pytest.mark.parametrize(
    ("sampler", "trials", "code", "words"),
    [
        ("random", 2, 2, "--trials is the total number"),
        ("random", 3, 0, "Nothing to add"),
        ("random", 5, 0, "2 trials added"),
        ("grid", 5, 2, "a grid has an end"),
        ("grid", 2, 0, "Nothing to add"),
    ],
)
def test_extending_says_what_it_does(
    sqlite_url: str, run_orch: Run, sampler: str, trials: int, code: int, words: str
) -> None:
    with closing(open_database(sqlite_url)) as database:
        document = make_spec(points=3).model_dump(mode="json")
        grid = {"dropout_rate": {"type": "grid", "values": [0.0, 0.5]}}
        search = grid if sampler == "grid" else SEARCH
        spec = parse({**document, "search": search, "sampler": {"name": sampler}}, source="a test")
        create_study(database, spec, plan_points(spec), data_folder="", facts={})
    done = run_orch("study", "extend", "small", "--trials", str(trials), "--storage", sqlite_url)
    assert (done.returncode, words in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr


@pytest.mark.main_tier("sqlite")
def test_a_study_made_elsewhere_is_evidence_and_a_start_for_tpe(
    database: Database, database_url: str, tmp_path: Path, run_orch: Run
) -> None:
    study = make_real_study(database, sampler="tpe", points=6)
    file = tmp_path / "optuna.db"
    # A loss: lower is better, and batch sizes around 1,500 are best.
    with closing(open_database(f"sqlite:///{file}", create=True)) as elsewhere:
        other = optuna.create_study(study_name="unet", storage=elsewhere.optuna, direction="minimize")
        kinds = {
            "batch_size": optuna.distributions.IntDistribution(1, 4096),
            "dropout_rate": optuna.distributions.FloatDistribution(0, 1),
        }
        for number in range(24):
            params = {"batch_size": 100 + 120 * (number % 16), "dropout_rate": 0.02 * number}
            value = 50.0 + abs(params["batch_size"] - 1500)
            other.add_trial(optuna.trial.create_trial(params=params, distributions=kinds, value=value))
        other.add_trial(
            optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL, params={}, distributions={})
        )
    before = file.read_bytes()
    words = ("study", "import-optuna", f"sqlite:///{file}", "small", "--storage", database_url)
    done = run_orch(*words)
    assert done.returncode == 0, done.stderr
    assert "Kept 24 trials of 'unet'" in done.stdout
    assert "Left out: 1 fail" in done.stderr
    assert file.read_bytes() == before, "the other database is only read"
    again = run_orch(*words)
    assert (again.returncode, "already" in again.stderr) == (2, True)
    nowhere = run_orch(*words[:2], f"sqlite:///{tmp_path / 'no.db'}", *words[3:])
    assert (nowhere.returncode, (tmp_path / "no.db").exists()) == (2, False)
    work(database)
    assert list_points(database, study.uuid)[0].params == draw_after(read_evidence(database, study)[0], study)
    document = study_document(database, load_study(database, "small"), whole=True)
    assert document["points"]["planned"] == 6
    assert document["evidence"][0]["best"]["params"]["batch_size"] in (1420, 1540)
    assert verify(database)["ok"]
    report = run_orch("report", "small", "-o", str(tmp_path / "report.html"), "--storage", database_url)
    assert report.returncode == 0, report.stderr
    assert "Evidence from the study" in (tmp_path / "report.html").read_text()
    kept = tables.facts.c.key.startswith("evidence:")
    with database.transaction() as connection:
        changed = sa.func.replace(tables.facts.c.value, "50.0", "49.0")
        connection.execute(sa.update(tables.facts).where(kept).values(value=changed))
    assert any("'unet', made elsewhere, were changed" in one for one in verify(database)["problems"])
    delete_study(database, study)
    assert read_evidence(database, study) == []


def test_evidence_is_read_from_a_journal_and_from_the_same_server(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    study = make_real_study(database, sampler="tpe")
    journal = JournalStorage(JournalFileBackend(str(tmp_path / "journal.log")))
    # In the database of the study itself, which is a PostgreSQL server in one of the two runs.
    for url, storage in ((str(tmp_path / "journal.log"), journal), (database_url, database.optuna)):
        other = optuna.create_study(study_name="unet", storage=storage, direction="maximize")
        other.enqueue_trial({"batch_size": 64, "units": 3})
        kinds = {
            "batch_size": optuna.distributions.IntDistribution(1, 4096),
            "units": optuna.distributions.CategoricalDistribution([3, 4]),
        }
        done = other.ask(kinds)
        other.tell(done, 0.7)
        pruned = other.ask(kinds)
        pruned.report(0.1, 1)
        other.tell(pruned, state=optuna.trial.TrialState.PRUNED)
        other.tell(other.ask(kinds), state=optuna.trial.TrialState.FAIL)
        foreign = {"units": kinds["units"]}
        other.add_trial(optuna.trial.create_trial(params={"units": 4}, distributions=foreign, value=0.9))
        found = read_foreign_study(url, "unet", study.spec)
        assert [trial["value"] for trial in found.trials] == [0.7]
        assert found.left_out == {"pruned": 1, "fail": 1, "without a searched hyperparameter": 1}
        with pytest.raises(Exception, match="has no study 'resnet'"):
            read_foreign_study(url, "resnet", study.spec)


def test_a_guess_on_a_step_is_the_trial_that_the_search_would_have(sqlite_url: str) -> None:
    document = make_spec(points=1).model_dump(mode="json")
    rates = {"dropout_rate": {"type": "float", "low": 0.0, "high": 0.5, "step": 0.1}}
    optimizers = {
        "optimizer": {"type": "choice", "values": ["adam", "sgd"]},
        "momentum": {"type": "float", "low": 0.5, "high": 0.9, "when": {"optimizer": ["sgd"]}},
    }
    spec = parse({**document, "search": {**rates, **optimizers}}, source="a test")
    with closing(open_database(sqlite_url)) as database:
        tried = {"dropout_rate": 3 * 0.1, "optimizer": "sgd", "momentum": 0.75}
        study = create_study(database, spec, [tried], data_folder="", facts={})
        with pytest.raises(SpecError, match="has this trial already"):
            add(database, study, {**tried, "dropout_rate": 0.3})
        with pytest.raises(SpecError, match="momentum does not act beside the others"):
            add(database, study, {**tried, "optimizer": "adam"})
        with pytest.raises(SpecError, match="optimizer must be named, too"):
            add(database, study, {"dropout_rate": 0.2, "momentum": 0.6})
        work(database)
        like_the_best = add(database, load_study(database, "small"), {"optimizer": "adam"})
        assert like_the_best["params"] == {"dropout_rate": 3 * 0.1, "optimizer": "adam"}


def test_create_with_more_trials_names_the_command_that_extends(sqlite_url: str) -> None:
    with closing(open_database(sqlite_url)) as database:
        make_study(database, points=3)
        with pytest.raises(Exception, match="orch study extend small --trials 5"):
            make_study(database, points=5)

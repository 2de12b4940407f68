"""`orch study` and `orch worker` on small studies that are worked off without training."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator import cli
from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from orchestrator.machine.worker_process import _tell_what_comes_next, _tell_why_idle
from storage.database import schema
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.studies.study import create_study, load_study, stop_study
from tests.conftest import REPOSITORY
from tests.pictures import make_data
from tests.studies import PretendObjective, make_spec, make_study
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(run_orch: Callable[..., subprocess.CompletedProcess[str]], sqlite_url: str) -> Run:
    """Run a command beside the database of this test; returns the exit code and what stderr says."""

    def call(*arguments: object) -> tuple[int, str]:
        done = run_orch(*arguments)
        return done.returncode, done.stderr

    return call


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset of tiny images."""
    images, labels = make_data(tmp_path)
    choices = Choices(group_columns=("patient",), holdout=0.0)
    import_dataset(images, labels, tmp_path / "data", choices, cache=tmp_path / "cache")
    return tmp_path / "data"


RECIPES = re.findall(
    r"^    orch (study create .*)$", (REPOSITORY / "docs" / "recipes.md").read_text(), re.MULTILINE
)


def test_every_recipe_that_makes_a_study_makes_one(run: Run, dataset: Path) -> None:
    assert len(RECIPES) == 4
    for line in RECIPES:
        words = [str(dataset) if word == "my-data" else word for word in shlex.split(line)]
        code, said = run(*words, *(["--dry-run"] if "--dry-run" not in words else []))
        assert code == 0, (line, said)


def work_off(url: str, *names: str) -> None:
    """Make studies and settle their points."""
    with closing(open_database(url)) as database:
        for name in names:
            make_study(database, name, points=2)
            Worker(Circumstances(database), lambda _: PretendObjective()).run(
                lambda name=name: [load_study(database, name)]  # type: ignore[misc]
            )


def test_a_winner_that_overwrites_that_of_another_study_says_so(
    run: Run, sqlite_url: str, tmp_path: Path
) -> None:
    work_off(sqlite_url, "first", "second")
    for study in ("first", "first"):
        code, said = run("study", "export", study, "-o", "best.json")
        assert (code, "held the winner" in said) == (0, False), said
    code, said = run("study", "export", "second", "-o", "best.json")
    assert code == 0
    assert "best.json held the winner of the study 'first' and was replaced" in said
    assert "`orch study export first -o first.json` writes that one again" in said
    (tmp_path / "other.json").write_text("[]")
    code, said = run("study", "export", "second", "-o", "other.json")
    assert (code, "held the winner" in said) == (0, False), said


def test_known_warnings_are_one_line_and_an_accepted_error_is_repeated(run: Run, sqlite_url: str) -> None:
    accepted = "Accepted when the study was created: copies: some."
    with closing(open_database(sqlite_url)) as database:
        facts = {"warnings": ["No groups.", accepted, "Short batch."]}
        create_study(
            database, make_spec("first", points=1), [{"batch_size": 16}], data_folder="", facts=facts
        )
        Worker(Circumstances(database), lambda _: PretendObjective()).run(
            lambda: [load_study(database, "first")]
        )
    short = (
        f"warning: {accepted}\n"
        "warning: 2 warnings were recorded at creation; show them with `orch study show first --warnings`\n"
    )
    assert run("study", "show", "first") == (0, short)
    code, said = run("study", "export", "first", "-o", "first.json")
    assert (code, short in said, "No groups" in said) == (0, True, False)
    full = f"warning: No groups.\nwarning: {accepted}\nwarning: Short batch.\n"
    assert run("study", "show", "first", "--warnings") == (0, full)


def test_what_is_watched_to_its_end_names_a_file_of_its_own(run: Run, sqlite_url: str) -> None:
    work_off(sqlite_url, "second")
    code, said = run("study", "watch", "second")
    assert (code, said) == (
        0,
        "Study 'second' is complete. Next: orch study export second -o second.json\n",
    )


def test_a_stopped_study_says_how_it_is_opened_again(run: Run, dataset: Path) -> None:
    make = (
        "study",
        "create",
        "held",
        "--regime",
        "I",
        "--trials",
        1,
        "--data",
        dataset,
        "--set",
        "model.weights=none",
    )
    assert run(*make)[0] == 0
    assert run("study", "stop", "held")[0] == 0
    advice = (
        "The study 'held' is stopped with 1 of 1 trial left, so workers start none. "
        "`orch study resume held` opens it again.\n"
    )
    assert run("study", "watch", "held") == (0, advice)
    code, said = run("worker", "held", "--gpus", "none")
    assert (code, said.endswith(advice)) == (0, True), said
    code, said = run("worker", "--gpus", "none")
    assert (code, said.endswith(advice)) == (0, True), said


def test_a_worker_without_any_study_says_so(sqlite_url: str) -> None:
    with closing(open_database(sqlite_url)) as database:
        assert _tell_why_idle(database) == "There is no study yet. `orch study create` makes one."
        study = make_study(database, "held", points=2)
        assert _tell_why_idle(database) == "", "somebody else works on what is open"
        stop_study(database, study)
        assert "`orch study resume held`" in _tell_why_idle(database)


def test_a_worker_that_was_told_to_stop_says_how_to_go_on(sqlite_url: str) -> None:
    with closing(open_database(sqlite_url)) as database:
        study = make_study(database, "held back", points=2)
        told = _tell_what_comes_next(database, "held back", drained=True)
        assert told == "2 of 2 trials of 'held back' are left; `orch worker 'held back'` continues."
        assert _tell_what_comes_next(database, "held back", drained=False) == ""
        stop_study(database, study)
        assert "`orch study resume 'held back'`" in _tell_what_comes_next(database, "held back", drained=True)
        assert _tell_what_comes_next(database, "deleted", drained=True) == ""


def test_an_account_is_given_in_words(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    work_off(sqlite_url, "first")
    cli.run(["study", "verify", "first", "--storage", sqlite_url])
    said = capsys.readouterr().out
    assert "0 without trial" in said
    assert re.search(r"hold-out +never opened", said)


def test_a_study_is_made_in_a_database_that_is_opened_once(
    sqlite_url: str, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    check = schema.check

    def count(database: Database) -> None:
        opened.append(database.url_text)
        check(database)

    monkeypatch.setattr(schema, "check", count)
    make = ["--regime", "I", "--trials", "1", "--data", str(dataset), "--set", "model.weights=none"]
    assert cli.run(["study", "create", "once", *make, "--storage", sqlite_url]) == 0
    assert len(opened) == 1
    with closing(open_database(sqlite_url)) as database:
        assert load_study(database, "once").spec.study.trials == 1

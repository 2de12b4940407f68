"""`orch study export` on a small study that was worked off without training."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator import cli
from storage.engine import open_database
from storage.studies import load_study
from tests.studies import PretendObjective, make_study
from workers.loop import Worker

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """Run a command line on the database of this test; returns the exit code and what stderr says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCH_STORAGE", sqlite_url)

    def run_here(*arguments: object) -> tuple[int, str]:
        code = cli.run([str(argument) for argument in arguments])
        return code, capfd.readouterr().err

    return run_here


def work_off(url: str, *names: str) -> None:
    """Make studies and settle their points."""
    with closing(open_database(url)) as database:
        for name in names:
            make_study(database, name, points=2)
            Worker(database, lambda _: PretendObjective(), threading.Event()).run(
                lambda name=name: [load_study(database, name)]  # type: ignore[misc]
            )


def test_a_winner_that_overwrites_that_of_another_study_says_so(run: Run, sqlite_url: str) -> None:
    work_off(sqlite_url, "first", "second")
    for study in ("first", "first"):
        code, said = run("study", "export", study, "-o", "best.json")
        assert (code, "held the winner" in said) == (0, False), said
    code, said = run("study", "export", "second", "-o", "best.json")
    assert code == 0
    assert "best.json held the winner of the study 'first' until now" in said
    assert "`orch study export first -o first.json` writes that one again" in said
    Path("other.json").write_text("[]")
    code, said = run("study", "export", "second", "-o", "other.json")
    assert (code, "held the winner" in said) == (0, False), said


def test_what_is_watched_to_its_end_names_a_file_of_its_own(run: Run, sqlite_url: str) -> None:
    work_off(sqlite_url, "second")
    code, said = run("study", "watch", "second")
    assert (code, said) == (
        0,
        "Every point of 'second' is settled. Next: orch study export second -o second.json\n",
    )

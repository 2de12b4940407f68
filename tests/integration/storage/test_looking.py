"""Looking at a study from a notebook, from the terminal and as a page: all without changing it."""

import io
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from rich.console import Console

from orchestrator import list_study_names, open_study
from orchestrator.studies.watch import watch_live, watch_study
from storage.database import tables
from storage.database.address import parse_url
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import StudyNotFoundError, UsageError
from storage.results.predictions import _as_row, _insert
from storage.studies.study import StudyRecord, load_study
from tests.conftest import REPOSITORY
from tests.generated_studies import sized_study
from tests.postgres import PostgresServer

NOTEBOOKS = sorted((REPOSITORY / "docs" / "notebooks").glob("*.ipynb"))


@pytest.fixture
def storage(sqlite_url: str) -> str:
    database = open_database(sqlite_url)
    sized_study(database, "first", 20, failed=1, folds=3, epochs=6)
    database.close()
    return sqlite_url


def keep_half(storage: str, point: int) -> None:
    """Predictions of one fold and two images, as a worker keeps them."""
    database = open_database(storage)
    where: Any = SimpleNamespace(study_uuid=load_study(database, "first").uuid, point=point)
    values = np.array([[[0.25, 0.75], [0.25, 0.75]]], np.float16)
    with database.transaction() as connection:
        _insert(connection, [_as_row(where, "key", 0, 6, np.arange(2, dtype=np.int32), values)])
    database.close()


def test_a_study_opens_as_tables_and_figures(storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_study_names(storage=storage) == ["first"]
    with open_study("first", storage=storage) as study:
        assert study.counts["planned"] == len(study.trials) == 20
        best = study.best
        assert best is not None
        values = [row["val_auc"] for row in study.trials if row["state"] == "complete"]
        assert best["val_auc"] == max(values)
        assert {frozenset(row) for row in study.trials} == {frozenset(best)}
        folds = study.folds(best["point"])
        assert {(row["fold"], row["epoch"]) for row in folds} == {
            (f, e) for f in range(3) for e in range(1, 7)
        }
        assert study.selection is not None
        assert study.figure("search").layout.height == 480
        assert study.figure("search", theme="dark").layout.template.layout.paper_bgcolor == "#15171c"
        assert sum(row["pruned_after"] for row in study.numbers("pruning")) == study.counts["pruned"]
        assert f"{best['val_auc']:.4f}" in repr(study)
        trials = study.table()
        assert trials.index.name == "point"
        assert (len(trials), trials["val_auc"].iloc[0]) == (20, best["val_auc"])
        assert len(study.table("folds", point=best["point"])) == len(folds)
        assert set(study.table("means", point=best["point"])["point"]) == {best["point"]}
        assert study.table("pruning")["pruned_after"].sum() == study.counts["pruned"]
        with pytest.raises(UsageError, match="No predictions of trial"):
            study.table("predictions")
        keep_half(storage, best["point"])
        predicted = study.table("predictions")
        assert list(predicted.columns) == ["point", "fold", "image", "label", "truth", "predicted"]
        assert predicted.groupby("label")["predicted"].mean().to_dict() == {"fracture": 0.25, "view": 0.75}
        monkeypatch.setattr("plotly.io.templates.default", "plotly_dark")
        assert study.figure("search").layout.template.layout.paper_bgcolor == "#15171c"
        with pytest.raises(UsageError, match="there are search"):
            study.figure("serch")
    with pytest.raises(StudyNotFoundError, match="'first'"):
        open_study("frist", storage=storage)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_code_of_the_notebooks_runs(
    notebook: Path, storage: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 5
    monkeypatch.setenv("ORCH_STORAGE", storage)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in code:
        exec(compile(cell, notebook.name, "exec"), names)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_with_what_it_prints_and_without_a_trace_of_a_machine(notebook: Path) -> None:
    text = notebook.read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    outputs = [one for cell in cells for one in cell["outputs"]]
    assert not [one for one in outputs if one["output_type"] == "error"]
    assert {cell["execution_count"] for cell in cells} == set(range(1, len(cells) + 1))
    assert any("text/html" in one.get("data", {}) for one in outputs)
    assert sum("image/svg+xml" in one.get("data", {}) for one in outputs) == 2
    assert len(text) < 500_000
    assert not re.search(r"/(root|work|tmp|home|Users)/", text)


def test_importing_the_package_stays_light() -> None:
    code = "import sys, orchestrator; assert not {'plotly', 'sqlalchemy', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


def test_watching_on_a_terminal_is_one_table_and_elsewhere_lines(storage: str) -> None:
    database = open_database(storage)
    study = sized_study(database, "first", 20, failed=1, folds=3, epochs=6)
    screen = Console(file=io.StringIO(), force_terminal=True, width=140)
    counts = watch_live(database, study, console=screen)
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    assert counts.failed == 1
    for part in ("20 of 20 trials finished", "1 failed", "best", "val AUC", "dropout_rate="):
        assert part in text
    lines: list[str] = []
    assert watch_study(database, study, print_line=lines.append) == counts
    assert len(lines) == 1
    assert "\x1b" not in lines[0]
    database.close()


def test_watching_waits_for_a_database_that_is_away(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    database = open_database(postgres_url)
    study = sized_study(database, "first", 20, failed=1, folds=3, epochs=6)
    _set_last_point(database, study, "open")
    lines: list[str] = []
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            postgres_server.stop("immediate")
        elif len(slept) == 3:
            postgres_server.start()
            _set_last_point(database, study, "done")

    try:
        counts = watch_study(database, study, print_line=lines.append, interval=5.0, sleep=sleep)
    finally:
        postgres_server.start()
    assert counts.is_settled
    assert len(lines) == 2
    assert len(slept) == 3
    database.close()


def test_a_role_that_only_looks_watches_too(
    postgres_server: PostgresServer,
    postgres_url: str,
    run_orch: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    database = open_database(postgres_url)
    sized_study(database, "first", 20, failed=1, folds=3, epochs=6)
    database.close()
    postgres_server.execute("DROP ROLE IF EXISTS watcher")
    postgres_server.execute("CREATE ROLE watcher LOGIN PASSWORD 'looks'")
    assert run_orch("db", "grant-readonly", "watcher", "--storage", postgres_url).returncode == 0
    address = parse_url(postgres_url).set(username="watcher", password="looks")
    watched = run_orch("study", "watch", "first", "--storage", address.render_as_string(hide_password=False))
    assert watched.returncode == 0, watched.stderr
    assert "20 of 20 trials finished" in watched.stdout


def _set_last_point(database: Database, study: StudyRecord, state: str) -> None:
    last = (tables.points.c.study_uuid == study.uuid) & (tables.points.c.point == 19)
    with database.transaction() as connection:
        connection.execute(sa.update(tables.points).where(last).values(state=state))


def test_the_report_command_writes_the_page_and_the_numbers(
    run_orch: Callable[..., subprocess.CompletedProcess[str]], storage: str, tmp_path: Path
) -> None:
    made = run_orch("report", "first", "-o", "page.html", "--figures", "figures", "--storage", storage)
    assert made.returncode == 0, made.stderr
    assert "Wrote page.html" in made.stderr
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert len(list((tmp_path / "figures").glob("*.csv"))) == 15


def test_no_link_is_printed_to_a_port_that_another_program_has(
    run_orch: Callable[..., subprocess.CompletedProcess[str]], storage: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        made = run_orch("dashboard", "--port", str(taken.getsockname()[1]), "--storage", storage)
    assert made.returncode == 2
    assert "cannot be listened on" in made.stderr
    assert "http://" not in made.stderr + made.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("report", "frist"), "Did you mean 'first'"),
        (("report", "first", "--format", "bmp", "--figures", "figures"), "cannot be written as 'bmp'"),
        (("report", "first", "--format", "svg"), "--figures DIR"),
        (("report", "first", "-o", "missing/page.html"), "There is no folder missing to write page.html in"),
        (("dashboard", "--host", "0.0.0.0", "--no-login"), "no login"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    run_orch: Callable[..., subprocess.CompletedProcess[str]],
    storage: str,
    tmp_path: Path,
    arguments: tuple,
    told: str,
) -> None:
    made = run_orch(*arguments, "--storage", storage)
    assert made.returncode in (1, 2)
    assert told in made.stderr
    assert "Traceback" not in made.stderr
    assert not list(tmp_path.glob("*.html"))

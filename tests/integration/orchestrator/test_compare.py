"""`orch compare` from end to end: studies with kept predictions on a data folder, and what cannot be compared."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboards.figures.differences import draw_differences
from dashboards.pages.paper import escape_latex
from orchestrator.cli import run
from orchestrator.commands.compare import say_claim
from orchestrator.studies.comparing import compare_studies
from storage.data.datasets import COLUMNS, Dataset
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import DataError, NothingToExportError, UsageError
from storage.metrics.intervals import ABOUT_INTERVALS
from storage.results.evaluations import list_evaluations
from storage.results.predictions import read_predictions
from storage.spec import parse
from storage.studies.study import create_study, load_study
from tests.labelled_studies import LabelledObjective, make_dataset, make_labelled_study
from tests.studies import make_spec
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker


class Better(LabelledObjective):
    """Every trial of this study sees more."""

    def __init__(self, dataset: Dataset, more: float) -> None:
        super().__init__(dataset)
        self._more = more

    def signal(self, point: int, fold: int, epoch: int) -> float:
        """What a trial sees of a label."""
        return super().signal(point, fold, epoch) + self._more


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[tuple[Database, str, Dataset]]:
    import shutil

    folder = tmp_path_factory.mktemp("compared")
    for part in sqlite_template.parent.glob("orch.db*"):
        shutil.copy(part, folder / part.name)
    url = f"sqlite:///{folder / 'orch.db'}"
    database = open_database(url)
    dataset = make_dataset(folder / "data", patients=60)
    for name, more, changes in (
        ("plain", 0.0, {}),
        ("better", 1.5, {"training.epochs": 5}),
        ("other-folds", 0.0, {"study.seed": 99}),
    ):
        study = make_labelled_study(database, dataset, name, points=3, **changes)
        Worker(Circumstances(database), lambda _, more=more: Better(dataset, more)).run(
            lambda study=study: [study]
        )
    yield database, url, dataset
    database.close()


def test_two_studies_on_the_same_folds(place: tuple[Database, str, Dataset]) -> None:
    database, _, _ = place
    found = compare_studies(database, ["plain", "better"], [], margin=0.02, resamples=200)
    (comparison,) = found["comparisons"]
    assert comparison["claim"]["test"] == "folds"
    assert comparison["folds"]["value"] == pytest.approx(
        found["models"][1]["value"] - found["models"][0]["value"], abs=1e-9
    )
    # Out-of-fold predictions are kept with three digits, so a value made of them moves in the fourth.
    assert comparison["metrics"]["val_auc"]["value"] == pytest.approx(comparison["folds"]["value"], abs=2e-3)
    assert comparison["metrics"]["val_auc"]["low"] > 0
    assert comparison["claim"]["not_worse"]
    assert {"key": "training.epochs", "first": 4, "second": 5} in comparison["specs"]
    picture = draw_differences(found)
    assert len(picture.table.rows) == len(found["models"][0]["metrics"]) + 1
    # What is shown is measured: of a Brier score less is better, and the interval is turned around with it.
    shown = {row[2]: row[3:6] for row in picture.table.rows}
    kept = comparison["metrics"]["neg_val_brier"]
    assert shown["Brier score (lower is better)"] == (-kept["value"], -kept["high"], -kept["low"])
    assert "negated" not in str(picture)
    claim = {**comparison["claim"], "metric": "neg_val_brier", "value": 0.01, "p_holm": 0.01, "differs": True}
    assert "Brier score differs: better is lower (p" in say_claim({**comparison, "claim": claim})


def test_what_differs_is_what_was_trained_wherever_it_was_set(place: tuple[Database, str, Dataset]) -> None:
    database, _, dataset = place
    # Trial 1 of "plain" has drawn the batch size 17; here it is set, and the dropout rate is drawn.
    search = {"dropout_rate": {"type": "float", "low": 0.0, "high": 0.5}}
    spec = make_spec("set", points=1, **{"data.fingerprint": dataset.fingerprint, "training.batch_size": 17})
    spec = parse({**spec.model_dump(mode="json", exclude_unset=True), "search": search}, source="a test")
    study = create_study(database, spec, [{"dropout_rate": 0.0}], data_folder=str(dataset.folder), facts={})
    Worker(Circumstances(database), lambda _: Better(dataset, 0.0)).run(lambda: [study])
    (comparison,) = compare_studies(database, ["plain:1", "set"], [], resamples=50)["comparisons"]
    assert {row["key"]: (row["first"], row["second"]) for row in comparison["specs"]} == {
        "study.trials": (3, 1),
        "search.batch_size": ("[16, 2048]", None),
        "search.dropout_rate": (None, "[0, 0.5]"),
    }


def test_other_folds_are_compared_by_patients(place: tuple[Database, str, Dataset]) -> None:
    database, _, _ = place
    found = compare_studies(database, ["plain", "other-folds"], [], resamples=200)
    assert found["comparisons"][0]["folds"] is None
    assert found["comparisons"][0]["claim"]["test"] == "patients"
    assert any("different folds" in warning for warning in found["warnings"])


def test_trials_are_named_by_their_number(
    place: tuple[Database, str, Dataset], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, url, _ = place
    page = tmp_path / "page.html"
    said = [
        "compare",
        "plain:0",
        "plain:1",
        "better:2",
        "--resamples",
        "100",
        "--margin",
        "0.1",
        "--storage",
        url,
    ]
    assert run([*said, "--json", "--html", str(page)]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [model["trial"] for model in document["models"]] == [0, 1, 2]
    assert len(document["comparisons"]) == 2
    assert "Differences to plain:0" in page.read_text()
    assert run(said) == 0
    told = capsys.readouterr().out
    assert "plain:1 less plain:0" in told
    assert "corrected for all comparisons" in told
    assert "batch_size" in told


def test_what_cannot_be_compared_is_said(
    place: tuple[Database, str, Dataset], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database, url, dataset = place
    elsewhere = make_dataset(tmp_path / "elsewhere", patients=20, seed=5)
    make_labelled_study(database, elsewhere, "elsewhere", points=1)
    make_labelled_study(database, dataset, "untouched", points=1)
    with pytest.raises(NothingToExportError, match="no complete trial"):
        compare_studies(database, ["plain", "untouched"], [])
    with pytest.raises(UsageError, match="same trial"):
        compare_studies(database, ["plain:0", "plain:0"], [])
    with pytest.raises(UsageError, match="no finished trial 77"):
        compare_studies(database, ["plain", "plain:77"], [])
    objective = LabelledObjective(elsewhere)
    Worker(Circumstances(database), lambda _: objective).run(
        lambda: [study for study in [*_studies(database)] if study.name == "elsewhere"]
    )
    with pytest.raises(DataError, match="different data sets"):
        compare_studies(database, ["plain", "elsewhere"], [])
    for words in (["plain"], ["plain", "model.keras"], ["plain", "better", "--tta", "4"]):
        assert run(["compare", *words, "--storage", url]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_without_the_data_only_folds_are_compared(place: tuple[Database, str, Dataset]) -> None:
    database, _, dataset = place
    hidden = dataset.folder.rename(dataset.folder.with_name("hidden"))
    try:
        found = compare_studies(database, ["plain", "better"], [])
        assert found["comparisons"][0]["metrics"] == {}
        assert found["comparisons"][0]["claim"]["test"] == "folds"
        assert any("patients could not be drawn" in warning for warning in found["warnings"])
        with pytest.raises(DataError, match="cannot be compared here"):
            compare_studies(database, ["plain", "other-folds"], [])
        again = compare_studies(database, ["plain", "other-folds"], [hidden], resamples=100)
        assert again["images"] == len(dataset.labels)
    finally:
        hidden.rename(dataset.folder)
    assert all(
        np.isfinite(fold.values).all() for fold in read_predictions(database, _studies(database)[0].uuid, 0)
    )


def _studies(database: Database) -> list[Any]:
    from storage.studies.study import list_studies

    return list_studies(database)


def list_kept(url: str) -> list[dict[str, Any]]:
    """What the study 'better' remembers of its evaluations."""
    database = open_database(url)
    try:
        return [one.document for one in list_evaluations(database, load_study(database, "better").uuid)]
    finally:
        database.close()


def test_a_study_is_evaluated_on_what_its_folds_did_not_see(
    place: tuple[Database, str, Dataset], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, url, dataset = place
    sites = ["north" if group % 2 else "south" for group in dataset.groups.tolist()]
    visits = [str(row % 2) for row in range(len(sites))]
    # One reader as the label has it, one who left every third image unread.
    known = ["" if np.isnan(label) else str(int(label)) for label in dataset.labels[:, 0].tolist()]
    fewer = ["" if row % 3 == 0 else cell for row, cell in enumerate(known)]
    lines = [
        "sha256,site,visit,first,second",
        *map(",".join, zip(dataset.sha256, sites, visits, known, fewer, strict=True)),
    ]
    (dataset.folder / COLUMNS).write_text("\n".join(lines) + "\n")
    page = tmp_path / "page.html"
    said = ["study", "evaluate", "better", "--resamples", "100", "--storage", url]
    more = ["--subgroup", "site", "--visit", "visit", "--prevalence", "0.05", "--html", str(page)]
    assert run([*said, *more, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["data"]["images"] == len(dataset.labels)
    assert set(document["subgroups"]["site"]) == {"north", "south"}
    assert document["by_patient"]["mean"]["images"] == len(np.unique(dataset.groups))
    assert document["by_visit"]["max"]["images"] > document["by_patient"]["max"]["images"]
    for label in document["targets"]:
        found = document["practice"][label]
        # What the scorecard says of the same predictions, and what the study said of its folds.
        assert found["abstention"][0]["accuracy"]["value"] == pytest.approx(
            document["results"]["labels"][label]["metrics"]["accuracy"]["value"]
        )
        assert found["at_prevalence"][0]["prevalence"] == 0.05
    assert any("optimistic" in warning for warning in document["warnings"])
    assert "Decision curve" in page.read_text()
    assert list_kept(url) == [document]
    assert run([*said, "--subgroup", "colour"]) == 2
    assert run([*said, "--prevalence", "5"]) == 2
    assert run(said) == 0
    told = capsys.readouterr().out
    assert "by patient, mean of the images" in told
    assert document["about_intervals"] == ABOUT_INTERVALS
    assert ABOUT_INTERVALS in " ".join(told.split())
    assert len(list_kept(url)) == 2
    assert run(["study", "show", "better", "--storage", url]) == 0
    assert "folds of trial" in capsys.readouterr().out
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON orch_evaluations BEGIN SELECT RAISE(ABORT, 'only reads'); END"
        )
    assert run(said) == 0
    heard = capsys.readouterr()
    assert "by patient, mean of the images" in heard.out
    assert "could not be recorded in" in heard.err
    assert "only reads" in heard.err
    assert "acting on the model" in told
    readers = ["--readers", "label_0=first,second"]
    assert run([*said, *readers, "--json"]) == 0
    read = json.loads(capsys.readouterr().out)["readers"]["label_0"]
    assert read["pairs"][0]["kappa"]["value"] == 1
    assert read["pairs"][0]["images"] == sum(map(bool, fewer))
    assert (
        read["model"][0]["auc"]["value"]
        == document["results"]["labels"]["label_0"]["metrics"]["auc"]["value"]
    )
    assert run([*said, *readers]) == 0
    assert "readers and model" in capsys.readouterr().out
    for wrong in ("label_0=first", "nothing=first,second", "label_0=first,nobody", "label_0=first,site"):
        assert run([*said, "--readers", wrong]) == 2


def test_a_paper_is_written_without_a_browser_and_says_what_is_missing(
    place: tuple[Database, str, Dataset],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    folder = tmp_path / "paper"
    assert run(["publish", "better", "nothing", "-o", str(folder), "--storage", place[1]]) == 1
    assert "no study 'nothing'" in capsys.readouterr().err
    assert not folder.exists()
    assert run(["publish", "better", "-o", str(folder), "--storage", place[1]]) == 0
    assert "no PDF and no SVG" in capsys.readouterr().err
    written = {file.name for file in folder.iterdir()}
    assert {"report.html", "methods.md", "references.bib", "table-results.csv", "table-results.tex", "figure-roc.csv"} <= written  # fmt: skip
    cited = set(re.findall(r"\[@([a-z0-9]+)\]", (folder / "methods.md").read_text()))
    assert cited
    assert cited <= set(
        re.findall(r"^@\w+{([a-z0-9]+),", (folder / "references.bib").read_text(), re.MULTILINE)
    )
    assert " to " in (folder / "table-results.csv").read_text()
    assert ABOUT_INTERVALS in unescape((folder / "report.html").read_text())
    assert ABOUT_INTERVALS in (folder / "table-notes.txt").read_text()
    assert escape_latex(ABOUT_INTERVALS) in (folder / "table-results.tex").read_text()

"""The page to send, opened from its file in a real browser."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.database.opening import open_database
from tests.browser import PHONE, check_report, count_printed_pages
from tests.generated_studies import reference_study, regime_two_study, sized_study
from tests.labelled_studies import LabelledObjective, make_dataset, make_labelled_study, remember_evaluation
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

pytestmark = pytest.mark.slow


def write_report(
    run: Callable[..., Any], storage: str, names: list[str], output: Path, *options: Any
) -> None:
    made = run("report", *names, "-o", output, "--storage", storage, *options)
    assert made.returncode == 0, made.stderr


def make_storage(sqlite_template: Path, folder: Path) -> str:
    (folder / "orch.db").write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{folder / 'orch.db'}"


def test_a_report_of_five_hundred_trials_opens_from_a_file_without_a_network(
    browser: Any, run_here: Callable[..., Any], sqlite_template: Path, tmp_path: Path
) -> None:
    storage = make_storage(sqlite_template, tmp_path)
    database = open_database(storage)
    # Fewer folds and epochs than a study has: how large a page gets with all of them is held by test_dashboard_pages.
    sized_study(database, "five-hundred", 500, folds=3, epochs=8, pruned=False)
    database.close()
    write_report(run_here, storage, ["five-hundred"], tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 6_000_000
    check_report(browser, tmp_path / "report.html")


@pytest.mark.thorough
def test_a_report_of_several_studies_suits_a_dark_screen_a_phone_and_wide_windows(
    browser: Any, run_orch: Callable[..., Any], sqlite_template: Path, tmp_path: Path
) -> None:
    storage = make_storage(sqlite_template, tmp_path)
    database = open_database(storage)
    reference_study(database)
    regime_two_study(database)
    sized_study(database, "failures", 4, failed=4)
    database.close()
    write_report(run_orch, storage, ["regime-1", "regime-2", "failures"], tmp_path / "report.html")
    check_report(browser, tmp_path / "report.html", color_scheme="dark", viewport=PHONE)
    check_report(browser, tmp_path / "report.html", color_scheme="dark")
    write_report(run_orch, storage, ["regime-1", "regime-2"], tmp_path / "two.html")
    pages = {paper: count_printed_pages(browser, tmp_path / "two.html", paper) for paper in ("A4", "Letter")}
    assert all(1 < count <= 8 for count in pages.values()), pages


@pytest.mark.thorough
@pytest.mark.parametrize("labels", [2, 18])
def test_a_report_of_an_evaluated_study_is_whole_with_few_and_with_many_labels(
    browser: Any, run_here: Callable[..., Any], sqlite_template: Path, tmp_path: Path, labels: int
) -> None:
    storage = make_storage(sqlite_template, tmp_path)
    database = open_database(storage)
    names = [f"pleural thickening or effusion {number}" for number in range(labels)]
    dataset = make_dataset(tmp_path / "data", patients=60, targets=labels, labelled=names)
    study = make_labelled_study(database, dataset, points=2)
    Worker(Circumstances(database), lambda _: LabelledObjective(dataset)).run(lambda: [study])
    for kind in ("hold-out", "external"):
        remember_evaluation(database, study, dataset, kind)
    database.close()
    write_report(run_here, storage, [study.name], tmp_path / "report.html", "--data", dataset.folder)
    text = (tmp_path / "report.html").read_text()
    assert json.dumps("s0-holdout-roc")[1:-1] in text
    check_report(browser, tmp_path / "report.html")

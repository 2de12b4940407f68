"""What is taken away from a study, and what is shown of it while it runs."""

import csv
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.planning.regimes import build_spec, regime_two
from orchestrator.studies import best as export
from orchestrator.studies.best import read_best
from orchestrator.studies.records import epoch_means, study_document, trial_document
from orchestrator.studies.tables import folds_csv, trials_csv
from orchestrator.studies.watch import draw_table, say_left, watch_study
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import NothingToExportError, StorageError
from storage.files.documents import to_json
from storage.files.writing import write_text
from storage.metrics.objectives import AUC
from storage.results.ledger import read_curves
from storage.settings import keras_backend
from storage.spec import to_toml
from storage.studies.point_records import PointRecord
from storage.studies.points import count_points, list_points
from storage.studies.study import StudyRecord, load_study, stop_study
from tests.studies import PretendObjective, claim, expire, make_row, make_spec, make_study, rising_auc
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    opened = open_database(sqlite_url)
    yield opened
    opened.close()


def work(database: Database, study: StudyRecord, auc: Callable[[int, int, int], float] = rising_auc) -> None:
    worker = Worker(Circumstances(database), lambda _: PretendObjective(auc))
    worker.run(lambda: [load_study(database, study.name)])


def work_one(database: Database, study: StudyRecord) -> None:
    stop = threading.Event()
    Worker(Circumstances(database, stop, tell=lambda _: stop.set()), lambda _: PretendObjective()).run(
        lambda: [load_study(database, study.name)]
    )


def test_best_json_has_the_promised_keys_and_adds_up(database: Database) -> None:
    study = make_study(database, points=8, pruner="halving")
    work(database, study)
    best = export.best_document(database, study)
    assert list(best)[:9] == [
        *("schema", "study", "regime", "trial", "point", "metric", "value", "fold_values", "value_sd"),
    ]
    assert {
        "best_epoch",
        "params",
        "fixed",
        "points",
        "dataset",
        "spec",
        "spec_hash",
        "selection",
    } <= best.keys()
    assert {"versions", "exported_at"} <= best.keys()
    assert (best["schema"], best["metric"]) == ("orch.best/1", "val_auc")
    assert best["selection"]["value"] == best["value"]
    assert sum(best["points"].values()) == 2 * best["points"]["planned"] == 16
    assert sorted(best["points"]) == ["complete", "failed", "open", "planned", "pruned"]
    of_backend = {"tensorflow": {"tensorflow"}, "jax": {"jax", "jaxlib"}}[keras_backend()]
    assert best["versions"].keys() == {"orch", "optuna", "keras", "numpy"} | of_backend
    assert json.loads(to_json(best)) == best


def test_value_is_the_mean_of_the_folds_at_the_best_common_epoch(database: Database) -> None:
    study = make_study(database)
    work(database, study)
    best = export.best_document(database, study)
    values = {point.point: point.value for point in list_points(database, study.uuid)}
    assert best["value"] == max(values.values()) == values[best["point"]]
    assert best["best_epoch"] == 3
    assert not best["best_epoch_is_last"]
    assert best["fold_values"] == [rising_auc(best["point"], fold, 3) for fold in range(3)]
    assert sum(best["fold_values"]) / 3 == pytest.approx(best["value"])
    assert best["params"] == {"batch_size": 16 + best["point"]}
    assert "batch_size" not in best["fixed"]


def test_the_mean_of_the_folds_own_best_epochs_is_not_taken_for_a_common_epoch(database: Database) -> None:
    study = make_study(database, **{"study.objective": "mean_of_max"})
    work(database, study, lambda point, fold, epoch: 0.9 if epoch == fold + 1 else 0.5)
    best = export.best_document(database, study)
    assert best["objective_value"] == pytest.approx(0.9)
    assert best["value"] == pytest.approx((0.9 + 0.5 + 0.5) / 3)
    assert sum(best["fold_values"]) / 3 == pytest.approx(best["value"])


def test_a_study_without_a_complete_trial_has_nothing_to_export(database: Database) -> None:
    study = make_study(database)
    with pytest.raises(NothingToExportError, match="no complete trial"):
        export.best_document(database, study)


def test_an_unfinished_study_is_exported_as_such(database: Database) -> None:
    study = make_study(database)
    work_one(database, study)
    best = export.best_document(database, study)
    assert best["points"] == {"planned": 6, "complete": 1, "pruned": 0, "failed": 0, "open": 5}


def test_regime_two_starts_from_the_exported_file(database: Database, tmp_path: Path) -> None:
    study = make_study(database)
    work(database, study)
    best = export.best_document(database, study)
    write_text(tmp_path / "best.json", to_json(best))
    spec = regime_two("two", best=read_best(tmp_path / "best.json"))
    assert spec.training.batch_size == best["params"]["batch_size"]
    assert spec.data.fingerprint == study.fingerprint
    assert spec.cv == study.spec.cv


def test_csv_files_hold_every_point_and_every_epoch_of_every_fold(database: Database) -> None:
    study = make_study(database)
    work(database, study)
    points = list_points(database, study.uuid)
    trials = list(csv.DictReader(io.StringIO(trials_csv(points))))
    assert [int(row["point"]) for row in trials] == list(range(6))
    assert [int(row["batch_size"]) for row in trials] == [16 + n for n in range(6)]
    assert [float(row["value"]) for row in trials] == [point.value for point in points]
    folds = list(csv.DictReader(io.StringIO(folds_csv(points, read_curves(database, study.uuid)))))
    assert len(folds) == 6 * 3 * 4
    assert {"point", "batch_size", "fold", "epoch", "val_auc", "train_loss", "steps"} <= folds[0].keys()
    assert float(folds[-1]["val_auc"]) == pytest.approx(rising_auc(5, 2, 4))


def test_no_two_columns_of_the_fold_curves_have_one_name() -> None:
    point = PointRecord(
        **{**dict.fromkeys(PointRecord.__dataclass_fields__), "point": 0, "params": {"learning_rate": 0.1}}
    )
    table = csv.reader(io.StringIO(folds_csv([point], [make_row(0, 0, 1, learning_rate=0.05)])))
    header, row = table
    assert len(set(header)) == len(header)
    columns = dict(zip(header, row, strict=True))
    assert (columns["params_learning_rate"], columns["learning_rate"]) == ("0.1", "0.05")


def test_an_exported_spec_reads_back_to_an_equal_spec(tmp_path: Path) -> None:
    spec = make_spec("small", **{"model.weights": 'a "quoted" päth.h5', "data.targets": ["a", "b"]})
    (tmp_path / "spec.toml").write_text(to_toml(spec), encoding="utf-8")
    assert build_spec("small", spec_file=tmp_path / "spec.toml") == spec


def test_watching_ends_with_the_study_and_prints_changes_only(database: Database) -> None:
    study = make_study(database)
    lines: list[str] = []
    looks = 0

    def advance(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            work(database, study)

    counts = watch_study(database, study, print_line=lines.append, sleep=advance)
    assert (counts.complete, looks) == (6, 3)
    assert len(lines) == 2
    assert "0 of 6 trials finished" in lines[0]
    assert "6 of 6 trials finished: 6 complete" in lines[1]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_live_table_has_bar_counts_and_time_left_on_lines_of_their_own(
    database: Database, width: int
) -> None:
    study = make_study(database)
    claim(database, study)
    points, counts = list_points(database, study.uuid), count_points(database, study.uuid)
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(draw_table(study, points, counts, say_left(counts, None), width))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue()).splitlines()  # type: ignore[attr-defined]
    shown = [line.strip() for line in lines]
    assert "time left: known after the first epochs" in " ".join(shown[:2])
    assert any(line and set(line) <= set("━╸╺") for line in shown)
    assert "0 complete  0 pruned  0 failed  1 running  5 open" in shown
    assert max(map(len, lines)) <= width


def test_watching_ends_where_a_stopped_study_has_nothing_running(database: Database) -> None:
    study = make_study(database)
    held = claim(database, study)
    stop_study(database, study)
    looks = 0

    def give_back(_: float) -> None:
        nonlocal looks
        looks += 1
        assert looks == 1, "it goes on waiting for a study that nobody may work on"
        expire(database, held)

    counts = watch_study(database, study, print_line=lambda line: None, sleep=give_back)
    assert (counts.open, counts.running, looks) == (6, 0, 1)


def test_a_study_and_a_trial_as_documents(database: Database) -> None:
    study = make_study(database)
    work(database, study)
    document = study_document(database, study, whole=True)
    assert document["is_settled"]
    assert document["points"]["complete"] == 6
    assert len(document["all_points"]) == 6
    assert "token" not in json.dumps(document)
    trial = trial_document(database, study, 2)
    assert (trial["state"], trial["point"], trial["attempt"]) == ("COMPLETE", 2, 1)
    assert len(trial["epochs"]) == 12
    assert [row[:2] for row in epoch_means(trial["epochs"], AUC)] == [[1, 3], [2, 3], [3, 3], [4, 3]]
    with pytest.raises(StorageError, match="has no trial 99"):
        trial_document(database, study, 99)

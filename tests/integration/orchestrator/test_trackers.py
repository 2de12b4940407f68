"""Trials in MLflow, Weights & Biases and TensorBoard, read back by their own clients; a tracker that is away costs nothing."""

from __future__ import annotations

import json
import math
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.studies.best import best_document
from orchestrator.tracking.exporting import open_trackers, tell_trackers
from orchestrator.tracking.follower import PROGRAM, follow
from orchestrator.tracking.pushing import push_study
from orchestrator.tracking.runs import list_finished, read_runs
from orchestrator.tracking.targets import open_tracker
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import TrackerAwayError, UsageError
from storage.own_processes import make_command
from storage.studies.study import StudyRecord, load_study
from storage.studies.tracking import give_back, take_turn
from tests.studies import PretendObjective, make_study
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

POINTS, FOLDS, EPOCHS = 4, 3, 4


def work_off(database: Database, name: str) -> None:
    worker = Worker(Circumstances(database), lambda _: PretendObjective())
    worker.run(lambda: [load_study(database, name)])


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path_factory.mktemp('tracked') / 'orch.db'}"
    with closing(open_database(url, create=True)) as database:
        make_study(database, "tracked", points=POINTS)
        work_off(database, "tracked")
        yield database


@pytest.fixture
def study(database: Database) -> StudyRecord:
    return load_study(database, "tracked")


def export(
    database: Database, study: StudyRecord, kind: str, place: str, model: Path | None = None
) -> list[str]:
    said: list[str] = []
    document = best_document(database, study)
    opened = open_trackers([(kind, place)])
    tell_trackers(database, study, opened, document=document, model=model, say=said.append)
    return said


def expect(database: Database, study: StudyRecord) -> list[Any]:
    runs = read_runs(database, study, list_finished(database, study))
    assert len(runs) == POINTS
    assert all(len(run.folds) == FOLDS and len(run.mean) == EPOCHS for run in runs)
    return runs


def test_mlflow_has_each_trial_with_its_folds_parameters_curves_and_the_best_model(
    database: Database, study: StudyRecord, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mlflow", reason="`make setup` installs it")
    from mlflow.tracking import MlflowClient

    url = f"sqlite:///{tmp_path / 'mlflow.db'}"
    model = tmp_path / "model.keras"
    model.write_bytes(b"a model")
    with pytest.MonkeyPatch.context() as place:
        place.chdir(tmp_path)
        assert "4 trials" in export(database, study, "mlflow", url, model)[0]
        assert capfd.readouterr() == ("", "")
        # Told again, nothing is told twice.
        assert "0 trials" in export(database, study, "mlflow", url)[0]
        client = MlflowClient(url, url)
        experiment = client.get_experiment_by_name("tracked")
        found = client.search_runs([experiment.experiment_id], max_results=1000)
        assert len(found) == POINTS * (1 + FOLDS)
        parents = {run.data.tags["mlflow.runName"]: run for run in found if "orch.fold" not in run.data.tags}
        for run in expect(database, study):
            parent = parents[run.name]
            assert parent.data.params["batch_size"] == str(run.params["batch_size"])
            assert parent.data.metrics["value"] == run.value
            assert parent.data.tags["state"] == run.state == "COMPLETE"
            assert parent.info.status == "FINISHED"
            curve = client.get_metric_history(parent.info.run_id, "val_auc")
            assert [(one.step, one.value) for one in curve] == [
                (epoch, row["val_auc"]) for epoch, row in run.mean
            ]
            children = [one for one in found if one.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
            assert sorted(one.data.tags["orch.fold"] for one in children) == ["1", "2", "3"]
            for child in children:
                fold = run.folds[int(child.data.tags["orch.fold"]) - 1]
                kept = client.get_metric_history(child.info.run_id, "val_auc")
                assert [one.value for one in kept] == [row["val_auc"] for _, row in fold]
        document = best_document(database, study)
        [best] = [run for run in parents.values() if run.data.tags.get("orch.best") == "yes"]
        assert best.data.tags["orch.trial"] == str(document["point"])
        folder = Path(client.download_artifacts(best.info.run_id, ""))
        assert json.loads((folder / "best.json").read_text())["value"] == document["value"]
        assert (folder / "model" / "model.keras").read_bytes() == b"a model"
        [version] = client.search_model_versions("name='tracked'")
        assert version.run_id == best.info.run_id


def test_what_an_interrupted_telling_left_is_replaced(
    database: Database, study: StudyRecord, tmp_path: Path
) -> None:
    pytest.importorskip("mlflow", reason="`make setup` installs it")
    tracker: Any = open_tracker(f"mlflow:sqlite:///{tmp_path / 'mlflow.db'}")
    [run] = read_runs(database, study, [2])
    note, calls = tracker._note_curve, []

    def cut_off(*words: Any) -> None:
        calls.append(words)
        if len(calls) == 3:
            raise KeyboardInterrupt
        note(*words)

    tracker._note_curve = cut_off
    with pytest.raises(KeyboardInterrupt):
        tracker.write(study, run)
    assert tracker.known(study) == set()
    tracker._note_curve = note
    tracker.write(study, run)
    assert tracker.known(study) == {2}
    left = tracker._runs(study, "tags.`orch.trial` = '2'")
    assert len(left) == 1 + FOLDS


def read_log(data: bytes) -> Iterator[bytes]:
    """The records of a .wandb file: LevelDB's log format behind a header of 7 bytes."""
    place, record = 7, b""
    while place + 7 <= len(data):
        room = 32768 - place % 32768
        if room < 7:
            place += room
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        if place + 7 + length > len(data):
            return  # a part that is still being written
        record += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


@pytest.mark.thorough
def test_wandb_keeps_each_trial_in_a_run_that_its_own_reader_reads(
    database: Database, study: StudyRecord, tmp_path: Path
) -> None:
    pytest.importorskip("wandb", reason="`make setup` installs it")
    from wandb.proto import wandb_internal_pb2

    [run] = read_runs(database, study, [1])
    tracker = open_tracker(f"wandb:{tmp_path / 'runs'}")
    tracker.write(study, run)
    assert set(tracker.known(study)) == {1}
    [file] = (tmp_path / "runs" / "wandb").glob("offline-run-*/*.wandb")
    rows: list[dict[str, Any]] = []
    config: dict[str, Any] = {}
    group = ""
    # The program that writes the file is another process, and may end after the run is said to be finished.
    until = time.monotonic() + 60
    while True:
        records = [wandb_internal_pb2.Record.FromString(data) for data in read_log(file.read_bytes())]
        if any(record.HasField("exit") for record in records) or time.monotonic() > until:
            break
        time.sleep(0.2)
    for record in records:
        if record.HasField("run"):
            group = record.run.run_group or group
            config |= {one.key: json.loads(one.value_json) for one in record.run.config.update}
        if record.HasField("history"):
            rows.append(
                {
                    one.key or ".".join(one.nested_key): json.loads(one.value_json)
                    for one in record.history.item
                }
            )
    assert group == "tracked"
    assert config["batch_size"] == run.params["batch_size"]
    assert [row["val_auc"] for row in rows] == [values["val_auc"] for _, values in run.mean]
    assert [row["fold_2/val_auc"] for row in rows] == [values["val_auc"] for _, values in run.folds[1]]


def test_tensorboard_has_curves_and_hyperparameters(
    database: Database, study: StudyRecord, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboardX", reason="`make setup` installs it")
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.plugins.hparams import plugin_data_pb2

    for _ in range(2):
        export(database, study, "tensorboard", str(tmp_path / "logs"))
    for run in expect(database, study):
        folder = tmp_path / "logs" / "tracked" / run.name
        assert sorted(path.name for path in folder.iterdir()) == ["fold-1", "fold-2", "fold-3", "mean"]
        [file] = (folder / "mean").iterdir()
        values: dict[str, list[tuple[int, float]]] = {}
        params: dict[str, float] = {}
        for event in EventFileLoader(str(file)).Load():
            for one in event.summary.value:
                if one.metadata.plugin_data.plugin_name == "hparams":
                    data = plugin_data_pb2.HParamsPluginData.FromString(one.metadata.plugin_data.content)
                    params |= {
                        name: kept.number_value for name, kept in data.session_start_info.hparams.items()
                    }
                elif one.tag:
                    number = one.tensor.float_val[0] if one.HasField("tensor") else one.simple_value
                    values.setdefault(one.tag, []).append((event.step, number))
        assert params["batch_size"] == run.params["batch_size"]
        assert values["val_auc"] == [(epoch, pytest.approx(row["val_auc"])) for epoch, row in run.mean]
        assert values["objective"] == [(run.best_epoch, pytest.approx(run.value))]


class Recorder:
    """A tracker that is away as long as a test likes."""

    def __init__(self) -> None:
        self.kept: dict[int, float] = {}
        self.is_away = False
        self.asked = 0

    def known(self, study: StudyRecord) -> set[int]:
        self.asked += 1
        if self.is_away:
            raise TrackerAwayError("away")
        return set(self.kept)

    def write(self, study: StudyRecord, run: Any) -> None:
        assert run.trial not in self.kept, "told twice"
        self.kept[run.trial] = run.value


def test_a_tracker_that_is_away_gets_everything_later_and_no_trial_waits(database_url: str) -> None:
    with closing(open_database(database_url)) as database:
        make_study(database, "live", points=6)
        tracker, ended, said, left = Recorder(), threading.Event(), [], []
        tracker.is_away = True

        def run() -> None:
            with closing(open_database(database_url)) as own:
                left.append(
                    follow(
                        *(own, tracker, "x:y", "live"),
                        **{"ended": ended, "say": said.append, "look_seconds": 0.05, "last_seconds": 20},
                    )
                )

        following = threading.Thread(target=run)
        following.start()
        work_off(database, "live")  # ends although the tracker is away
        assert tracker.kept == {}
        tracker.is_away = False
        ended.set()
        following.join(30)
        study = load_study(database, "live")
        assert tracker.kept == {run.trial: run.value for run in read_runs(database, study, range(6))}
        assert left == [0]
        assert "Training goes on" in said[0] if said else tracker.asked


def test_a_tracker_that_stays_away_is_left_and_nothing_is_lost(
    database: Database, study: StudyRecord
) -> None:
    tracker, ended = Recorder(), threading.Event()
    tracker.is_away = True
    ended.set()
    begun = time.monotonic()
    words = {"ended": ended, "say": lambda _: None, "look_seconds": 0.01, "last_seconds": 0.3}
    assert follow(database, tracker, "x:z", "tracked", **words) == 1
    assert time.monotonic() - begun < 10
    tracker.is_away = False
    assert push_study(database, study, tracker, "x:z") == POINTS
    assert not [value for value in tracker.kept.values() if math.isnan(value)]


def test_an_export_is_written_though_its_tracker_does_not_answer(
    database: Database, tmp_path: Path, run_here: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        words = ["study", "export", "tracked", "-o", str(tmp_path / "best.json"), "--mlflow", address]
        done = run_here(*words, "--storage", f"sqlite:///{database.file}")
    assert done.returncode == 1
    assert "Nothing is lost" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "best.json").read_text())["study"] == "tracked"


def test_a_follower_without_a_database_says_so_in_a_line(tmp_path: Path) -> None:
    target = f"tensorboard:{tmp_path / 'logs'}"
    done = subprocess.run(
        make_command(PROGRAM, json.dumps([target, None, os.getpid()])),
        env={**os.environ, "ORCH_STORAGE": f"sqlite:///{tmp_path / 'none.db'}"},
        input="", capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "tensorboard is not told of trials: There is no study database" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_process_at_a_time_tells_a_tracker(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_database(database_url)) as database:
        study = make_study(database, "turns")

        def as_process(name: str, call: Callable[[], Any]) -> Any:
            monkeypatch.setattr("storage.studies.tracking._who", lambda: name)
            return call()

        assert as_process("a", lambda: take_turn(database, study, "t", 60))
        assert not as_process("b", lambda: take_turn(database, study, "t", 60))
        assert as_process("b", lambda: take_turn(database, study, "other", 60))
        assert as_process("a", lambda: take_turn(database, study, "t", 0, again=True))
        assert as_process("b", lambda: take_turn(database, study, "t", 60))
        assert not as_process("a", lambda: take_turn(database, study, "t", 60, again=True))
        as_process("a", lambda: give_back(database, study, "t"))
        assert not as_process("a", lambda: take_turn(database, study, "t", 60))
        as_process("b", lambda: give_back(database, study, "t"))
        assert as_process("a", lambda: take_turn(database, study, "t", 60))


@pytest.mark.parametrize("target", ["mlflow", "mlflow:", "comet:x", "", ":x"])
def test_what_names_no_tracker_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match="names no tracker"):
        open_tracker(target)

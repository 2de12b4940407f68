"""From radiographs to best.json with the installed command: import, create, several workers, export, Regime II.

What follows in Regime II runs in this process: nothing of it is about processes any more.
"""

import csv
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest

from orchestrator.demo.radiographs import draw_radiographs
from storage.database.opening import open_database
from storage.results.ledger import read_curves
from storage.studies.points import list_points
from storage.studies.study import load_study
from tests.backends import SIDE_BY_SIDE
from workers.process.circumstances import Circumstances
from workers.process.worker import run_worker

Run = Callable[..., subprocess.CompletedProcess[str]]

SMALL = (
    *(
        "--set",
        "model.backbone=MobileNet",
        "--set",
        "model.weights=none",
        "--set",
        "model.image_size=[75, 75]",
    ),
    *("--set", "model.pooling=avg"),
    *("--set", "model.head=[32]", "--set", "cv.folds=3", "--set", "training.epochs=4"),
    *("--set", f"training.threads={SIDE_BY_SIDE}"),
    *("--set", "pruner.name=fast", "--set", 'search.batch_size={type="int", low=8, high=40}'),
)


@dataclass
class Place:
    """A folder with a study database, and the command that runs in it."""

    folder: Path
    program: Path

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ORCH_")}
        return {**clean, "ORCH_CACHE": str(self.folder / "cache"), "CUDA_VISIBLE_DEVICES": "-1"}

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.program, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=280,
        )
        assert done.returncode == 0, done.stderr
        return done

    def trials(self, study: str) -> list[optuna.trial.FrozenTrial]:
        with closing(open_database(f"sqlite:///{self.folder / 'orch.db'}")) as database:
            record = load_study(database, study)
            return list(database.optuna.get_all_trials(record.optuna_study_id))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, orch_program: Path) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("main path"), orch_program)
    draw_radiographs(place.folder / "raw", patients=10, size=75)
    place.run(
        *("data", "import", "raw/images", "--labels", "raw/labels.csv"),
        *("--group", "patient_id", "--holdout", "0.2", "--out", "data"),
    )
    return place


def check_points(place: Place, study: str, planned: int) -> dict[str, object]:
    best: dict[str, object] = json.loads((place.folder / f"{study}.json").read_text())
    points: dict[str, int] = best["points"]  # type: ignore[assignment]
    assert points["planned"] == points["complete"] + points["pruned"] == planned
    ended = Counter(
        trial.user_attrs["point"]
        for trial in place.trials(study)
        if trial.state.name in ("COMPLETE", "PRUNED")
    )
    assert ended == dict.fromkeys(range(planned), 1)
    assert not [trial for trial in place.trials(study) if trial.state.name == "RUNNING"]
    with (place.folder / f"{study}.csv").open() as file:
        assert len(list(csv.DictReader(file))) == planned
    return best


@pytest.mark.slow
def test_from_radiographs_to_the_best_of_both_regimes(place: Place, run_here: Run) -> None:
    def run(*arguments: object) -> str:
        done = run_here(*arguments, folder=place.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    place.run("study", "create", "one", "--regime", "I", "--trials", 6, "--data", "data", *SMALL)
    worked = place.run("worker", "one", "--processes", 2, "--on-finish", 'echo "$ORCH_STUDY" >> ended')
    assert worked.stderr.count("one trial ") == 6
    assert "Study 'one' is complete. Next: orch study export one -o one.json" in worked.stderr
    assert (place.folder / "ended").read_text() == "one\n"
    place.run("study", "export", "one", "-o", "one.json", "--trials-csv", "one.csv")
    best = check_points(place, "one", 6)
    fold_values: list[float] = best["fold_values"]  # type: ignore[assignment]
    assert sum(fold_values) / 3 == pytest.approx(best["value"])
    assert run("study", "watch", "one").count("\n") == 1

    trial = json.loads(run("trial", "show", "one", best["trial"], "--json"))
    train_images = json.loads(run("study", "show", "one", "--json"))["facts"]["train_images"]
    for row in trial["epochs"]:
        assert row["steps"] == -(-train_images[row["fold"]] // trial["params"]["batch_size"])
        assert row["samples"] == train_images[row["fold"]]

    grid = ("--set", 'search.learning_rate={type="grid", values=[1e-2, 1e-3]}')
    grid += ("--set", 'search.epsilon={type="grid", values=[1e-3, 1e-7]}')
    run("study", "create", "two", "--regime", "II", "--from", "one.json", "--data", "data", *grid)
    with closing(open_database(f"sqlite:///{place.folder / 'orch.db'}")) as database:
        run_worker(Circumstances(database), ["two"], [place.folder / "data"], place.folder / "cache")
    run("study", "export", "two", "-o", "two.json", "--trials-csv", "two.csv")
    second = check_points(place, "two", 4)
    params: dict[str, float] = best["params"]  # type: ignore[assignment]
    assert {name: second["fixed"][name] for name in params} == params  # type: ignore[index]
    assert second["spec"]["model"] == {  # type: ignore[index]
        **best["spec"]["model"],  # type: ignore[index]
        "dropout_rate": params["dropout_rate"],
    }


@pytest.mark.thorough
def test_a_worker_that_is_stopped_gives_its_point_back(place: Place, run_here: Run) -> None:
    name = "stopped"
    endless = ("--set", "training.epochs=10000", "--pruner", "none")
    create = ("study", "create", name, "--regime", "I", "--trials", 2, "--data", "data", *SMALL, *endless)
    assert run_here(*create, folder=place.folder).returncode == 0
    command = [place.program, "worker", name, "--gpus", "none"]
    worker = subprocess.Popen(
        command, cwd=place.folder, env=place.environment, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: worker.poll() is not None or is_training(place, name))
        worker.send_signal(signal.SIGTERM)
        _, errors = worker.communicate(timeout=60)
    finally:
        worker.kill()
    assert worker.returncode == 143, errors
    assert "In this run: 0 complete, 0 pruned, 0 failed in " in errors
    assert errors.endswith("2 of 2 trials of 'stopped' are left; `orch worker stopped` continues.\n")
    assert "Traceback" not in errors
    points = json.loads(run_here("study", "show", name, "--json", folder=place.folder).stdout)["points"]
    assert (points["open"], points["running"]) == (2, 0)
    assert [trial.state.name for trial in place.trials(name)] == ["FAIL"]


def is_training(place: Place, study: str) -> bool:
    with closing(open_database(f"sqlite:///{place.folder / 'orch.db'}")) as database:
        uuid = load_study(database, study).uuid
        return any(read_curves(database, uuid, point.point) for point in list_points(database, uuid))


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.5)

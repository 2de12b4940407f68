"""The runs of `bench.chaos` that need whole commands: creations, the real objective, two coordinators, a cache on a full disk."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from storage.database.opening import open_database
from storage.studies.study import list_studies, load_study
from tests import nemeses
from tests.coordinators import run_coordinators
from tests.postgres import PostgresServer

KERAS_EPOCHS = 700
"""Long enough for several kills a minute or more apart."""
ORCH = Path(sys.executable).with_name("orch")
KERAS_SETTINGS = (
    *("--set", "model.weights=none", "--set", "model.image_size=[75, 75]", "--set", "model.pooling=avg"),
    *("--set", "model.head=[64]", "--set", "cv.folds=3", "--set", "training.threads=2"),
    *("--set", 'search.batch_size={type="int", low=8, high=40}', "--set", "study.lease_seconds=15"),
)


def summarise(name: str, happened: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """Print and return one line."""
    problems = [*account["problems"], *(f"wrong value at point {point}" for point in account["wrong_values"])]
    if not happened.get("left_by_themselves", True):
        problems.append("a worker did not leave by itself with exit code 0")
    trials, points = account["trials"], account["points"]
    result = {
        "run": name,
        **happened,
        "points": points["planned"],
        "complete": points["complete"],
        "pruned": points["pruned"],
        "failed": points["failed"],
        "duplicates": trials.get("COMPLETE", 0) + trials.get("PRUNED", 0) - points["planned"],
        "lost_fold_epochs": account["folds"]["missing"],
        "left_running": trials.get("RUNNING", 0),
        "attempts": account["attempts"],
        "changes": account.get("changes"),
        "acknowledged": account.get("acknowledged"),
        "problems": problems,
    }
    settled = points["complete"] + points["pruned"] == points["planned"]
    result["ok"] = settled and not problems and not result["left_running"]
    print(json.dumps(result), flush=True)
    return result


def orch(
    folder: Path, *words: object, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a folder."""
    done = subprocess.run(
        [ORCH, *map(str, words)], cwd=folder, env=clean(folder, **environment), capture_output=True, text=True
    )
    if check and done.returncode:
        raise RuntimeError(f"orch {words}: {done.stderr}")
    return done


def clean(folder: Path, **environment: str) -> dict[str, str]:
    """An environment without this user's settings of orch."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORCH_")}
    return {**kept, "ORCH_CACHE": str(folder / "cache"), **environment}


def make_data(folder: Path, patients: int) -> Path:
    """Draw radiographs and import them, once."""
    from orchestrator.demo.radiographs import draw_radiographs

    if not (folder / "data").is_dir():
        draw_radiographs(folder / "raw", patients=patients, size=75)
        words = ("data", "import", "raw/images", "--labels", "raw/labels.csv", "--group", "patient_id")
        orch(folder, *words, "--holdout", "0.2", "--out", "data")
    return folder / "data"


def killed_creations(server: PostgresServer, folder: Path) -> dict[str, Any]:
    """Kill `orch study create` at 20 random instants and run it again."""
    data = make_data(folder, 20)
    chance, problems, seconds, created_before_kill = random.Random(5), [], 0.0, 0
    for instant in range(21):
        url = server.create_database()
        words = ["study", "create", "again", "--regime", "I", "--data", data, *KERAS_SETTINGS]
        environment = clean(folder, ORCH_STORAGE=url)
        if instant == 0:
            began = time.monotonic()
            orch(folder, *words, ORCH_STORAGE=url)
            seconds = time.monotonic() - began
            server.drop_database(url)
            continue
        process = subprocess.Popen(
            [ORCH, *map(str, words)],
            cwd=folder,
            env=environment,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        # The tables and the study are written in the last part of the command, whose length changes with the machine's load.
        began = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.3, 1.05) * seconds)
            created_before_kill, seconds = created_before_kill + 1, time.monotonic() - began
        process.kill()
        process.wait()
        orch(folder, *words, ORCH_STORAGE=url)
        checked = json.loads(orch(folder, "study", "verify", "again", "--json", ORCH_STORAGE=url).stdout)
        database = open_database(url)
        studies, ours = database.optuna.get_all_studies(), list_studies(database)
        database.close()
        if len(studies) != 1 or len(ours) != 1 or checked["points"]["open"] != 100:
            problems.append(f"instant {instant}: {len(studies)} studies, {checked['points']}")
        problems += checked["problems"]
        server.drop_database(url)
    result = {
        "run": "create killed at 20 instants",
        "seconds_of_one": round(seconds, 1),
        "finished_before_the_kill": created_before_kill,
        "problems": problems,
        "ok": not problems,
    }
    print(json.dumps(result), flush=True)
    return result


def keras(server: PostgresServer, folder: Path, points: int = 16) -> dict[str, Any]:
    """The real objective: by one worker, by eight, and by eight of which one is killed every 60-90 s."""
    data = make_data(folder, 20)
    values: dict[str, list[float | None]] = {}
    account: dict[str, Any] = {}
    happened: dict[str, Any] = {"kills": 0}
    for name, count in (("one", 1), ("eight", 8), ("chaos", 8)):
        url = server.create_database()
        words = ("--trials", points, "--pruner", "none", "--set", f"training.epochs={KERAS_EPOCHS}")
        orch(
            folder,
            "study",
            "create",
            "s",
            "--regime",
            "I",
            "--data",
            data,
            *KERAS_SETTINGS,
            *words,
            ORCH_STORAGE=url,
        )
        began = time.monotonic()
        environment = clean(folder, ORCH_STORAGE=url, ORCH_ARTIFACTS=str(folder / "artifacts"))
        with (folder / f"keras-{name}.log").open("w") as log:
            worker = subprocess.Popen(
                [ORCH, "worker", "s", "--processes", str(count), "--gpus", "none", "--data", data],
                cwd=folder,
                env=environment,
                stderr=log,
            )
            if name == "chaos":
                happened["kills"] = kill_children(worker, (60, 90))
            code = worker.wait()
        happened[f"seconds_{name}"] = round(time.monotonic() - began, 1)
        database = open_database(url)
        from storage.studies.points import list_points

        records = list_points(database, load_study(database, "s").uuid)
        values[name] = [record.value for record in records]
        database.close()
        account = json.loads(
            orch(folder, "study", "verify", "s", "--json", check=False, ORCH_STORAGE=url).stdout
        )
        if code:
            account["problems"].append(f"{name}: the worker left with {code}")
    happened["same_values"] = values["one"] == values["eight"] == values["chaos"]
    if not happened["same_values"]:
        account["problems"].append("values depend on the fleet")
    return summarise("keras, a kill every 60-90 s", happened, {**account, "wrong_values": []})


def kill_children(worker: subprocess.Popen[bytes], every: tuple[float, float]) -> int:
    """SIGKILL a random worker process now and then until the supervisor leaves; returns how many."""
    chance, kills = random.Random(3), 0
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(chance.uniform(*every))
            return kills
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
        if children:
            os.kill(int(chance.choice(children)), signal.SIGKILL)
            kills += 1


def two_coordinators(server: PostgresServer, folder: Path, seconds: float) -> dict[str, Any]:
    """Two people create, stop, resume and delete one study at random beside three workers; then it is made a last time and ends."""
    url = server.create_database()
    open_database(url, create=True).close()
    happened, account = run_coordinators(url, folder / "coordinators", seconds)
    result = summarise("two coordinators", happened, account)
    server.drop_database(url)
    return result


def full_cache(server: PostgresServer, folder: Path, seconds: float = 400) -> dict[str, Any]:
    """`orch worker` with its cache on a full disk: it says so, waits, and goes on when there is room."""
    data = make_data(folder, 20)
    url, cache = server.create_database(), folder / "small-cache"
    words = ("--regime", "I", "--trials", 3, "--data", data, "--pruner", "none", "--set", "training.epochs=3")
    orch(folder, "study", "create", "s", *words, *KERAS_SETTINGS, ORCH_STORAGE=url)
    began, log = time.monotonic(), folder / "cache.log"
    with nemeses.full_folder(cache), log.open("w") as file:
        worker = subprocess.Popen(
            [ORCH, "worker", "s", "--gpus", "none", "--data", data],
            cwd=folder, env=clean(folder, ORCH_STORAGE=url, ORCH_CACHE=str(cache)), stderr=file,
        )  # fmt: skip
        # It prepares features first, which takes a while on a busy machine.
        while (
            worker.poll() is None and "No space" not in log.read_text() and time.monotonic() - began < seconds
        ):
            time.sleep(0.5)
        left_early = worker.poll() is not None
        subprocess.run(["mount", "-o", "remount,size=64m", cache], check=True)
        code = worker.wait(300)
    account = json.loads(orch(folder, "study", "verify", "s", "--json", check=False, ORCH_STORAGE=url).stdout)
    if left_early or code:
        account["problems"].append(f"the worker left with {code}, {'early' if left_early else 'late'}")
    if "waiting because of a disk of this machine" not in log.read_text():
        account["problems"].append("nothing was said of a full disk")
    if account["attempts"]["failed"]:
        account["problems"].append(f"{account['attempts']['failed']} attempts failed because of the disk")
    happened = {"seconds": round(time.monotonic() - began, 1)}
    result = summarise("cache on a full disk", happened, {**account, "wrong_values": []})
    server.drop_database(url)
    return result

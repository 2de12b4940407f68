"""The long fault tests: `make chaos`. Prints one JSON line per run; leaves with 1 when anything does not add up.

    python -m bench.chaos [weather] [trouble] [sqlite] [create] [keras] [hosts] [--seeds 5]

weather: 200 points, 4 workers, a SIGKILL every 2-5 s, PostgreSQL crashed 3 times, one worker frozen past its lease;
trouble: the disk of the server full for 8 s, and a table locked for 4 s under a statement_timeout of 500 ms, again and again;
sqlite: 8 processes, 200 points, 3 runs; create: `orch study create` killed at 20 random instants; keras: the real
objective, `orch worker`, a kill every 60-90 s, and the same study undisturbed by one worker and by several;
hosts: a database and two worker hosts in network namespaces (root), the link of one cut past the lease and mended.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from storage.database.opening import open_database
from storage.studies.study import list_studies, load_study
from tests import nemeses
from tests.hosts import three_hosts_storm
from tests.postgres import PostgresServer
from tests.storm import Storm, account_for
from tests.studies import make_study

POINTS = 200
KERAS_EPOCHS = 700
"""Long enough for several kills a minute or more apart."""
ORCH = Path(sys.executable).with_name("orch")
KERAS_SETTINGS = (
    *("--set", "model.weights=none", "--set", "model.image_size=[75, 75]", "--set", "model.pooling=avg"),
    *("--set", "model.head=[64]", "--set", "cv.folds=3", "--set", "training.threads=2"),
    *("--set", 'search.batch_size={type="int", low=8, high=40}', "--set", "study.lease_seconds=15"),
)


def main() -> int:
    """Run what was asked for; returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", default=["weather", "trouble", "sqlite", "create"])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    server = PostgresServer()
    folder = Path(tempfile.mkdtemp(prefix="orch-chaos-"))
    runs: dict[str, Any] = {
        "weather": lambda: [weather(server, folder, seed) for seed in range(1, arguments.seeds + 1)],
        "trouble": lambda: [trouble(server, folder, kind) for kind in ("disk full", "statement_timeout")],
        "sqlite": lambda: [many_on_sqlite(folder, run) for run in range(3)],
        "create": lambda: [killed_creations(server, folder)],
        "keras": lambda: [keras(server, folder)],
        "hosts": lambda: [three_hosts(folder, POINTS)],
    }
    try:
        server.start()
        results = [result for what in arguments.what for result in runs[what]()]
    finally:
        server.close()
    return 0 if all(result["ok"] for result in results) else 1


def weather(server: PostgresServer, folder: Path, seed: int) -> dict[str, Any]:
    """One run in bad weather; odd seeds train fold by fold."""
    url = server.copy_template(lambda fresh: open_database(fresh, create=True).close())
    schedule = "sequential" if seed % 2 else "lockstep"
    database = open_database(url)
    make_study(database, "storm", points=POINTS, **{"cv.schedule": schedule})
    database.close()
    storm = Storm(
        url,
        "storm",
        folder / f"weather-{seed}",
        workers=4,
        seconds=0.08,
        kill_every=(2, 5),
        server=server,
        restarts=3,
        freezes=1,
        seed=seed,
        limit=1200,
    )
    happened = storm.run()
    result = summarise(
        f"weather, seed {seed}, {schedule}", happened, account_for(url, "storm", folder / f"weather-{seed}")
    )
    server.drop_database(url)
    return result


def trouble(server: PostgresServer, folder: Path, kind: str) -> dict[str, Any]:
    """A database that answers, and cannot do what is asked: no attempt may fail because of it."""
    url = server.copy_template(lambda fresh: open_database(fresh, create=True).close())
    database = open_database(url)
    make_study(database, "storm", points=POINTS)
    database.close()
    storm = Storm(url, "storm", folder / kind, workers=4, seconds=0.08, limit=1200)
    nemesis = (
        nemeses.full_disk(server, url, lasts=8, every=10)
        if kind == "disk full"
        else nemeses.statement_timeout(server, url, limit="500ms", lasts=4, every=8)
    )
    with nemesis as times:
        happened = storm.run()
    account = account_for(url, "storm", folder / kind)
    if account["attempts"]["failed"]:
        account["problems"].append(f"{account['attempts']['failed']} attempts failed because of the database")
    result = summarise(kind, {**happened, "times": times[0]}, account)
    server.drop_database(url)
    return result


def many_on_sqlite(folder: Path, run: int) -> dict[str, Any]:
    """Eight processes on one SQLite file."""
    url = f"sqlite:///{folder / f'many-{run}.db'}"
    database = open_database(url, create=True)
    make_study(database, "storm", points=POINTS)
    database.close()
    logs = folder / f"sqlite-{run}"
    happened = Storm(url, "storm", logs, workers=8, seconds=0.02, limit=1200).run()
    locked = sum(path.read_text().lower().count("locked") for path in logs.glob("*.log"))
    account = account_for(url, "storm", logs)
    if locked:
        account["problems"].append(f"{locked} times 'database is locked'")
    return summarise(f"sqlite, 8 processes, run {run + 1}", {**happened, "locked": locked}, account)


def three_hosts(folder: Path, points: int) -> dict[str, Any]:
    """Three hosts, one of them cut off for longer than the lease."""
    happened, account = three_hosts_storm(folder / "hosts", points)
    return summarise("three hosts, one link cut past the lease", happened, account)


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
        # The tables and the study are written in the last part of the command.
        time.sleep(chance.uniform(0.3, 1.05) * seconds)
        created_before_kill += process.poll() == 0
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
    for name, processes in (("one", 1), ("eight", 8), ("chaos", 8)):
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
                [ORCH, "worker", "s", "--processes", str(processes), "--gpus", "none", "--data", data],
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


if __name__ == "__main__":
    sys.exit(main())

"""Somebody who creates, stops, resumes and deletes one study at random, as often as can be: with another one beside him, and workers."""

from __future__ import annotations

import json
import random
import time
import traceback
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from storage.database.opening import open_database
from storage.errors import OrchError
from storage.studies.deletion import stop_and_delete
from storage.studies.study import load_study, resume_study, stop_study
from tests.light_worker import work
from tests.storm import account_for
from tests.studies import make_study, processes

NAME = "storm"
WHAT = ("create", "create", "stop", "resume", "resume", "delete")


def coordinate(url: str, seconds: float, seed: int, folder: str) -> None:
    """Do so for a while; what was done, and every error that is not meant, is in a file of the folder afterwards."""
    chance, done = random.Random(seed), Counter[str]()
    unmeant: list[str] = []
    end = time.monotonic() + seconds
    with closing(open_database(url)) as database:
        while time.monotonic() < end:
            what = chance.choice(WHAT)
            try:
                if what == "create":
                    make_study(database, NAME, points=12)
                elif what == "delete":
                    stop_and_delete(database, load_study(database, NAME), patience=5)
                else:
                    {"stop": stop_study, "resume": resume_study}[what](database, load_study(database, NAME))
                done[what] += 1
            except OrchError as error:
                done["refused"] += 1
                if "did not make" in str(error):
                    unmeant.append(str(error))
            except Exception:
                unmeant.append(traceback.format_exc()[-800:])
            time.sleep(chance.uniform(0.02, 0.4))
    Path(folder, f"coordinator-{seed}.json").write_text(json.dumps({"done": done, "unmeant": unmeant}))


def run_coordinators(url: str, folder: Path, seconds: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let two of them at it beside three workers, then make the study a last time and finish it.

    Returns:
        What happened, and the account of the last study.
    """
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    coordinators = [
        processes.Process(target=coordinate, args=(url, seconds, seed, str(folder))) for seed in (1, 2)
    ]
    for one in coordinators:
        one.start()
    workers: list[Any] = []
    while any(one.is_alive() for one in coordinators):
        workers = [worker for worker in workers if worker.is_alive()]
        while len(workers) < 3:
            workers.append(processes.Process(target=work, args=(url, "*", 0.02, str(folder))))
            workers[-1].start()
        time.sleep(0.2)
    done, unmeant = Counter[str](), []
    for path in folder.glob("coordinator-*.json"):
        said = json.loads(path.read_text())
        done.update(said["done"])
        unmeant += said["unmeant"]
    with closing(open_database(url)) as database:
        with suppress(OrchError):
            stop_and_delete(database, load_study(database, NAME), patience=30)
        make_study(database, NAME, points=12)
        left = processes.Process(target=work, args=(url, NAME, 0.0, str(folder)))
        left.start()
        left.join(120)
        for worker in workers:
            worker.join(60)
            worker.kill()
        account = account_for(url, NAME, folder, keeps_history=False)
        database.forget_optuna()
        theirs = [study.study_name for study in database.optuna.get_all_studies()]
    if theirs != [NAME]:
        account["problems"].append(f"Optuna knows the studies {theirs}, and orch made one")
    account["problems"] += unmeant
    happened = {"seconds": round(time.monotonic() - began, 1), "coordinators": dict(done)}
    return {**happened, "left_by_themselves": left.exitcode == 0}, account

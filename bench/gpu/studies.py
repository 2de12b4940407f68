"""Stages that run studies by `orch worker`, as a user does."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.gpu.desk import Desk, Watch, text_of
from bench.on_a_gpu import Found, Place

GENTLE = ("--set", "study.lease_seconds=15")
"""What a killed worker held is free again after this time."""


def run_prepare(place: Place, found: Found) -> None:
    """Import the data set, extract its features and train one trial, which compiles the first programs."""
    for name in ("data", "cache"):
        shutil.rmtree(place.work / name, ignore_errors=True)
    began = time.perf_counter()
    desk = Desk(place)
    found["data import, s"] = time.perf_counter() - began
    began = time.perf_counter()
    desk.create("first", 1)
    found["study create, s"] = time.perf_counter() - began
    began = time.perf_counter()
    with Watch() as watch:
        desk.orch("worker", "first", *desk.places(1))
    found["worker: start, features and one trial, s"] = time.perf_counter() - began
    found["watched"] = watch.found()
    found["values"] = desk.values("first")
    found["programs on disk"] = count_programs(desk)
    found["doctor"] = desk.orch("doctor", "--data", desk.data, check=False).splitlines()


def run_study(place: Place, found: Found) -> None:
    """Seconds of whole studies; how busy the GPU was, and what each process took of its memory."""
    shared = Desk(place)
    cold = place.work / "cold-cache"
    shutil.rmtree(cold, ignore_errors=True)
    # The features are there in both cases; what differs is whether the programs are, too.
    shutil.copytree(shared.cache, cold, ignore=shutil.ignore_patterns("xla-*"))
    trials = 2 if place.rehearse else 12
    values = {}
    cases = [("cold", cold, 1), ("warm", cold, 1), ("warm", cold, 2), ("warm", cold, 4)]
    for name, cache, at_once in cases[: 2 if place.rehearse else None]:
        desk, study = Desk(place, cache), f"{name}-{at_once}"
        desk.create(study, trials)
        began = time.perf_counter()
        with Watch() as watch:
            desk.orch("worker", study, *desk.places(at_once))
        seconds = time.perf_counter() - began
        values[study] = desk.values(study)
        found[f"{name} compilation cache, {at_once} at once"] = {
            "trials": trials,
            "seconds": seconds,
            "programs on disk": count_programs(desk),
            **watch.found(),
        }
        found["the same values in all"] = len({tuple(one) for one in values.values()}) == 1
        found["values"] = values[study]


def run_whole(place: Place, found: Found) -> None:
    """All of Regime I at the size of the reference study, extraction and all, with one and with four trials at once."""
    from orchestrator.demo.radiographs import draw_radiographs

    desk = Desk(place)
    patients, size = (12, 75) if place.rehearse else (415, 299)
    began = time.perf_counter()
    table = draw_radiographs(desk.folder / "raw", patients=patients, size=size)
    found["drawing, s"] = time.perf_counter() - began
    began = time.perf_counter()
    words = ("--labels", table, "--group", "patient_id", "--holdout", "0")
    desk.data = desk.folder / "data"
    desk.orch("data", "import", table.parent / "images", *words, "--out", desk.data)
    found["import, s"] = time.perf_counter() - began
    small = (
        *("cv.folds=2", "training.epochs=2", "training.batch_size=8"),
        *("model.backbone=MobileNetV2", "model.image_size=[75,75]"),
    )
    chosen = ("model.weights=none", *(small if place.rehearse else ()))
    # Among thousands of drawn legs some pairs are so alike that the audit takes them for copies.
    accepted = () if place.rehearse else ("--accept", "near-duplicates")
    values: dict[int, list[Any]] = {}
    for at_once in (1, 4):
        name = f"whole-{at_once}"
        trials = 3 if place.rehearse else 100
        began = time.perf_counter()
        desk.orch(
            *("study", "create", name, "--regime", "I", "--data", desk.data, "--trials", trials),
            *("--pruner", "none", *accepted, *set_all(chosen)),
        )
        found[f"study create and audit, {at_once} at once, s"] = time.perf_counter() - began
        began = time.perf_counter()
        with Watch() as watch:
            worker = desk.begin("worker", name, *desk.places(1), "--at-once", at_once)
            # A stage that is cut off within the study is to leave how far it came.
            while worker.poll() is None:
                time.sleep(1)
                found[f"{at_once} at once, so far"] = {
                    "s": time.perf_counter() - began,
                    "trials": count_trials(desk, name),
                }
        if worker.returncode:
            raise RuntimeError(f"orch worker {name}: exit code {worker.returncode}")
        values[at_once] = desk.values(name)
        found[f"{trials} trials, {at_once} at once, s"] = time.perf_counter() - began
        found[f"{trials} trials, {at_once} at once, watched"] = watch.found()
        found["programs on disk"], found["best value"] = count_programs(desk), max(values[at_once])
        found["the same values"] = values[at_once] == values[1]


def count_trials(desk: Desk, study: str) -> int:
    """How many trials of a study are complete, asked of its database."""
    question = (
        "SELECT COUNT(*) FROM trials t JOIN studies s ON s.study_id = t.study_id "
        "WHERE s.study_name = ? AND t.datetime_complete IS NOT NULL"
    )
    with closing(sqlite3.connect(desk.folder / "orch.db", timeout=30)) as database:
        return int(database.execute(question, (study,)).fetchone()[0])


def set_all(settings: tuple[str, ...]) -> list[str]:
    """Settings as options of `orch study create`."""
    return [word for setting in settings for word in ("--set", setting)]


def run_replay(place: Place, found: Found) -> None:
    """The first and the last trial of a small study, computed again."""
    desk = Desk(place)
    desk.create("r", 2)
    desk.orch("worker", "r", *desk.places(1))
    for number in (0, 1):
        answer = json.loads(desk.orch("trial", "replay", "r", number, "--json", check=False))
        found[f"trial {number}"] = {
            name: answer[name] for name in ("identical", "numbers", "different", "circumstances")
        }


def run_chaos(place: Place, found: Found) -> None:
    """Two workers on one GPU, one of them killed twice; the values must be those of the undisturbed study."""
    desk = Desk(place)
    trials = 3 if place.rehearse else 8
    desk.create("calm", trials, *GENTLE)
    desk.create("killed", trials, *GENTLE)
    began = time.perf_counter()
    desk.orch("worker", "calm", *desk.places(2))
    found["undisturbed, s"] = time.perf_counter() - began
    worker, kills, began = desk.begin("worker", "killed", *desk.places(2)), 0, time.perf_counter()
    while worker.poll() is None:
        time.sleep(0.2)
        children = children_of(worker.pid)
        # By what is done, not by the clock: the first of the two studies compiles.
        if kills < 2 and children and count_trials(desk, "killed") > kills:
            os.kill(children[kills % len(children)], signal.SIGKILL)
            kills += 1
            found["kills"] = kills
    found["killed, s"], found["exit code"] = time.perf_counter() - began, worker.returncode
    checked = json.loads(desk.orch("study", "verify", "killed", "--json", check=False))
    found["problems"] = checked["problems"]
    found["same values"] = desk.values("calm") == desk.values("killed")


def run_memory(place: Place, found: Found) -> None:
    """A head for which memory is not enough: what is said, and whether the next study runs."""
    desk = Desk(place)
    # A few GiB of the GPU are enough to fail in, and soon. In a rehearsal the process may not take the memory of the machine:
    # the kernel would end another one.
    head = "model.head=[256, 60000000]" if place.rehearse else "model.head=[4000, 6000]"
    address_space = 24 * 1024**3 if place.rehearse else 0
    total = text_of("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
    share = 3000 / float(total.splitlines()[0]) if total else 0.75
    desk.create("large", 1, "--set", head, "--set", "study.retries=0")
    desk.create("after", 1, "--set", "training.epochs=1")
    since = desk.log.stat().st_size
    desk.orch(
        *("worker", *desk.places(1)),
        check=False,
        more={"XLA_CLIENT_MEM_FRACTION": f"{share:.4f}"},
        address_space=address_space,
    )
    text = desk.messages(since)
    line = next((line for line in text.splitlines() if re.search("[Mm]emory", line)), text[-300:])
    found["said"] = line[:500]
    found["names the batch size"] = "batch size" in text
    found["names the processes"] = "per-gpu" in text
    found["of the large study"] = outcomes(desk.shown("large"))
    found["of the next study"] = outcomes(desk.shown("after"))


def run_none(place: Place, found: Found) -> None:
    """The processor was asked for, on a machine with a GPU."""
    desk = Desk(place)
    desk.create("none", 1, "--set", "training.epochs=1", "--set", "cv.folds=2")
    since = desk.log.stat().st_size
    desk.orch("worker", "none", "--gpus", "none", "--data", desk.data, check=False)
    found["said"] = desk.messages(since)[-600:]
    found["outcomes"] = outcomes(desk.shown("none"))


def outcomes(shown: dict[str, Any]) -> list[Any]:
    """State and outcome of each trial of a study."""
    return [(point.get("state"), point.get("outcome")) for point in shown["all_points"]]


def count_programs(desk: Desk) -> int:
    """How many compiled programs the cache holds."""
    return sum(1 for folder in desk.cache.glob("xla-*") for _ in folder.glob("*-cache"))


def children_of(process: int) -> list[int]:
    """The worker processes of a supervisor (Linux)."""
    if not sys.platform.startswith("linux"):
        return []
    try:
        return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []

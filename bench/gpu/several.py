"""The stage that says what it gains to work on several trials in one process, and why they are not one computation."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np

from bench.gpu.desk import REGIME_TWO, Desk, Watch
from bench.gpu.folds import NORMAL, SMALL, StackedFolds, made_up, start
from bench.gpu.speed import median_seconds, start_device
from bench.on_a_gpu import Found, Place

EPOCHS = 3
"""After which predictions are compared."""


def run_several(place: Place, found: Found) -> None:
    """Whole studies of Regime II with 1, 2, 4 and 8 trials at once, then epochs of several trials side by side and stacked."""
    run_studies(place, found)
    run_epochs(place, found)


def run_studies(place: Place, found: Found) -> None:
    """The same study by one process that works on so many trials at once; the values must be the same."""
    desk = Desk(place, spec=REGIME_TWO)
    trials, values = (4, []) if place.rehearse else (24, [])
    ways = [("--at-once", 1), ("--at-once", 4), ("--at-once", 2), ("--at-once", 8), ("--per-gpu", 4)]
    for option, count in ways[: 2 if place.rehearse else None]:
        name = f"{option.strip('-')}-{count}"
        desk.create(name, trials)
        processes = count if option == "--per-gpu" else 1
        with Watch() as watch:
            desk.orch("worker", name, *desk.places(processes), "--at-once", count if processes == 1 else 1)
        values.append(desk.values(name))
        found[f"study, {option} {count}"] = {
            "ms per trial once all compiled": time_trials(desk, name, skipped=trials // 3),
            "trials": trials,
            "the same values": values[-1] == values[0],
            **watch.found(),
        }
        found["values"] = values[0]


def time_trials(desk: Desk, study: str, *, skipped: int) -> float:
    """Milliseconds between the ends of two trials, without the first ones, in which programs are compiled."""
    question = (
        "SELECT t.datetime_complete FROM trials t JOIN studies s ON s.study_id = t.study_id "
        "WHERE s.study_name = ? AND t.datetime_complete IS NOT NULL ORDER BY 1"
    )
    with closing(sqlite3.connect(desk.folder / "orch.db")) as database:
        ends = [datetime.fromisoformat(row[0]) for row in database.execute(question, (study,))]
    return 1e3 * (ends[-1] - ends[skipped]).total_seconds() / (len(ends) - 1 - skipped)


def run_epochs(place: Place, found: Found) -> None:
    """Milliseconds per epoch and trial, all scores included; and whether a trial's bits are those that it has alone."""
    start_device()
    sizes = SMALL if place.rehearse else NORMAL
    features, labels = made_up(sizes)
    batch = sizes.batches[1]
    begin = partial(start, features, labels, sizes, batch, "float32")

    alone = [StackedFolds(begin(point)) for point in range(2)]
    expected = [train(trial.run, trial) for trial in alone]
    found["epoch of one trial, ms"] = 1e3 * median_seconds(alone[0].run, sizes.rounds)
    for count in (2,) if place.rehearse else (2, 4):
        trials = [StackedFolds(begin(point)) for point in range(count)]
        with ThreadPoolExecutor(count) as pool:
            both = list(pool.map(lambda trial: train(trial.run, trial), trials))
            found[f"{count} side by side, ms per trial"] = (
                1e3 * median_seconds(lambda p=pool, t=trials: list(p.map(StackedFolds.run, t)), sizes.rounds) / count
            )  # fmt: skip
        found[f"{count} side by side, the same bits as alone"] = are_equal(both, expected)
        stacked = StackedFolds([trainer for point in range(count) for trainer in begin(point)])
        predicted = train(stacked.run, stacked)
        parts = [predicted[sizes.folds * place :][: sizes.folds] for place in range(count)]
        found[f"{count} stacked, ms per trial"] = 1e3 * median_seconds(stacked.run, sizes.rounds) / count
        found[f"{count} stacked, the same bits as alone"] = are_equal(parts, expected)


def train(run: Callable[[], Any], folds: StackedFolds) -> list[Any]:
    """A few epochs, and the predictions of each fold after them."""
    for _ in range(EPOCHS):
        run()
    return [trainer.predict_validation() for trainer in folds.trainers]


def are_equal(found: list[list[Any]], expected: list[list[Any]]) -> dict[str, Any]:
    """Whether predictions are equal to the bit, and the largest difference."""
    pairs = [pair for one, two in zip(found, expected, strict=False) for pair in zip(one, two, strict=True)]
    largest = max(float(np.abs(one - two).max()) for one, two in pairs)
    return {"identical": largest == 0, "largest difference of a probability": largest}

"""What the pruner saves and loses for each kind of label, replayed on curves of small studies that were recorded without pruning.

Features are drawn with a hidden score that becomes classes, grades or a number; heads of random batch sizes, learning rates, dropout rates
and widths are trained on them. Curves of labels side by side and of two classes (one label) are those of the chest X-rays in bench/data.
Regret is told in standard deviations of the trials' own values. `rise` is how far trials still rise from one epoch to the end, give or take,
in units of `prior_sd` as the pruner of that study has it: the prior fits where it is near 1.

    python -m bench.kinds_pruned [--record KIND ...]          (recording takes about half a minute of processor a kind)
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
from typing import Any

import numpy as np

from bench.replay import HERE, Array, find_values, read_curves, replay, shuffle
from storage.spec import PRUNER_PRESETS, PrunerSection, parse
from storage.tasks.kinds import TASKS

IMAGES, FEATURES, FOLDS, EPOCHS, TRIALS, GRADES, SEED = 480, 24, 4, 15, 50, 4, 5
FOLDER = HERE / "data" / "kinds"
METRICS = {
    "classes": ("val_auc", "val_kappa", "neg_val_loss"),
    "ordered": ("val_quadratic_kappa", "neg_val_grade_error", "val_auc"),
    "number": ("neg_val_mae", "val_r2", "neg_val_rmse"),
}
KEPT = {
    "labels (chest X-rays, 2 labels)": "chest-xray-regime-1.csv.gz",
    "two classes (chest X-rays)": "chest-xray-wide-head-regime-1.csv.gz",
}
GOAL = 0.5, 0.1
"""The share of fold-epochs that the default saves at least, and its regret in standard deviations of the trials at most."""
PRESETS = ("careful", "fast")


def draw(kind: str) -> tuple[Array, Array]:
    """Features, shape (IMAGES, FEATURES), and labels of a kind, shape (IMAGES, targets)."""
    chance = np.random.default_rng([SEED, 0])
    features = chance.normal(size=(IMAGES, FEATURES)).astype(np.float32)
    score = features[:, 0] + np.sin(2 * features[:, 1]) + 0.5 * features[:, 2] * features[:, 3]
    score = score + 0.6 * chance.logistic(size=IMAGES)
    if kind == "number":
        return features, (90 + 40 * score[:, None]).astype(np.float32)
    if kind == "ordered":
        return features, np.eye(GRADES, dtype=np.float32)[
            np.searchsorted(np.quantile(score, [0.3, 0.6, 0.85]), score)
        ]
    angle = score + features[:, 4] * 1j
    sides = (angle.real > 0).astype(int) + 2 * (angle.imag + 0.5 * chance.normal(size=IMAGES) > 0.4)
    return features, np.eye(GRADES, dtype=np.float32)[sides]


def record(kind: str) -> None:
    """Train the trials of a study of this kind, and keep every epoch of every fold."""
    from workers.device import preparation as devices
    from workers.inputs.feature_set import FeatureSet
    from workers.training.fold_trainer import FoldTrainer

    devices.prepare(1)
    features, labels = draw(kind)
    given = FeatureSet(features[:, None], labels)
    places = np.random.default_rng([SEED, 1]).permutation(IMAGES) % FOLDS
    trainers: dict[int, FoldTrainer] = {}
    rows: list[dict[str, Any]] = []
    for trial in range(TRIALS):
        chance = np.random.default_rng([SEED, 2, trial])
        width = int(chance.choice([16, 64]))
        settings = {
            "batch_size": int(2 ** chance.uniform(3, 8)),
            "learning_rate": float(10 ** chance.uniform(-3.5, -1.5)),
            "dropout_rate": float(chance.uniform(0, 0.5)),
        }
        if width not in trainers:
            spec = parse(
                {
                    "study": {"name": "x"},
                    "data": {"task": kind},
                    "model": {"head": [width], "scale": "none"},
                    "training": {"augmentation": "none", "epochs": EPOCHS},
                },
                source="the bench",
            )
            trainers[width] = FoldTrainer(spec, FEATURES, labels.shape[1])
        for fold in range(FOLDS):
            validation = np.flatnonzero(places == fold)
            trainers[width].reset(
                given, np.flatnonzero(places != fold), validation, settings, (SEED, trial, fold)
            )
            for epoch in range(1, EPOCHS + 1):
                result = trainers[width].run_epoch(epoch)
                columns = [name.removeprefix("neg_") for name in METRICS[kind]]
                values = {column: getattr(result, column) for column in columns}
                rows.append({"trial": trial, "fold": fold, "epoch": epoch - 1, **values})
    FOLDER.mkdir(parents=True, exist_ok=True)
    with gzip.open(FOLDER / f"{kind}.csv.gz", "wt", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0])
        writer.writeheader()
        writer.writerows({name: round(value, 5) for name, value in row.items()} for row in rows)


def print_study(title: str, curves: Array, unit: float) -> None:
    """Print what each preset does with the curves of a study.

    Args:
        title: of the study.
        curves: scores, more is better, shape (trials, folds, epochs).
        unit: of the metric, as `storage.tasks` says.
    """
    values = find_values(curves)
    sd = float(values[np.isfinite(values)].std(ddof=1))
    best = np.maximum.accumulate(np.nan_to_num(curves.mean(axis=1), nan=-math.inf), axis=1)
    rises = best[np.isfinite(best).all(axis=1), -1:] - best[np.isfinite(best).all(axis=1)]
    rise = float(np.median(rises[:, 1 : curves.shape[2] // 2].std(axis=0, ddof=1)))
    print(f"{title}: {len(curves)} trials, sd {sd:.4f}, rise {rise / (0.01 * unit):.2f} of prior_sd")
    for name in PRESETS:
        section = PrunerSection.model_validate({**PRUNER_PRESETS[name], "unit": unit})
        texts, is_met = [], True
        for studies in ([curves], shuffle(curves)):
            found = np.array([replay(study, section) for study in studies])
            saved, regret = found[:, 0].mean(), found[:, 1].mean() / sd
            texts.append(f"{100 * saved:5.1f} % / {regret:.3f} sd")
            is_met &= saved >= GOAL[0] and regret <= GOAL[1]
        verdict = ("   met" if is_met else "   MISSED") if name == PRESETS[0] else ""
        print(f"  {name:8} " + "   ".join(texts) + verdict, flush=True)


def main() -> None:
    """Record what is asked for, or replay what is kept: as recorded, and in 20 random orders, as `bench.replay` does."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--record", nargs="*", choices=tuple(METRICS), help="kinds to record again")
    chosen = arguments.parse_args()
    for kind in chosen.record or ():
        record(kind)
    if chosen.record:
        return
    for title, name in KEPT.items():
        print_study(title, read_curves(HERE / "data" / name), 1.0)
    for kind, metrics in METRICS.items():
        for metric in metrics:
            sign = -1 if metric.startswith("neg_") else 1
            curves = sign * read_curves(FOLDER / f"{kind}.csv.gz", metric.removeprefix("neg_"))
            print_study(f"{kind}, {metric}", curves, TASKS[kind].unit(metric, draw(kind)[1]))


if __name__ == "__main__":
    main()

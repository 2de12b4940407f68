"""Compute a trial again and hold it against what was recorded, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from storage.errors import StorageError
from storage.metrics.recorded import LATER
from storage.results.ledger import FoldEpoch
from workers.cross_validation.fold import AnyFold, TrainTogether
from workers.device.contract import Settings

StartFold = Callable[[Settings, int, int], AnyFold]
"""Starts a fold from its beginning from hyperparameters, point and fold."""

NOT_COMPARED = frozenset({"point", "fold", "epoch", "seconds"})


@dataclass(frozen=True)
class Difference:
    """One number that came out otherwise."""

    fold: int
    epoch: int
    name: str
    recorded: float
    replayed: float


@dataclass(frozen=True)
class Replay:
    """What a replay came to: fold-epochs and numbers compared, and those that differ."""

    folds: int
    epochs: int
    numbers: int
    differences: list[Difference]

    @property
    def is_identical(self) -> bool:
        """Whether every bit is the same."""
        return not self.differences


def replay_trial(
    rows: Sequence[FoldEpoch],
    hyperparameters: Settings,
    start_fold: StartFold,
    report: Callable[[int, int], None] | None = None,
    train_together: TrainTogether | None = None,
) -> Replay:
    """Train every recorded fold for as many epochs as are recorded.

    Args:
        rows: the recorded fold-epochs of one point, by fold and epoch.
        hyperparameters: every one, searched and fixed.
        start_fold: as of the study's objective.
        report: told of fold-epochs done and of all.
        train_together: what trained an epoch of all folds in one computation, where something did.

    Raises:
        StorageError: nothing was recorded, or an epoch is missing.
    """
    if not rows:
        raise StorageError(
            "The trial has no recorded epoch, so there is nothing to compare with.",
            why="It failed or was lost before the end of its first epoch.",
        )
    by_fold: dict[int, list[FoldEpoch]] = {}
    for row in rows:
        by_fold.setdefault(row.fold, []).append(row)
    # A metric that was added to the list after the trial, or that its database has no column for.
    unrecorded = {name for name in LATER if all(math.isnan(getattr(row, name)) for row in rows)}
    differences: list[Difference] = []
    numbers = done = 0
    for number, recorded in by_fold.items():
        if [row.epoch for row in recorded] != list(range(1, len(recorded) + 1)):
            raise StorageError(f"The ledger misses an epoch of fold {number}; nothing was replayed.")
    numbered = sorted(by_fold)
    for group in [[number] for number in numbered] if train_together is None else [numbered]:
        folds = {number: start_fold(hyperparameters, rows[0].point, number) for number in group}
        for epoch in range(1, max(len(by_fold[number]) for number in group) + 1):
            recorded_here = [number for number in group if len(by_fold[number]) >= epoch]
            if train_together is not None:
                train_together([folds[number] for number in recorded_here], epoch)
            for number in recorded_here:
                facts, row = folds[number].run_epoch(epoch), by_fold[number][epoch - 1]
                for name in FoldEpoch.__dataclass_fields__:
                    if name not in NOT_COMPARED:
                        numbers += 1
                        mine, theirs = getattr(facts, name), getattr(row, name)
                        if not is_same(mine, theirs) and name not in unrecorded:
                            differences.append(Difference(number, epoch, name, float(theirs), float(mine)))
                done += 1
                if report:
                    report(done, len(rows))
    return Replay(len(by_fold), max(row.epoch for row in rows), numbers, differences)


def is_same(mine: float, theirs: float) -> bool:
    """Whether two numbers are equal to the last bit; the ledger keeps what is not finite as NaN."""
    if not math.isfinite(mine):
        return math.isnan(theirs)
    return mine == theirs

"""What a trial really did, from its recorded epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.results.ledger import FoldEpoch


def summarize_folds(rows: Sequence[FoldEpoch]) -> list[dict[str, Any]]:
    """One document per fold: epochs, optimizer steps and images per epoch, learning rate at start and end.

    Steps and images are (least, most) over the epochs that trained; a fold that stopped early takes none afterwards.
    """
    by_fold: dict[int, list[FoldEpoch]] = {}
    for row in rows:
        by_fold.setdefault(row.fold, []).append(row)
    found = []
    for fold, epochs in sorted(by_fold.items()):
        epochs = sorted(epochs, key=lambda row: row.epoch)
        trained = [row for row in epochs if row.steps] or epochs
        found.append(
            {
                "fold": fold,
                "epochs": len(epochs),
                "epochs_trained": sum(row.steps > 0 for row in epochs),
                "steps_per_epoch": [min(row.steps for row in trained), max(row.steps for row in trained)],
                "images_per_epoch": [
                    min(row.samples for row in trained),
                    max(row.samples for row in trained),
                ],
                "learning_rate_start": trained[0].learning_rate,
                "learning_rate_end": trained[-1].learning_rate,
                "labels_left_out": max(row.labels_left_out for row in epochs),
            }
        )
    return found

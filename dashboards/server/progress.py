"""Where a trial is, and since when it has been there: a worker may say that it lives and get no further."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from storage.spec import StudySpec

STALL_SECONDS = 300.0
STALL_EPOCHS = 10.0
"""A trial stalls when it has had no new epoch for `STALL_SECONDS`, and for so many times as long as its epochs took so far."""


class Progress:
    """Remembers when each trial that is worked on was last seen to advance."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Remember the clock, in seconds."""
        self._clock = clock
        self._seen: dict[str, tuple[tuple[Any, ...], float]] = {}

    def find_stall(self, claim: Any, reached: Mapping[int, int], now: float) -> float | None:
        """For how many seconds a trial has not advanced, where that is too long; None where it is not.

        Args:
            claim: its row of `orch_points`.
            reached: the last epoch of each fold.
            now: seconds since 1970 by the clock of the database.
        """
        done = sum(reached.values())
        place = (done, claim.epoch)
        seen = self._seen.get(claim.token)
        if seen is None or seen[0] != place:
            self._seen[claim.token] = (place, self._clock())
            return None
        still = self._clock() - seen[1]
        # Folds advance side by side or one after another: what counts is how often something was heard.
        began = now if claim.claimed_at is None else claim.claimed_at
        usual = max(now - began - still, 0.0) / max(len(set(reached.values())), claim.epoch, 1)
        return still if still > max(STALL_SECONDS, STALL_EPOCHS * usual) else None

    def keep(self, tokens: set[str]) -> None:
        """Forget all claims but those with these tokens."""
        self._seen = {token: seen for token, seen in self._seen.items() if token in tokens}


def describe_place(spec: StudySpec, epoch: int, reached: Mapping[int, int]) -> str:
    """Where a trial is: "epoch 7 of 20", or where folds follow one another "fold 3 of 6, epoch 7 of 20".

    Args:
        spec: of the study.
        epoch: that the worker noted last.
        reached: the last recorded epoch of each fold, from 0; folds that have none are not in it.
    """
    epochs, folds = spec.training.epochs, spec.fold_count
    if spec.cv.schedule == "sequential" or (reached and len(reached) < folds):
        fold = max(reached, default=0)
        return f"fold {fold + 1} of {folds}, epoch {reached.get(fold, 0)} of {epochs}"
    return f"epoch {max(epoch, *reached.values()) if reached else epoch} of {epochs}"

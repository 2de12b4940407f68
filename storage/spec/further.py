"""What else a study may be judged by besides its metric: further metrics, training time, model size; and which trials are on the front.

The metric of the study comes first: it ranks the trials, it prunes, and it chooses the winner.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.metrics.objectives import METRICS

SECONDS, PARAMETERS = "training_seconds", "parameters"
COSTS = {SECONDS: "training time (s)", PARAMETERS: "model size (parameters)"}
"""What less of is better, by name, with the label of an axis."""


@dataclass(frozen=True)
class Further:
    """One further objective.

    Attributes:
        name: as `study.also` of a spec has it: a metric of `storage.metrics.objectives`, or one of `COSTS`.
    """

    name: str

    @property
    def is_maximised(self) -> bool:
        """Whether more is better."""
        return self.name not in COSTS

    @property
    def label(self) -> str:
        """As it stands on an axis."""
        return METRICS[self.name].long_label if self.is_maximised else COSTS[self.name]


def find_further(name: str) -> Further:
    """The further objective of that name.

    Raises:
        ValueError: there is none; names the nearest.
    """
    known = [*COSTS, *METRICS]
    if name in known:
        return Further(name)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"valid: {', '.join(known)}"
    raise ValueError(f"{name!r} is nothing that a study can be judged by ({hint})")


def find_front(values: NDArray[np.float64], is_maximised: Sequence[bool]) -> NDArray[np.bool_]:
    """Which trials are on the Pareto front: no other one is at least as good in everything and better in something.

    Args:
        values: shape (trials, objectives).
        is_maximised: of each objective.

    Returns:
        Shape (trials,).
    """
    signs = np.where(np.asarray(is_maximised, np.bool_), 1.0, -1.0)
    scores = np.asarray(values, np.float64) * signs
    at_least = (scores[:, None, :] >= scores[None, :, :]).all(axis=2)
    better = (scores[:, None, :] > scores[None, :, :]).any(axis=2)
    return np.asarray(~(at_least & better).any(axis=0), np.bool_)

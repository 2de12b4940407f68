"""What is recorded of one epoch of one fold: every metric of the list, and what the epoch took.

The columns of the ledger, the records that are read from it and the results of an epoch are all made of `FIELDS`, so a metric
that is added to the list in `storage.metrics.objectives` needs no word here.
"""

from __future__ import annotations

import math
from dataclasses import field
from typing import Any

from storage.metrics.objectives import LATER as KINDS
from storage.metrics.objectives import TRAINED

SCORED = (*(f"train_{kind}" for kind in TRAINED), *(f"val_{kind}" for kind in TRAINED))
"""The metrics that every epoch has of the training images, too."""

LATER = tuple(f"val_{kind}" for kind in KINDS)
"""Those of validation alone."""

FIELDS: tuple[tuple[Any, ...], ...] = (
    *((name, float) for name in SCORED),
    ("steps", int),
    ("samples", int),
    ("labels_left_out", int),
    ("learning_rate", float),
    ("seconds", float),
    *((name, float, field(default=math.nan)) for name in LATER),
)
"""Name, type and default of what is recorded, in the order of `--folds-csv`."""

"""Does every searched hyperparameter act? Two short trainings, at the two ends of its range, must not be the same.

In the reference study the batch size was searched and never arrived: half of its search was noise. Here, before the first
trial of a study, each searched hyperparameter is tried at its two ends with equal seeds. If steps, losses and weights are
all the same although the values in effect differ, it changed nothing, and the study is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from storage.errors import SpecError
from storage.spec import CLIPS, SearchRange, StudySpec, acts, axis, frozen, is_whole, keep_acting, plain
from storage.spec.distributions import ends
from workers.cross_validation.fold import AnyFold
from workers.device.contract import Settings

Tried: TypeAlias = dict[str, dict[str, Any]]
"""What became of each searched hyperparameter, as it is kept in the database."""

Trained: TypeAlias = tuple[tuple[int, ...], tuple[float, ...], str, int]

Value: TypeAlias = float | str | bool | list[float | str | bool]

StartFold = Callable[[Settings], AnyFold]
"""Starts the same fold from its beginning, with equal seeds, from all hyperparameters."""

EPOCHS = 2
ACTS_LATER = frozenset({"patience", "cycle_epochs", "cycle_growth", "cycles"})
"""They act after more epochs than are tried."""
ACTS_ABOVE = frozenset({*CLIPS, "optimizer_options.clip_threshold"})
"""They act on gradients that exceed them, and those of the epochs that are tried may not."""
OF_THE_DEVICE = frozenset({"precision", "extraction_precision"})
"""Whether they act depends on the device: a processor has no TF32."""


def try_parameters(spec: StudySpec, start_fold: StartFold) -> Tried:
    """Try every searched hyperparameter at its two ends.

    Args:
        spec: what is searched.
        start_fold: starts a fold.

    Returns:
        For each its `low` and `high` end, `acts` (None where it was not tried, `why` says so), and `effect`: which of
        steps, losses and weights differed.
    """
    seen: dict[str, Trained] = {}

    def run(values: Settings) -> Trained:
        key = repr(sorted(values.items()))
        if key not in seen:
            seen[key] = train_briefly(start_fold({**spec.all_hyperparameters, **values}))
        return seen[key]

    def settle(name: str, value: object, others: Settings) -> Settings:
        return keep_acting(spec.search, {**others, name: value})

    tried: Tried = {}
    for name, searched in sorted(spec.search.items()):
        low, high = _ends(name, searched)
        tried[name] = {"low": low, "high": high, "acts": None}
        if name in ACTS_LATER:
            tried[name]["why"] = f"acts only after more than {EPOCHS} epochs"
            continue
        if name in OF_THE_DEVICE:
            tried[name]["why"] = "acts on some devices only"
            continue
        if low == high:
            tried[name]["why"] = "has one value only"
            continue
        for others in _settings_of_others(spec, name):
            if not acts(spec.search, name, others):
                continue
            one, other = run(settle(name, low, others)), run(settle(name, high, others))
            if name == "batch_size" and min(int(str(low)), one[3]) == min(int(str(high)), one[3]):
                tried[name]["why"] = f"both ends are one full batch of {one[3]} images"
                break
            kinds = ("steps", "losses", "weights")
            effect = [kind for kind, left, right in zip(kinds, one, other, strict=False) if left != right]
            tried[name] |= {"acts": bool(effect), "effect": effect}
            if effect:
                break
        else:
            if tried[name]["acts"] is None:
                tried[name]["why"] = "no combination that was tried fulfils its conditions"
            elif name in ACTS_ABOVE:
                tried[name] |= {"acts": None, "why": f"no gradient of {EPOCHS} epochs exceeded it"}
    return tried


def refuse_idle(tried: Tried) -> None:
    """Refuse a study with a searched hyperparameter that changes nothing.

    Raises:
        SpecError: names them.
    """
    idle = [name for name, found in tried.items() if found["acts"] is False]
    if idle:
        ends = ", ".join(f"{name} at {tried[name]['low']} and at {tried[name]['high']}" for name in idle)
        raise SpecError(
            f"A searched hyperparameter changes nothing: {ends} give the same steps, losses and weights.",
            why="Other settings of the study leave it without effect (momentum under Adam, say), or it does not arrive.",
            next_step=f"Take it out of [search]: {', '.join(f'search.{name}' for name in idle)}.",
        )


def train_briefly(fold: AnyFold) -> Trained:
    """Steps and losses of each epoch of a short training, a digest of the weights, and the number of training images."""
    epochs = [fold.run_epoch(epoch) for epoch in range(1, EPOCHS + 1)]
    digest = hashlib.sha256()
    for name, array in sorted(fold.state().items()):
        if name.startswith(("weight_", "average_")):
            digest.update(np.ascontiguousarray(array).tobytes())
    return (
        tuple(epoch.steps for epoch in epochs),
        tuple(epoch.train_loss for epoch in epochs),
        digest.hexdigest(),
        len(fold.train_index),
    )


def _ends(name: str, searched: SearchRange) -> tuple[Value, Value]:
    listed = axis(name, searched)
    if searched.type == "choice" or any(isinstance(value, str) for value in listed):
        return listed[0], listed[-1]
    low, high = ends(searched)
    whole = is_whole(name) or searched.type == "int"
    return (int(low), int(high)) if whole else (float(low), float(high))


def _settings_of_others(spec: StudySpec, name: str) -> Iterable[Settings]:
    """The other searched hyperparameters at one end, at the other, and every value of those that are listed without an order.

    Those that a condition asks for have a value that it asks for.
    """
    others = {other: _ends(other, searched) for other, searched in spec.search.items() if other != name}
    first = {other: ends[0] for other, ends in others.items()}

    def fulfil(values: Settings) -> Settings:
        changed = dict(values)
        waiting, seen = [name], set()
        while waiting:
            child = waiting.pop()
            seen.add(child)
            for parent, allowed in (spec.search[child].when or {}).items():
                if frozen(changed.get(parent)) not in {frozen(value) for value in allowed}:
                    changed[parent] = plain(allowed[0])
                if parent not in seen:
                    waiting.append(parent)
        return (
            keep_acting({other: spec.search[other] for other in others}, changed)
            if spec.search[name].when
            else changed
        )

    yield fulfil(first)
    if others:
        yield fulfil({other: ends[1] for other, ends in others.items()})
    for other in others:
        listed = axis(other, spec.search[other])
        if spec.search[other].type == "choice" or any(isinstance(value, str) for value in listed):
            for word in listed:
                yield fulfil({**first, other: word})

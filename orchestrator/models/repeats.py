"""Test-time augmentation from the command line: how often, and what is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from storage.errors import UsageError
from storage.files.model_files import read_whole_card
from storage.pictures.changes import OF_ONE_IMAGE
from storage.pictures.views import FLIPS
from storage.spec import AugmentationSection
from workers.final_model.predict import NO_CHANGE, Repeats


def read_repeats(path: Path, count: int, changes: str, *, say: Callable[[str], None]) -> Repeats:
    """What `--tta` and `--tta-by` ask for; without `--tta-by`, the changes that the model was trained with.

    Args:
        path: the model; its card says how it was trained.
        count: repeats.
        changes: such as "flip" or "rotation=20,zoom=0.1,channel_shift=25".
        say: told when the repeats are fewer than asked for.

    Raises:
        UsageError: an unknown change, or none to make.
    """
    if not count:
        return Repeats()
    given = _parse(changes, NO_CHANGE) if changes else _of_training(path, NO_CHANGE)
    repeats = Repeats(count, given)
    if repeats.settings == NO_CHANGE:
        raise UsageError(
            "There is nothing to change at test time: the model was trained without augmentation.",
            next_step="Say what to change: --tta-by flip, or --tta-by rotation=20,zoom=0.1",
        )
    if repeats.effective < count:
        say(
            f"Flips have {repeats.effective} outcomes, so there are {repeats.effective} repeats, not {count}."
        )
    return repeats


def _parse(text: str, known: Mapping[str, Any]) -> dict[str, Any]:
    from pydantic import ValidationError

    changes: dict[str, Any] = {}
    for part in (part.strip() for part in text.split(",")):
        name, _, value = part.partition("=")
        if part in FLIPS:
            changes["augmentation"] = part
            continue
        try:
            if name not in known:
                raise ValueError(name)
            AugmentationSection(**{name: float(value)})
            changes[name] = float(value)
        except (ValueError, ValidationError) as error:
            raise UsageError(
                f"--tta-by {part!r} is no change.",
                why=f"It is flip, horizontal or vertical, or NAME=NUMBER with a name of {', '.join(OF_ONE_IMAGE)}; "
                "docs/augmentation.md has their units.",
                next_step="For instance --tta-by rotation=20,zoom=0.1",
            ) from error
    return changes


def _of_training(path: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    card = read_whole_card(path) or {}
    spec = card.get("spec", {})
    settings = {
        "augmentation": spec.get("training", {}).get("augmentation", "none"),
        **spec.get("augmentation", {}),
        **card.get("params", {}),
    }
    return {name: settings[name] for name in known if name in settings}

"""Which backbones the installed Keras has, without importing it: a study is made in a second, Keras takes ten; and which are presets."""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

from storage.errors import SpecError

OF_KERAS = re.compile(r"[A-Z]\w*")


def list_backbones() -> list[str]:
    """The names in `keras.applications`; empty where they cannot be told without importing it."""
    spec = importlib.util.find_spec("keras")
    if spec is None or spec.origin is None:
        return []
    listing = Path(spec.origin).parent / "applications" / "__init__.py"
    if not listing.is_file():
        return []
    # Modules in there have lower-case names, builders do not.
    return re.findall(r"\b([A-Z]\w+) as \1\b", listing.read_text(encoding="utf-8"))


def is_preset(name: str) -> bool:
    """Whether a backbone is a preset of KerasHub, by its name: those of `keras.applications` are one word with a capital letter."""
    return OF_KERAS.fullmatch(name) is None


def check_backbone(name: str, known: Sequence[str]) -> None:
    """Refuse a backbone that no worker could build.

    Args:
        name: in `keras.applications`.
        known: the names there; where they cannot be told, none, and nothing is refused.

    Raises:
        SpecError: names the nearest one.
    """
    if not known or name in known:
        return
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.3)
    raise SpecError(
        f"model.backbone = {name!r} is not in keras.applications.",
        next_step=f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}.",
    )

"""Versions of orch and of what it stands on, without importing any of it."""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, version

from workers.device import backend

DISTRIBUTION = "orch-studies"

PACKAGES = {"tensorflow": ("tensorflow",), "jax": ("jax", "jaxlib")}
"""Whose versions a value depends on under each backend."""


def orch_version() -> str:
    """Return the version of orch; "unknown" when it runs from a folder without being installed."""
    return _version(DISTRIBUTION) or "unknown"


@functools.cache
def library_versions() -> dict[str, str | None]:
    """Return the versions that decide what is computed; None for what is not installed."""
    names = ("optuna", "keras", *PACKAGES.get(backend.chosen(), ()), "numpy")
    return {"orch": orch_version(), **{name: _version(name) for name in names}}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

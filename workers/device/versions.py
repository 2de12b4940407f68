"""Versions of orch and of what it stands on, without importing any of it."""

from __future__ import annotations

import functools

from storage.versions import orch_version, version_of
from workers.device import backend

__all__ = ["PACKAGES", "library_versions", "orch_version"]

PACKAGES = {"tensorflow": ("tensorflow",), "jax": ("jax", "jaxlib")}
"""Whose versions a value depends on under each backend."""


@functools.cache
def library_versions() -> dict[str, str | None]:
    """Return the versions that decide what is computed; None for what is not installed."""
    names = ("optuna", "keras", *PACKAGES.get(backend.chosen(), ()), "numpy")
    return {"orch": orch_version(), **{name: version_of(name) for name in names}}

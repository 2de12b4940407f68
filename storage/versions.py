"""Which orch this is, without importing any of it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "orch-studies"


def orch_version() -> str:
    """Return the version of orch; "unknown" when it runs from a folder without being installed."""
    return version_of(DISTRIBUTION) or "unknown"


def version_of(distribution: str) -> str | None:
    """Return the version of an installed distribution; None for what is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None

"""What people import, under the name of the command: `from orch import open_study`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orchestrator

if TYPE_CHECKING:
    from orchestrator import Study, list_study_names, open_study

__all__ = ["Study", "list_study_names", "open_study"]


def __getattr__(name: str) -> Any:
    # Only when asked for, as in `orchestrator`: `python -m orch` starts without what a notebook needs.
    if name in __all__:
        return getattr(orchestrator, name)
    raise AttributeError(f"module 'orch' has no attribute {name!r}")

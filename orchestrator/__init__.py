"""Decides: what a study is, and the `orch` command.

From Python: `import orch`, then `orch.create_study`, `orch.work`, `orch.open_study` (docs/python.md).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.api import Study, create_study, list_study_names, open_study, work

__all__ = ["Study", "create_study", "list_study_names", "open_study", "work"]


def __getattr__(name: str) -> Any:
    # Only when asked for: the command line starts without what a notebook needs.
    if name in __all__:
        # Who only reads does without what creates and works.
        room = import_module(
            "orchestrator.api" if name in ("create_study", "work") else "orchestrator.notebook"
        )
        return getattr(room, name)
    raise AttributeError(f"module 'orchestrator' has no attribute {name!r}")

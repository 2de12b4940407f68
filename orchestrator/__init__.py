"""Decides: what a study is, and the `orch` command.

In a notebook: `from orch import open_study`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.notebook import Study, list_study_names, open_study

__all__ = ["Study", "list_study_names", "open_study"]


def __getattr__(name: str) -> Any:
    # Only when asked for: the command line starts without what a notebook needs.
    if name in __all__:
        from orchestrator import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'orchestrator' has no attribute {name!r}")

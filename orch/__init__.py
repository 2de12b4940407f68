"""What people import, under the name of the command: `import orch`, then `orch.create_study`, `orch.work`, `orch.open_study`.

What `__all__` names is stable: it changes only with a new major version (docs/python.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orchestrator

if TYPE_CHECKING:
    from orchestrator import Study, create_study, list_study_names, open_study, work
    from storage.errors import OrchError, UsageError

__all__ = ["OrchError", "Study", "UsageError", "create_study", "list_study_names", "open_study", "work"]


def __getattr__(name: str) -> Any:
    # Only when asked for, as in `orchestrator`: `python -m orch` starts without what a notebook needs.
    if name in ("OrchError", "UsageError"):
        from storage import errors

        return getattr(errors, name)
    if name in __all__:
        return getattr(orchestrator, name)
    raise AttributeError(f"module 'orch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

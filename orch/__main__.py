"""`python -m orch` is the `orch` command of this Python."""

from __future__ import annotations

from orchestrator.cli import main

if __name__ == "__main__":
    main()

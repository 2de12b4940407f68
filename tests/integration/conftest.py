"""Commands in this process. The installed command itself runs in tests/acceptance."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest


@pytest.fixture
def run_orch(
    run_here: Callable[..., subprocess.CompletedProcess[str]],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in an empty folder, as the installed one would: `run_orch("study", "list", environment={...})`."""
    return run_here

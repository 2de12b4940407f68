"""The unit of docs/systemd.md, as systemd itself reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = [
    pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="not here (Debian: systemd)"),
    pytest.mark.platform_impossible(
        "systemd is the first process of a machine, and not every machine has it"
    ),
]


def test_systemd_finds_no_fault_with_the_unit(orch_program: Path, tmp_path: Path) -> None:
    [unit] = re.findall(r"```ini\n(.*?)```", (REPOSITORY / "docs" / "systemd.md").read_text(), re.DOTALL)
    here = unit.replace("/opt/orch/bin/orch", str(orch_program))
    assert here != unit
    for name, text, faults in (
        ("orch-worker.service", here, 0),
        ("wrong.service", here.replace("KillMode=mixed", "KilMode=mixed"), 1),
    ):
        (tmp_path / name).write_text(text)
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        said = [line for line in done.stderr.splitlines() if name in line]
        assert len(said) == faults, done.stderr
        assert done.returncode == 0 or faults

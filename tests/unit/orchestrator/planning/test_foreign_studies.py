"""Studies of other programs as evidence: what Optuna did not write is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.planning.foreign_studies import read_foreign_study
from storage.errors import SpecError, StorageError
from storage.spec import StudySection, StudySpec


@pytest.mark.parametrize(
    "content",
    [b"garbage\n", b'{"op_code":0}\n', b'{"op_code":99,"worker_id":"x"}\n', b"[" * 10**5, b"\xff\xfe\n", b""],
)
def test_a_log_that_optuna_did_not_write_is_no_evidence_and_no_defect(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "strange.log").write_bytes(content)
    with pytest.raises((StorageError, SpecError)):
        read_foreign_study(str(tmp_path / "strange.log"), None, StudySpec(study=StudySection(name="x")))

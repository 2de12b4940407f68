"""Where an evaluation is kept; no model needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator import evaluation_files
from orchestrator.evaluation_files import check_folder, write_beside
from storage.errors import UsageError


def test_an_evaluation_is_never_written_over_an_earlier_one(tmp_path: Path) -> None:
    model = tmp_path / "my.model.keras"
    written = [write_beside(model, text) for text in ("first", "second", "third")]
    assert [path.name for path in written] == [
        "my.model.evaluation.json",
        "my.model.evaluation.2.json",
        "my.model.evaluation.3.json",
    ]
    assert [path.read_text() for path in written] == ["first", "second", "third"]


def test_what_cannot_be_written_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_beside(tmp_path / "model.keras", "\ud800")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_in_is_found_out_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_folder(tmp_path / "evaluation.json")
    with pytest.raises(UsageError, match="There is no folder"):
        check_folder(tmp_path / "nowhere" / "evaluation.json")
    # Tests may run as root, who may write anywhere.
    monkeypatch.setattr(evaluation_files.os, "access", lambda *_: False)
    with pytest.raises(UsageError, match=r"cannot be kept in .* may not write .* -o evaluation\.json"):
        check_folder(tmp_path / "evaluation.json")

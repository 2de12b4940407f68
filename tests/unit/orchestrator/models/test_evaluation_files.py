"""Where an evaluation is kept; no model needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.models.evaluation_files import write_beside


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

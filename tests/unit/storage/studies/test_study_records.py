"""What is known of a study beside its points: where its data may lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.studies.study_records import StudyRow


def row(folder: str) -> StudyRow:
    return StudyRow("u", 1, "s", "sha256:0", folder, "open", 0.0, None)


def test_data_are_looked_for_where_a_moved_project_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new" / "sets" / "chest").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "new")
    assert row("").noted_folders == []
    assert row("/old/project/sets/chest").noted_folders == [
        Path("/old/project/sets/chest"),
        Path("sets/chest"),
    ]
    assert row("/old/project/sets/other").noted_folders == [Path("/old/project/sets/other")]

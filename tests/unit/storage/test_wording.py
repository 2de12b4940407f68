"""Counts and names in sentences."""

import re
import time
from datetime import UTC
from types import SimpleNamespace

import pytest

from orchestrator.terminal.progress import draw_progress
from storage.wording import best_file, say_count, say_duration, say_instant, say_times, say_written
from tests.conftest import REPOSITORY


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("label",), "0 labels"),
        (1, ("label",), "1 label"),
        (2, ("label",), "2 labels"),
        (1, ("study", "studies"), "1 study"),
        (0, ("study", "studies"), "0 studies"),
        (1020, ("patient",), "1,020 patients"),
    ],
)
def test_a_count_agrees_with_its_noun(number: int, words: tuple[str, ...], text: str) -> None:
    assert say_count(number, *words) == text


def test_how_often() -> None:
    assert [say_times(number) for number in (1, 2)] == ["once", "2 times"]


def test_a_study_has_a_file_of_its_own_that_a_shell_can_read() -> None:
    assert best_file("second") == "second.json"
    assert best_file("my study/2") == "'my study-2.json'"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.44, "0.4 s"),
        (5, "5 s"),
        (0.97, "1 s"),
        (5.4, "5 s"),
        (89, "89 s"),
        (90, "2 min"),
        (7200, "2.0 h"),
        (200_000, "2.3 days"),
    ],
)
def test_a_span_of_time_is_said_as_a_person_says_it(seconds: float, text: str) -> None:
    assert say_duration(seconds) == text


def test_an_instant_names_its_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = 1_772_366_400.0
    assert say_instant(noon, UTC) == "2026-03-01 12:00:00 UTC"
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    try:
        assert say_instant(noon) == say_written("2026-03-01T12:00:00Z") == "2026-03-01 13:00:00 CET"
        assert say_instant(noon, UTC) == "2026-03-01 12:00:00 UTC"
        assert (say_written("yesterday"), say_written(None)) == ("yesterday", None)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_people_are_shown_times_in_one_way_only() -> None:
    """What makes a text of a time elsewhere writes a document for programs: ISO 8601, or the axis of a figure."""
    documents = {
        "orchestrator/studies/best.py",
        "orchestrator/models/training.py",
        "dashboards/figures/study.py",
    }
    own_way = re.compile(
        r"strftime\(|TimeRemainingColumn|TimeElapsedColumn|\{[^{}]*\} (?:s|min|h)\b|%\.\d?f s\b"
    )
    found = {
        f"{path.relative_to(REPOSITORY)}: {line.strip()}"
        for storey in ("storage", "workers", "dashboards", "orchestrator")
        for path in (REPOSITORY / storey).rglob("*.py")
        if str(path.relative_to(REPOSITORY)) not in {*documents, "storage/wording.py"}
        for line in path.read_text().splitlines()
        if own_way.search(line)
    }
    # How far two clocks are apart is a measurement with a sign.
    assert {line for line in found if "this machine's by" not in line} == set()


def test_a_progress_bar_says_the_time_left_in_the_same_words() -> None:
    column = draw_progress().columns[-1]
    for seconds, finished, text in ((125.0, False, "about 2 min left"), (None, False, ""), (0.0, True, "")):
        assert column.render(SimpleNamespace(time_remaining=seconds, finished=finished)).plain == text

"""Counts and names in sentences."""

import pytest

from storage.wording import best_file, say_count, say_times


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("label",), "0 labels"),
        (1, ("label",), "1 label"),
        (2, ("label",), "2 labels"),
        (1, ("study", "studies"), "1 study"),
        (0, ("study", "studies"), "0 studies"),
    ],
)
def test_a_count_agrees_with_its_noun(number: int, words: tuple[str, ...], text: str) -> None:
    assert say_count(number, *words) == text


def test_how_often() -> None:
    assert [say_times(number) for number in (1, 2)] == ["once", "2 times"]


def test_a_study_has_a_file_of_its_own_that_a_shell_can_read() -> None:
    assert best_file("second") == "second.json"
    assert best_file("my study/2") == "'my study-2.json'"

"""Which models can predict: said before anything is loaded or opened for them."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.cli import run
from storage.errors import DataError
from workers.final_model.predict import check_outputs, count_outputs, image_size


def shaped(output: Any, given: Any = (None, 8, 8, 3)) -> Any:
    return SimpleNamespace(output_shape=output, input_shape=given)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ([(None, 1), (None, 1)], "has 2 outputs"),
        (((None, 1), (None, 1), (None, 2)), "has 3 outputs"),
        ({"a": (None, 1), "b": (None, 1)}, "has 2 outputs"),
        ((None, 8, 8, 1), "not a list of values"),
        ((None, None), "not a list of values"),
        ((None,), "not a list of values"),
    ],
)
def test_a_model_of_another_make_is_refused_in_words(output: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        count_outputs(shaped(output))


def test_names_and_values_are_as_many() -> None:
    check_outputs(shaped((None, 2)), ["a", "b"])
    with pytest.raises(DataError, match="gives 2 values, and 1 names"):
        check_outputs(shaped((None, 2)), ["a"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((None, 8, 8, 1), "takes 8 x 8 x 1"),
        ((None, None, None, 3), "takes any x any x 3"),
        ([(None, 8, 8, 3), (None, 4)], "takes 2 inputs"),
        ({"a": (None, 8, 8, 3)}, "takes 1 inputs"),
    ],
)
def test_a_model_that_takes_no_colour_image_is_refused_in_words(given: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        image_size(shaped((None, 1), given))


def test_without_the_backend_nothing_is_opened_for_heat_maps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    from workers.device import backend

    monkeypatch.setattr(backend, "name", lambda: "jax")
    monkeypatch.setitem(sys.modules, "jax", None)
    # Neither the model nor the images are there: the backend is looked at before them.
    assert (
        run(
            [
                "model",
                "explain",
                str(tmp_path / "no.keras"),
                str(tmp_path / "none"),
                "-o",
                str(tmp_path / "h"),
            ]
        )
        == 2
    )
    assert "The backend that computes, jax, is not installed here" in capsys.readouterr().err

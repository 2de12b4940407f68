"""Further objectives and the Pareto front."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from storage.errors import SpecError
from storage.spec import StudySpec, find_front, parse


def make(sampler: str = "random", **study: object) -> StudySpec:
    search = {"dropout_rate": {"type": "float", "low": 0, "high": 0.5}}
    return parse(
        {"study": {"name": "s", **study}, "search": search, "sampler": {"name": sampler}}, source="a test"
    )


def test_the_front_of_an_example_by_hand() -> None:
    # AUC and seconds: the second is beaten by the first, the fourth by the third, equals stay together.
    values = np.array([[0.8, 10], [0.7, 12], [0.6, 5], [0.6, 6], [0.8, 10]])
    assert find_front(values, [True, False]).tolist() == [True, False, True, False, True]


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 3)), elements=st.integers(0, 4))
)
def test_the_front_is_what_brute_force_finds(values: np.ndarray) -> None:
    def beats(one: np.ndarray, other: np.ndarray) -> bool:
        return all(a >= b for a, b in zip(one, other, strict=True)) and any(one > other)

    wanted = [not any(beats(other, one) for other in values) for one in values]
    assert find_front(values, [True] * values.shape[1]).tolist() == wanted


def test_what_a_study_may_be_judged_by_besides() -> None:
    spec = make(also=["val_specificity", "parameters"])
    assert [(one.name, one.is_maximised) for one in spec.further] == [
        ("val_specificity", True),
        ("parameters", False),
    ]
    assert "also" not in make().to_json()
    for also, message in (
        (["val_specifity"], "did you mean val_specificity"),
        (["val_auc"], "study.also names val_auc again"),
        (["parameters", "parameters"], "each further objective once"),
    ):
        with pytest.raises(SpecError, match=message):
            make(also=also)
    with pytest.raises(SpecError, match="cmaes has one objective"):
        make("cmaes", also=["parameters"])

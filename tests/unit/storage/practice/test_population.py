"""Who the patients are, without a word of any single one; and how far two parts differ."""

from __future__ import annotations

import math

import numpy as np
import pytest

from storage.practice.population import OTHERS, compare_columns, describe_population


def test_patients_are_counted_once_and_none_is_named() -> None:
    groups = np.repeat(np.arange(60), 2)
    columns = {
        "sex": ["F", "M"] * 60,
        "age": [str(20 + group) for group in groups],
        "site": ["rare" if group < 2 else "common" if group % 2 else "usual" for group in groups],
        "remark": [f"words {row}" for row in range(120)],
        "PatientID": [str(group) for group in groups],
        "number": [str(1000 + row) for row in range(120)],
        "blank": [""] * 120,
    }
    found = describe_population(columns, groups)
    assert (found["images"], found["groups"]) == (120, 60)
    assert set(found["columns"]) == {"sex", "age", "site", "number"}
    assert found["columns"]["sex"]["counts"] == {"F": 60}
    assert found["columns"]["age"]["mean"] == pytest.approx(49.5)
    assert found["columns"]["site"]["counts"] == {"common": 29, "usual": 29, OTHERS: 2}
    assert "words" not in str(found)


def test_differences_are_those_of_their_formulas() -> None:
    one = {"kind": "number", "n": 50, "missing": 0, "mean": 1.0, "sd": 2.0}
    gap, p = compare_columns(one, {**one, "mean": 2.0})
    assert gap == pytest.approx(0.5)
    assert p == pytest.approx(0.0140, abs=0.0005)
    shares = {"kind": "category", "n": 100, "missing": 0, "counts": {"F": 50, "M": 50}}
    gap, p = compare_columns(shares, {**shares, "counts": {"F": 70, "M": 30}})
    # Of two values Yang and Dalton's distance is the difference of the shares over the root of the mean variance.
    assert gap == pytest.approx(0.2 / math.sqrt((0.25 + 0.21) / 2))
    assert p < 0.01
    assert compare_columns(shares, shares) == (pytest.approx(0.0), pytest.approx(1.0))
    assert math.isnan(compare_columns(one, shares)[0])

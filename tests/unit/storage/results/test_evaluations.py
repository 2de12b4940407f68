"""What is kept of an evaluation, and the number that stands for it."""

from __future__ import annotations

from typing import Any

import pytest

from storage.metrics.objectives import METRICS
from storage.results.evaluations import headline, headlines, keep_shareable

AREA = {"value": 0.8, "low": 0.7, "high": 0.9}
OTHER = {"value": 0.6, "low": 0.5, "high": 0.7}


def test_nothing_of_single_patients_is_kept() -> None:
    document: dict[str, Any] = {
        "results": {},
        "openings": [{"opened_by": "user@host"}],
        "rust": {
            "visits": 2,
            "compared": 1,
            "agreement": {},
            "scores": [{"visit": "Ann 2020-01-01"}],
            "without_score": {"Bob 2021-02-02": "no lateral view"},
        },
        "subgroups": {"name": {"Ann": {"groups": 1}, "(blank)": {"groups": 30}}},
    }
    kept = keep_shareable(document)
    assert "Ann" not in str(kept)
    assert "Bob" not in str(kept)
    assert "openings" not in kept
    assert kept["subgroups"] == {"name": {"(blank)": {"groups": 30}}}
    assert kept["rust"] == {"visits": 2, "compared": 1, "agreement": {}}


@pytest.mark.parametrize(
    ("metric", "results", "expected"),
    [
        ("val_auc", {"raw": {"macro": {"metrics": {"auc": AREA, "f1": OTHER}}}}, ("AUC", AREA)),
        ("val_f1", {"macro": {"metrics": {"auc": AREA, "f1": OTHER}}}, ("F1", OTHER)),
        ("val_micro_auc", {"macro": {"metrics": {"auc": AREA}}, "micro": {"metrics": {"auc": OTHER}}}, ("micro AUC", OTHER)),
        ("neg_val_loss", {"macro": {"metrics": {"auc": AREA}}}, ("AUC", AREA)),
        ("val_kappa", {"overall": {"metrics": {"kappa": OTHER}}, "labels": {}}, ("kappa", OTHER)),
        ("neg_val_mae", {"labels": {"age": {"metrics": {"mae": OTHER}}}}, ("mean absolute error", OTHER)),
        ("val_auc", {"labels": {}}, ("", {})),
        ("val_r2", {"labels": {"age": {"metrics": {"mae": AREA, "r2": OTHER}}, "t": {"metrics": {"r2": AREA}}}}, ("R2 of age", OTHER)),
    ],
)  # fmt: skip
def test_one_number_stands_for_an_evaluation(
    metric: str, results: dict[str, Any], expected: tuple[str, dict[str, float]]
) -> None:
    assert headline({"results": results}, METRICS[metric]) == expected


def test_several_numbers_stand_beside_each_other() -> None:
    rows = {"age": {"metrics": {"mae": AREA, "r2": OTHER}}, "t": {"metrics": {"mae": OTHER, "r2": AREA}}}
    assert headlines({"results": {"labels": rows}}, METRICS["val_r2"]) == (
        "R2",
        [("age", OTHER), ("t", AREA)],
    )
    assert headlines({"results": {"labels": {"age": rows["age"]}}}, METRICS["val_r2"]) == ("", [])
    assert headlines(
        {"results": {"labels": rows, "macro": {"metrics": {"auc": AREA}}}}, METRICS["val_auc"]
    ) == ("", [])

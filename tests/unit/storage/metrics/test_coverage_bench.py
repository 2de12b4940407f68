"""The bench of the intervals runs, small."""

import sys

import pytest

from bench import coverage


@pytest.mark.thorough
def test_the_bench_prints_a_table_for_each_kind_of_interval(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["coverage", "--small"])
    assert coverage.main() == 0
    printed = capsys.readouterr().out
    assert [name for name in ("auc", "sensitivity", "ppv", "f1", "balanced_accuracy", "mcc", "calibration slope", "gain", "brier", "pr_auc", "mae", "val_quadratic_kappa") if f"\n{name}: patients" in printed] == [
        "auc", "sensitivity", "ppv", "f1", "balanced_accuracy", "mcc", "calibration slope", "gain", "brier", "pr_auc", "mae", "val_quadratic_kappa",
    ]  # fmt: skip

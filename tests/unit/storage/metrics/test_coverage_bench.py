"""The bench of the intervals runs, small; and it says rightly why a cell is outside its goal."""

import sys

import numpy as np
import pytest

from bench import coverage, coverage_report, coverage_rest
from storage.metrics.intervals import Interval


@pytest.mark.thorough
def test_the_bench_prints_a_table_for_each_kind_of_interval(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["coverage", "--small"])
    assert coverage.main() in (0, 1), "40 data sets a cell may miss the goal by chance"
    printed = capsys.readouterr().out
    assert [name for name in ("auc", "sensitivity", "ppv", "f1", "balanced_accuracy", "mcc", "calibration slope", "gain", "brier", "pr_auc", "mae", "val_quadratic_kappa") if f"\n{name}: patients" in printed] == [
        "auc", "sensitivity", "ppv", "f1", "balanced_accuracy", "mcc", "calibration slope", "gain", "brier", "pr_auc", "mae", "val_quadratic_kappa",
    ]  # fmt: skip
    assert printed.splitlines()[-1][:8] in ("reached ", "MISSED  ")


@pytest.mark.parametrize("name", ["abstention", "agreement bias"])
def test_the_bench_of_the_other_intervals_runs_small(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["coverage_rest", "--small", "--only", name])
    assert coverage_rest.main() in (0, 1)
    assert f"\n{name}: patients" in capsys.readouterr().out
    assert set(coverage_rest.WITH_SHARED) <= {
        one.func for _, one, _ in coverage_rest.list_intervals().values()
    }


def test_an_end_misses_no_more_often_than_the_outermost_estimates_allow() -> None:
    # 3 of 100 are at the bound, which is more than 2.5 %, so that this end cannot miss; of the lowest, 2 of 100 are the most that may.
    estimates = [0.1, 0.2, *[0.5] * 95, 1.0, 1.0, 1.0]
    assert coverage_report.attainable(estimates) == pytest.approx(0.98)
    # Of many different estimates each end misses 2.5 %.
    assert coverage_report.attainable(np.arange(1000)) == pytest.approx(0.95)
    assert coverage_report.attainable([1.0] * 10) == 1.0


def test_a_cell_is_outside_for_a_reason() -> None:
    def found(held: int, estimates: list[float]) -> coverage_report.Found:
        return [
            (Interval(0.4, 0.6), 0.5 if place < held else 0.7, one) for place, one in enumerate(estimates)
        ]

    spread, bound = list(np.linspace(0, 1, 1000)), [0.0] * 500 + [1.0] * 500
    find = coverage_report.find_reason
    assert find(0.95, found(950, spread), None) == ("", 0.0)
    assert find(0.91, found(910, spread), None) == (coverage_report.SELDOM, 0.0)
    assert find(0.99, found(990, bound), None) == (coverage_report.ONE_END, 1.0)
    assert find(0.99, found(990, spread), lambda: found(950, spread)) == (coverage_report.ALIKE, 0.95)
    assert find(0.99, found(990, spread), lambda: found(990, spread)) == (coverage_report.WIDE, 0.0)


def test_the_goal_is_missed_where_a_cell_is_outside_without_a_proof(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tally = coverage_report.Tally(4)
    tally.outside[coverage_report.ONE_END] = 1
    assert coverage_report.conclude({"a": tally}) == 0
    tally.outside[coverage_report.WIDE] = 1
    assert coverage_report.conclude({"a": tally}) == 1
    assert "2 of 4 cells" in capsys.readouterr().out

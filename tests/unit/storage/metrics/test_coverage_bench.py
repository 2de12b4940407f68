"""The bench of the intervals runs, small; and it says rightly why a cell is outside its goal."""

import sys
from pathlib import Path

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
    named = (
        *("auc", "sensitivity", "ppv", "f1", "balanced_accuracy", "lr_positive", "mcc", "calibration slope"),
        *("gain", "brier", "pr_auc", "mae"),
    )
    assert [name for name in named if f"\n{name}: patients" not in printed] == []
    assert printed.splitlines()[-1][:8] in ("reached ", "MISSED  ")


@pytest.mark.parametrize(
    "name",
    [
        "abstention",
        "agreement bias",
        "ordered quadratic_kappa",
        pytest.param("macro mcc", marks=pytest.mark.thorough),
    ],
)
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
    report = coverage_report.Report()
    tally = report.tallies["a"] = coverage_report.Tally(4)
    tally.outside[coverage_report.ONE_END] = 1
    assert report.conclude() == 0
    tally.outside[coverage_report.WIDE] = 1
    assert report.conclude() == 1
    assert "2 of 4 cells" in capsys.readouterr().out


def test_a_run_that_ends_early_says_so_and_goes_on_where_it_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counted = []

    def measure(patients: float, sets: int) -> coverage_report.Found:
        counted.append(patients)
        return [(Interval(0.4, 0.6), 0.5 if place < 950 else 0.7, place / 1000) for place in range(sets)]

    keep, cells = tmp_path / "rows", ((30.0,), (60.0,))
    first = coverage_report.Report(keep)
    first.add("a", cells[:1], measure, 1000)
    later = coverage_report.Report(keep, minutes=-1)
    later.add("a", cells, measure, 1000)
    assert later.conclude() == 3, "neither reached nor missed"
    assert "NOT FINISHED  1 cells are left" in capsys.readouterr().out
    last = coverage_report.Report(keep)
    last.add("a", cells, measure, 1000)
    last.add("b", cells, measure, 1000)
    assert last.conclude() == 0
    assert counted == [30, 60, 30, 60], "the name is part of what was counted"
    printed = capsys.readouterr().out
    assert "a: 2 of 2 cells within 93% to 97% (one standard error for chance), 0.950 to 0.950" in printed
    assert "4 of 4 cells" in printed
    keep.write_text(keep.read_text().replace(coverage_report.hash_code(), "another"))
    coverage_report.Report(keep)
    assert "4 kept cells are of other code" in capsys.readouterr().out

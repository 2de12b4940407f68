"""What studies of one class of several compute, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from storage.metrics import bootstrap, intervals
from storage.tasks import class_metrics
from storage.tasks.classes import Classes
from storage.tasks.ordered import Ordered

TASK = Classes()


def test_probabilities_of_outputs_however_large() -> None:
    outputs = np.float32([[np.log(1), np.log(3)], [1000, 0], [-1000, -1000], [0, 200]])
    expected = [[0.25, 0.75], [1, 0], [0.5, 0.5], [0, 1]]
    np.testing.assert_allclose(TASK.values(outputs, {}), expected, atol=1e-6)
    logarithms = TASK.log_values(outputs)
    np.testing.assert_allclose(logarithms[[0, 2]], np.log([[0.25, 0.75], [0.5, 0.5]]), atol=1e-6)
    np.testing.assert_allclose(logarithms[[1, 3]], [[0, -1000], [-200, 0]], atol=1e-6)


def test_the_likeliest_class_and_the_median_grade() -> None:
    values = np.array([[0.4, 0.3, 0.3], [0.55, 0.25, 0.2], [0.2, 0.2, 0.6], [0.3, 0.4, 0.3], [0.4, 0.2, 0.4]])
    assert class_metrics.call_likeliest(values).tolist() == [0, 0, 2, 1, 0]
    assert class_metrics.call_median(values).tolist() == [1, 0, 2, 1, 1]


def test_the_unit_of_kappa_is_twice_that_of_an_area() -> None:
    labels = np.eye(3)
    assert [TASK.unit(name, labels) for name in ("val_auc", "val_kappa", "val_accuracy")] == [1.0, 2.0, 1.0]


def test_the_unit_of_an_error_in_grades_is_the_spread_of_those_that_are_known() -> None:
    labels = np.eye(4)[[0, 0, 3, 2]].astype(np.float64)
    labels[1] = np.nan
    spread = float(np.std([0, 3, 2]))
    assert Ordered().unit("neg_val_grade_error", labels) == pytest.approx(spread)
    assert Ordered().unit("neg_val_grade_error", labels[:1]) == 1.0
    assert Ordered().unit("neg_val_grade_error", labels[1:2]) == 1.0
    assert Ordered().unit("val_quadratic_kappa", labels) == 2.0


def test_what_is_read_off_a_table() -> None:
    # Rows are classes, columns calls: the third class is neither there nor called.
    table = np.array([[3.0, 1, 0], [2, 4, 0], [0, 0, 0]])
    assert class_metrics.accuracy(table) == pytest.approx(0.7)
    assert class_metrics.balanced_accuracy(table) == pytest.approx((3 / 4 + 4 / 6) / 2)
    assert class_metrics.macro_f1(table) == pytest.approx((6 / 9 + 8 / 11) / 2)
    assert class_metrics.kappa(table) == pytest.approx(1 - 0.3 / (1 - (0.4 * 0.5 + 0.6 * 0.5)))
    assert class_metrics.grade_error(table) == pytest.approx(0.3)
    # Grades that are two apart count four times as much as those that are one apart.
    graded = np.array([[2.0, 0, 1], [0, 2, 0], [0, 1, 2]])
    seen, expected = (4 + 1) / 8, sum(
        (i - j) ** 2 * graded.sum(axis=1)[i] * graded.sum(axis=0)[j] for i in range(3) for j in range(3)
    ) / 64  # fmt: skip
    assert class_metrics.kappa(graded, 2) == pytest.approx(1 - seen / expected)
    assert class_metrics.grade_error(graded) == pytest.approx(3 / 8)


def test_the_accuracy_of_all_classes_has_the_interval_of_a_share_and_the_error_in_grades_that_of_an_error() -> (
    None
):
    """20 patients of one image, 17 called right: Wilson's interval on 19; three errors of one grade, patients left out on the logarithm."""
    grades = np.arange(20) % 4
    called = grades.copy()
    called[:3] = [1, 2, 3]
    labels, values = np.eye(4)[grades], np.eye(4)[called]
    found = Ordered().card(list("abcd"), labels, values, np.arange(20), resamples=50)["overall"]["metrics"]
    simple = intervals.wilson_interval(17 / 20, 19, 1.959964)
    assert (found["accuracy"]["low"], found["accuracy"]["high"]) == pytest.approx((simple.low, simple.high))
    without = np.where(np.arange(20) < 3, 2.0, 3.0) / 19
    error = bootstrap.jackknife_interval(0.15, without, bootstrap.LOGARITHM)
    assert (found["grade_error"]["low"], found["grade_error"]["high"]) == pytest.approx(
        (error.low, error.high)
    )
    # All right: an interval that says that a mistake was possible, where resamples that are all equal gave none.
    right = Ordered().card(list("abcd"), labels, labels, np.arange(20), resamples=50)["overall"]["metrics"]
    assert right["accuracy"]["high"] == 1
    assert right["accuracy"]["low"] == pytest.approx(20 / (20 + 1.959964**2), abs=1e-6)

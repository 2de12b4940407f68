"""Images shown as examples: the clearest of each kind, of different patients."""

from __future__ import annotations

import numpy as np

from dashboards.tables.examples import MOST_LABELS, choose_examples
from dashboards.tables.outcomes import Outcomes
from storage.tasks.kinds import TASKS


def test_the_most_confident_calls_of_each_kind_are_shown_and_no_patient_twice() -> None:
    labels = np.array([[1], [1], [0], [0], [1], [np.nan], [0], [1]], float)
    values = np.array([[0.7], [0.9], [0.2], [0.8], [0.3], [0.99], [0.1], [0.9]])
    groups = np.array([0, 1, 2, 3, 4, 5, 6, 1])
    rows = np.array([10, 11, 12, 13, 14, 15, 16, 17])
    folds = [(labels[:4], values[:4]), (labels[4:], values[4:])]
    found = choose_examples(Outcomes(("fracture",), folds, groups=groups, rows=rows))
    assert [(one.kind, one.row, one.said) for one in found] == [
        ("true positive", 11, "fracture: probability 0.90"),
        ("false positive", 13, "fracture: probability 0.80"),
        ("false negative", 14, "fracture: probability 0.30"),
        ("true negative", 16, "fracture: probability 0.10"),
    ]
    # The next clearest where a patient was shown already; none where there is no other.
    alike = choose_examples(
        Outcomes(("fracture",), folds, groups=np.array([0, 1, 2, 1, 4, 5, 6, 1]), rows=rows)
    )
    assert [one.kind for one in alike] == ["true positive", "false negative", "true negative"]
    assert choose_examples(Outcomes(("fracture",), folds, groups=groups)) == []


def test_classes_and_numbers_have_examples_of_their_own_kind() -> None:
    truth = np.eye(3)[[0, 0, 1, 2, 2, 1]]
    values = np.array(
        [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.9, 0], [0.1, 0.2, 0.7], [0.6, 0, 0.4], [0, 1, 0]]
    )
    names = ("side=left", "side=right", "side=both")
    found = choose_examples(
        Outcomes(names, [(truth, values)], TASKS["classes"], groups=np.arange(6), rows=np.arange(6))
    )
    assert [(one.kind, one.row, one.said) for one in found] == [
        ("left, called rightly", 0, "called left (probability 0.80)"),
        ("left, called wrongly", 1, "called right (probability 0.70)"),
        ("right, called rightly", 5, "called right (probability 1.00)"),
        ("both, called rightly", 3, "called both (probability 0.70)"),
        ("both, called wrongly", 4, "called left (probability 0.60)"),
    ]
    ages, guesses = np.array([[50.0], [60], [70], [np.nan]]), np.array([[51.0], [80], [40], [9]])
    found = choose_examples(
        Outcomes(("age",), [(ages, guesses)], TASKS["number"], groups=np.arange(4), rows=np.arange(4))
    )
    assert [(one.kind, one.row) for one in found] == [
        ("smallest error", 0),
        ("most above", 1),
        ("most below", 2),
    ]


def test_of_many_labels_those_with_the_most_positives_are_shown() -> None:
    chance = np.random.default_rng(0)
    labels = (chance.random((400, 9)) < np.linspace(0.1, 0.6, 9)).astype(float)
    found = choose_examples(
        Outcomes(
            tuple("abcdefghi"),
            [(labels, chance.random(labels.shape))],
            groups=np.arange(400),
            rows=np.arange(400),
        )
    )
    assert {one.place for one in found} == set(range(9 - MOST_LABELS, 9))
    assert len(found) == 4 * MOST_LABELS

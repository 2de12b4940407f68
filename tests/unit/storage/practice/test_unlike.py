"""The flag for pictures unlike the training: its rate of false alarms, what it finds, and what a file keeps of it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from storage.practice.unlike import NEIGHBOURS, RATE, Reference, fit_reference, nearest

FEATURES = 300


def draw(generator: np.random.Generator, patients: int, mixing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features of the pictures of patients, one to three each, which are alike."""
    groups = np.repeat(np.arange(patients), generator.integers(1, 4, patients))
    own = generator.standard_normal((len(groups), 20)) + generator.standard_normal((patients, 20))[groups]
    return (5 + own @ mixing + 0.3 * generator.standard_normal((len(groups), FEATURES))).astype(
        np.float32
    ), groups


def test_of_pictures_of_the_same_kind_about_the_rate_is_flagged_and_others_are() -> None:
    generator = np.random.default_rng(3)
    mixing = generator.standard_normal((20, FEATURES))
    shares, found = [], []
    for seed in range(10):
        features, groups = draw(generator, 150, mixing)
        reference = fit_reference(features, groups, seed=seed)
        assert reference is not None
        shares.append((reference.score(draw(generator, 300, mixing)[0]) > 1).mean())
        others = draw(generator, 50, generator.standard_normal((20, FEATURES)))[0]
        found.append((reference.score(others) > 1).mean())
    assert np.mean(shares) == pytest.approx(RATE, abs=0.02)
    assert min(found) > 0.95
    tiny = fit_reference(features * np.float32(1e-21), groups)
    assert tiny is not None
    assert (tiny.score(features * np.float32(1e-21)) > 1).mean() < RATE, (
        "what was trained on is its own neighbour"
    )


def test_distances_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    kept, placed = (generator.standard_normal((count, 16)).astype(np.float32) for count in (600, 700))
    theirs, _ = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(kept).kneighbors(placed)
    assert nearest(placed, kept) == pytest.approx(theirs.mean(axis=1), rel=1e-4)


def test_a_file_keeps_what_scores_the_same() -> None:
    generator = np.random.default_rng(1)
    features, groups = draw(generator, 120, generator.standard_normal((20, FEATURES)))
    features[:, 0] = 7.0
    reference = fit_reference(features, groups)
    assert reference is not None
    again = Reference.from_arrays(reference.to_arrays())
    assert again.score(features) == pytest.approx(reference.score(features), rel=1e-6)
    assert np.isfinite(again.score(features + 1)).all(), "one feature did not vary in training"
    with pytest.raises(ValueError, match="do not fit together"):
        Reference.from_arrays({**reference.to_arrays(), "mean": np.zeros(3)})


def test_too_few_pictures_or_features_that_do_not_vary_have_no_flag() -> None:
    generator = np.random.default_rng(2)
    few = generator.standard_normal((40, 8))
    assert fit_reference(few, np.arange(40)) is None
    assert fit_reference(np.ones((200, 8)), np.arange(200)) is None

"""Readers and model: kappa as scikit-learn has it, blanks, ties of the majority, and the comparison with the readers themselves."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import brier_score_loss, cohen_kappa_score, roc_auc_score

from storage.practice.readers import MAJORITY, compare_readers


def draw() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three readers who err independently, and a model that knows as much as one of them."""
    generator = np.random.default_rng(5)
    groups = np.repeat(np.arange(120), 2)
    truth = (generator.random(120) < 0.4)[groups]
    wrong = generator.random((240, 3)) < 0.15
    ratings = (truth[:, None] ^ wrong).astype(np.float64)
    ratings[generator.random(ratings.shape) < 0.1] = np.nan
    scores = 1 / (1 + np.exp(-(2 * (2 * truth - 1) + 1.9 * generator.standard_normal(240))))
    return groups, ratings, scores


def test_every_number_is_that_of_scikit_learn() -> None:
    groups, ratings, scores = draw()
    found = compare_readers(["a", "b", "c"], ratings, scores, groups, threshold=0.5, resamples=300)
    for pair in found["pairs"]:
        columns = ratings[:, ["abc".index(pair["one"]), "abc".index(pair["other"])]]
        both = columns[~np.isnan(columns).any(axis=1)]
        assert pair["images"] == len(both)
        assert pair["kappa"]["value"] == pytest.approx(cohen_kappa_score(both[:, 0], both[:, 1]))
        assert pair["kappa"]["low"] < pair["kappa"]["value"] < pair["kappa"]["high"]
    *alone, majority = found["model"]
    for place, one in enumerate(alone):
        known = ~np.isnan(ratings[:, place])
        labels = ratings[known, place]
        assert one["kappa"]["value"] == pytest.approx(cohen_kappa_score(labels, scores[known] > 0.5))
        assert one["auc"]["value"] == pytest.approx(roc_auc_score(labels, scores[known]))
    share = np.nanmean(ratings, axis=1)
    settled = ~np.isnan(share) & (share != 0.5)
    assert (majority["reader"], majority["images"]) == (MAJORITY, settled.sum())
    assert majority["auc"]["value"] == pytest.approx(roc_auc_score(share[settled] > 0.5, scores[settled]))
    read = ~np.isnan(share)
    assert found["brier_soft"]["value"] == pytest.approx(np.mean((scores - share)[read] ** 2))
    mean_pair = np.mean([pair["kappa"]["value"] for pair in found["pairs"]])
    mean_model = np.mean([one["kappa"]["value"] for one in alone])
    assert found["difference"]["value"] == pytest.approx(mean_model - mean_pair)
    assert found["difference"]["low"] < 0 < found["difference"]["high"], "as good as a reader"


def test_hard_labels_of_readers_who_agree_give_the_brier_score() -> None:
    groups, ratings, scores = draw()
    alike = np.repeat(np.nan_to_num(ratings[:, :1]), 2, axis=1)
    found = compare_readers(["a", "b"], alike, scores, groups, threshold=0.5, resamples=0)
    assert found["pairs"][0]["kappa"]["value"] == 1
    assert found["brier_soft"]["value"] == pytest.approx(brier_score_loss(alike[:, 0], scores))


def test_the_intervals_leave_out_patients_one_by_one() -> None:
    """The model's kappa less the readers' as it is, kappa on Fisher's scale: each patient left out by scikit-learn."""
    groups, ratings, scores = (part[:80] for part in draw())
    ratings = np.nan_to_num(ratings)
    called = scores > 0.5
    found = compare_readers(["a", "b"], ratings, scores, groups, threshold=0.5, resamples=100)
    pairs, gaps = [], []
    for one in np.unique(groups):
        kept = groups != one
        pairs.append(cohen_kappa_score(ratings[kept, 0], ratings[kept, 1]))
        own = [cohen_kappa_score(ratings[kept, place], called[kept]) for place in range(2)]
        gaps.append(np.mean(own) - pairs[-1])
    for shown, without, there, back in (
        (found["difference"], np.array(gaps), np.positive, np.positive),
        (found["pairs"][0]["kappa"], np.arctanh(pairs), np.arctanh, np.tanh),
    ):
        count = len(without)
        kurtosis = scipy.stats.kurtosis(without, fisher=False)
        freedom = 2 * count / max(kurtosis - 1 + 2 / (count - 1), 2 * count / (count - 1))
        half = scipy.stats.t.ppf(0.975, freedom) * np.sqrt((count - 1) * np.var(without))
        middle = there(shown["value"])
        assert (shown["low"], shown["high"]) == pytest.approx(
            (back(middle - half), back(middle + half)), rel=1e-3
        )

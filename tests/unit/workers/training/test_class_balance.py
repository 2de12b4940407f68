import numpy as np

from workers.heads.sigmoid import weigh_positives
from workers.training.class_balance import oversample

NAN = np.nan
LABELS = np.array([[1, 0], [0, 0], [0, NAN], [0, 1], [1, 0], [0, 0]], np.float32)
SEED = (1337, 0, 0)


def test_a_balanced_weight_is_negatives_over_positives() -> None:
    train = np.arange(6)
    assert weigh_positives(LABELS, train, "balanced").tolist() == [
        2.0,
        4.0,
    ]  # 4 / 2, and 4 / 1 of 5 assessed
    assert weigh_positives(LABELS, train, "none").tolist() == [1.0, 1.0]


def test_only_training_images_count_and_one_class_has_no_weight() -> None:
    assert weigh_positives(LABELS, np.array([0, 1, 2]), "balanced").tolist() == [2.0, 1.0]


def test_rare_images_come_as_often_as_asked() -> None:
    train = np.array([0, 1, 3, 4, 5])
    assert oversample(train, LABELS, [0], 3.0, SEED).tolist() == [0, 1, 3, 4, 5, 0, 4, 0, 4]
    assert oversample(train, LABELS, [0, 1], 2.0, SEED).tolist() == [0, 1, 3, 4, 5, 0, 3, 4]
    assert oversample(train, LABELS, [0], 1.0, SEED).tolist() == train.tolist()


def test_a_fraction_is_a_share_that_comes_once_more() -> None:
    rare = np.arange(100)
    labels = np.ones((100, 1), np.float32)
    repeated = oversample(rare, labels, [0], 2.25, SEED)
    counts = np.bincount(repeated)
    assert sorted(set(counts)) == [2, 3]
    assert (counts == 3).sum() == 25
    assert (repeated == oversample(rare, labels, [0], 2.25, SEED)).all()
    assert (repeated != oversample(rare, labels, [0], 2.25, (1337, 0, 1))).any()

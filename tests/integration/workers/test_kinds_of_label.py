"""Heads of every kind of label: losses and gradients against others' formulas, training against plain Keras; under both backends.

`test_jax_backend.py` runs this file under JAX, too.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from storage.spec import StudySpec, parse
from storage.tasks.kinds import TASKS
from tests.backends import differentiate
from workers.device import preparation as devices
from workers.device.backend import epoch_backend
from workers.heads.kinds import MAKE, find_head
from workers.inputs.feature_set import FeatureSet
from workers.training.early_stopping import train_together
from workers.training.fold_trainer import FoldTrainer

IMAGES, FEATURES, TARGETS = 44, 10, 4
TRAIN, VAL = np.arange(32), np.arange(32, IMAGES)
KINDS = [
    ("labels", ""),
    ("classes", ""),
    ("ordered", ""),
    *(("number", loss) for loss in TASKS["number"].losses),
    *(("labels", loss) for loss in TASKS["labels"].losses[1:]),
    ("classes", "focal"),
]
FOCUS = {
    "focal_gamma": 1.5,
    "focal_alpha": 0.3,
    "gamma_positive": 0.5,
    "gamma_negative": 3.0,
    "probability_margin": 0.1,
}
"""Of focal and asymmetric loss."""
CENTRE, SPREAD = np.array([50, -3, 0, 1e4], np.float32), np.array([20, 0.5, 1, 300], np.float32)


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1, 2)


def make_labels(kind: str, count: int, *, blanks: bool) -> np.ndarray:
    """Labels of a kind; of classes one is never there."""
    chance = np.random.default_rng(5)
    if kind == "number":
        labels = (CENTRE + SPREAD * chance.normal(size=(count, TARGETS))).astype(np.float32)
    elif TASKS[kind].excludes:
        labels = np.eye(TARGETS, dtype=np.float32)[chance.choice([0, 2, 3], count)]
    else:
        labels = (chance.random((count, TARGETS)) < 0.4).astype(np.float32)
    if blanks:
        gaps = chance.random(labels.shape if not TASKS[kind].excludes else (count, 1)) < 0.2
        labels = np.where(gaps, np.nan, labels).astype(np.float32)
    return labels


def make_trainer(
    kind: str, loss: str, *, blanks: bool = False, **training: Any
) -> tuple[FoldTrainer, np.ndarray]:
    """A trainer at the beginning of a fold, and the labels of all images."""
    labels = make_labels(kind, IMAGES, blanks=blanks)
    values = np.random.default_rng(1).normal(size=(IMAGES, 1, FEATURES)).astype(np.float32)
    trainer = FoldTrainer(make_spec(kind, loss, **training), FEATURES, TARGETS)
    trainer.reset(FeatureSet(values, labels), TRAIN, VAL, {}, (1, 2, 3))
    return trainer, labels


@functools.cache
def make_spec(kind: str, loss: str, batch_size: int = 8, precision: str = "float32") -> StudySpec:
    training = {
        "batch_size": batch_size,
        "augmentation": "none",
        "learning_rate": 0.01,
        "precision": precision,
    }
    return parse(
        {
            "study": {"name": "x"},
            "data": {"task": kind},
            "model": {"head": [8], "scale": "none"},
            "training": {**training, **({"loss": loss} if loss else {})},
        },
        source="a test",
    )


def weigh_by_hand(loss: str, truth: float, x: float, smoothing: float) -> float:
    """Focal or asymmetric loss of one label."""
    p, known = 1 / (1 + np.exp(-x)), truth * (1 - smoothing) + smoothing / 2
    if loss == "focal":
        entropy = -known * np.log(p) - (1 - known) * np.log(1 - p)
        alpha = known * FOCUS["focal_alpha"] + (1 - known) * (1 - FOCUS["focal_alpha"])
        return alpha * (known * (1 - p) + (1 - known) * p) ** FOCUS["focal_gamma"] * entropy
    shifted = max(p - FOCUS["probability_margin"], 0)
    positive = -((1 - p) ** FOCUS["gamma_positive"]) * np.log(p)
    return known * positive - (1 - known) * shifted ** FOCUS["gamma_negative"] * np.log(1 - shifted)


def by_hand(kind: str, loss: str, labels: np.ndarray, outputs: np.ndarray, settings: dict[str, Any]) -> float:
    """The same loss, image by image in double precision."""
    losses, counted = [], 0
    for truth, x in zip(labels.astype(np.float64), outputs.astype(np.float64), strict=True):
        if kind == "number":
            for t, center, spread, gap in zip(truth, CENTRE, SPREAD, x, strict=True):
                if t == t:
                    away = abs(gap - (t - center) / spread)
                    huber = away**2 / 2 if away <= 1 else away - 0.5
                    losses.append({"squared": away**2, "absolute": away, "huber": huber}[loss])
                    counted += 1
            continue
        if kind == "labels":
            for place in np.flatnonzero(~np.isnan(truth)):
                weight = settings["positive_weights"][place] if truth[place] == 1 else 1
                losses.append(
                    weight * weigh_by_hand(loss, truth[place], x[place], settings["label_smoothing"])
                )
                counted += 1
            continue
        if np.isnan(truth).any():
            continue
        if kind == "classes":
            p = np.exp(x) / np.exp(x).sum()
        else:
            above = np.concatenate([[1], np.cumprod(1 / (1 + np.exp(-x))), [0]])
            p = above[:-1] - above[1:]
        s = settings["label_smoothing"]
        wanted = (1 - s) * truth + s / TARGETS
        focus = (1 - p) ** FOCUS["focal_gamma"] if loss == "focal" else 1
        losses.append(-settings["positive_weights"][truth.argmax()] * (focus * wanted * np.log(p)).sum())
        counted += 1
    return float(np.sum(losses) / counted)


@pytest.mark.parametrize(("kind", "loss"), KINDS[1:])
def test_a_loss_is_the_one_worked_by_hand_and_its_gradient_the_slope(kind: str, loss: str) -> None:
    head = find_head(kind, loss)
    labels = make_labels(kind, 12, blanks=True)
    outputs = np.random.default_rng(2).normal(0, 1.5, (12, head.outputs(TARGETS))).astype(np.float32)
    settings = {"label_smoothing": np.float32(0.1), "positive_weights": np.array([1, 2, 0.5, 3], np.float32)}
    settings |= {"centre": CENTRE, "spread": SPREAD, **FOCUS}

    def compute(x: Any) -> Any:
        return head.loss(labels, x, settings, epoch_backend().masked_cross_entropy)

    value, gradient = differentiate(compute, outputs)
    assert value == pytest.approx(by_hand(kind, loss, labels, outputs, settings), rel=1e-5)
    for row, column in ((0, 0), (3, 1), (7, 2), (11, 0)):
        ends = []
        for step in (1e-4, -1e-4):
            moved = outputs.astype(np.float64)
            moved[row, column] += step
            ends.append(by_hand(kind, loss, labels, moved, settings))
        assert gradient[row, column] == pytest.approx((ends[0] - ends[1]) / 2e-4, abs=1e-4)
    assert np.isfinite(gradient).all()
    assert not gradient[np.isnan(labels).all(axis=1)].any()
    nothing = np.full_like(labels, np.nan)
    empty, slope = differentiate(
        lambda x: head.loss(nothing, x, settings, epoch_backend().masked_cross_entropy), outputs
    )
    assert (empty, slope.any()) == (0, False)


def asymmetric_of_probabilities(labels: Any, probabilities: Any) -> Any:
    """As Ridnik et al. 2021 write it, with the defaults of orch."""
    from keras import ops

    shifted = ops.maximum(probabilities - 0.05, 0)
    negative = shifted**4 * ops.log(1 - shifted)
    return -ops.mean(labels * (1 - probabilities) * ops.log(probabilities) + (1 - labels) * negative, axis=-1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("kind", "loss"), [("labels", "focal"), ("classes", "focal")])
def test_focal_loss_and_its_gradient_are_those_of_keras(kind: str, loss: str, smoothing: float) -> None:
    import keras

    gamma, alpha = FOCUS["focal_gamma"], FOCUS["focal_alpha"]
    options = {"gamma": gamma, "from_logits": True, "label_smoothing": smoothing}
    reference = (
        keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=alpha, **options)
        if kind == "labels"
        else keras.losses.CategoricalFocalCrossentropy(alpha=1.0, **options)
    )
    labels = make_labels(kind, 12, blanks=False)
    outputs = np.random.default_rng(2).normal(0, 1.5, (12, TARGETS)).astype(np.float32)
    settings = {"label_smoothing": np.float32(smoothing), "positive_weights": np.ones(TARGETS, np.float32)}
    settings |= FOCUS
    head = find_head(kind, loss)
    mine = differentiate(lambda x: head.loss(labels, x, settings, None), outputs)  # type: ignore[arg-type]
    theirs = differentiate(lambda x: reference(labels, x), outputs)
    assert mine[0] == pytest.approx(theirs[0], rel=1e-5)
    np.testing.assert_allclose(mine[1], theirs[1], atol=1e-6)


@pytest.mark.parametrize(("kind", "loss"), KINDS[-3:])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 4.0])
def test_a_weighed_loss_has_a_slope_wherever_an_answer_is_sure(kind: str, loss: str, exponent: float) -> None:
    head = find_head(kind, loss)
    outputs = np.array([[-200, 200, 0, 1], [200, -200, 90, -90], [0, 0, 0, 0]], np.float32)
    labels = np.eye(TARGETS, dtype=np.float32)[[0, 1, 2]]
    powers = dict.fromkeys(("focal_gamma", "gamma_positive", "gamma_negative"), exponent)
    for margin in (0.0, 0.05):
        settings = {**FOCUS, **powers, "probability_margin": margin, "label_smoothing": 0.0}
        settings |= {"positive_weights": np.ones(TARGETS, np.float32)}
        value, slope = differentiate(lambda x, s=settings: head.loss(labels, x, s, None), outputs)  # type: ignore[arg-type]
        assert np.isfinite(value)
        assert np.isfinite(slope).all()


@pytest.mark.main_tier("classes-", "labels-asymmetric", "number-huber", "ordered-")
@pytest.mark.parametrize(("kind", "loss"), KINDS[1:])
def test_an_epoch_is_the_one_that_keras_trains(kind: str, loss: str) -> None:
    import keras

    trainer, labels = make_trainer(kind, loss)
    model = keras.models.clone_model(trainer.model)
    model.set_weights(trainer.model.get_weights())
    reference: dict[Any, Any] = {
        "squared": "mean_squared_error",
        "absolute": "mean_absolute_error",
        "huber": "huber",
        "asymmetric": asymmetric_of_probabilities,
        ("labels", "focal"): keras.losses.BinaryFocalCrossentropy(),
        ("classes", "focal"): keras.losses.CategoricalFocalCrossentropy(alpha=1.0),
    }
    wanted_loss = reference.get((kind, loss), reference.get(loss, "categorical_crossentropy"))
    model.compile(keras.optimizers.Adam(0.01, epsilon=1e-7), wanted_loss)
    centre, spread = labels[TRAIN].mean(axis=0), labels[TRAIN].std(axis=0)
    wanted = (labels - centre) / spread if kind == "number" else labels
    order = np.random.default_rng([1, 2, 3, 1]).permutation(TRAIN)
    features = np.random.default_rng(1).normal(size=(IMAGES, 1, FEATURES)).astype(np.float32)[:, 0]
    model.fit(features[order], wanted[order], batch_size=8, epochs=1, shuffle=False, verbose=0)
    trainer.run_epoch(1)
    for mine, theirs in zip(trainer.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-5)
    predicted = model.predict(features[VAL], verbose=0)
    predicted = predicted * spread + centre if kind == "number" else predicted
    np.testing.assert_allclose(trainer.predict_validation(), predicted, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize(("kind", "loss"), KINDS)
def test_folds_together_are_folds_one_by_one_with_blanks(kind: str, loss: str) -> None:
    alone = [make_trainer(kind, loss, blanks=True)[0] for _ in range(2)]
    together = [make_trainer(kind, loss, blanks=True)[0] for _ in range(2)]
    for epoch in (1, 2):
        train_together(together, epoch)
        for one, other in zip(alone, together, strict=True):
            mine, theirs = one.run_epoch(epoch), other.run_epoch(epoch)
            assert mine.train_loss == pytest.approx(theirs.train_loss, rel=1e-4)
            np.testing.assert_allclose(
                one.predict_validation(), other.predict_validation(), rtol=1e-3, atol=1e-5
            )
    name = TASKS[kind].default_metric(TARGETS).removeprefix("neg_")
    assert np.isfinite(getattr(mine, name))


@pytest.mark.main_tier("classes-")
@pytest.mark.parametrize(("kind", "loss"), [*KINDS[1:4], *KINDS[-2:]])
def test_bfloat16_learns_the_same_roughly(kind: str, loss: str) -> None:
    exact, rough = make_trainer(kind, loss)[0], make_trainer(kind, loss, precision="bfloat16")[0]
    losses = [trainer.run_epoch(1).train_loss for trainer in (exact, rough)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


@pytest.mark.parametrize(("kind", "loss"), KINDS)
def test_a_model_file_gives_what_an_epoch_is_scored_by(kind: str, loss: str) -> None:
    import keras

    trainer, _ = make_trainer(kind, loss)
    trainer.run_epoch(1)
    head = find_head(kind, loss)
    inputs = keras.Input((FEATURES,))
    whole = keras.Model(inputs, head.restore_units(trainer.model(inputs), trainer.units, "trained"))
    again = keras.Model.from_config(whole.get_config())
    again.set_weights(whole.get_weights())
    features = np.random.default_rng(1).normal(size=(IMAGES, 1, FEATURES)).astype(np.float32)[:, 0]
    np.testing.assert_allclose(
        again.predict(features[VAL], verbose=0), trainer.predict_validation(), rtol=1e-4, atol=1e-6
    )


def test_every_kind_of_label_has_a_head() -> None:
    assert list(MAKE) == list(TASKS)


def test_balanced_classes_weigh_alike_and_an_empty_one_nothing() -> None:
    labels = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 1, 1, 1, 1, 1]]
    for kind in ("classes", "ordered"):
        found = find_head(kind).prepare(labels, np.arange(9), {"positive_weight": "balanced"})
        assert found["positive_weights"].tolist() == [1.5, 0.75, 1.0]


def test_a_number_without_spread_or_without_an_image_divides_by_nothing() -> None:
    labels = np.array([[1, np.nan, 2e-3], [1, np.nan, 4e-3]], np.float32)
    found = find_head("number", "squared").prepare(labels, np.arange(2), {})
    assert found["spread"].tolist() == pytest.approx([1, 1, 1e-3])
    assert found["centre"].tolist() == pytest.approx([1, 0, 3e-3])

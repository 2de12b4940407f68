"""The compiled epoch against plain Keras, against itself after a stop, and against what was asked of it."""

from __future__ import annotations

import functools
import gc
import hashlib
import math
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from storage.metrics import epoch as metrics
from storage.spec import ModelSection, StudySection, StudySpec, TrainingSection
from tests.backends import count_programs
from workers.device import backend
from workers.device import preparation as devices
from workers.training import fold_trainer
from workers.training.fold_trainer import FeatureSet, FoldTrainer

IMAGES, VIEWS, FEATURES, TARGETS = 60, 4, 12, 3
SEED = (1337, 5, 2)
TRAIN, VAL = np.arange(47), np.arange(47, IMAGES)


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1, 2)
    devices.try_out()


def make_spec(**changes) -> StudySpec:
    model = {"head": (16, 8), "scale": "none"} | changes.pop("model", {})
    return StudySpec(
        study=StudySection(name="x"), model=ModelSection(**model), training=TrainingSection(**changes)
    )


def make_features(views: int = VIEWS, blanks: float = 0.0) -> FeatureSet:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(IMAGES, views, FEATURES)).astype(np.float32)
    labels = (values[:, 0, :TARGETS] + generator.normal(size=(IMAGES, TARGETS)) > 0).astype(np.float32)
    labels[generator.random(labels.shape) < blanks] = np.nan
    return FeatureSet(values, labels)


def start(spec: StudySpec, features: FeatureSet, **hyperparameters) -> FoldTrainer:
    trainer = FoldTrainer(spec, FEATURES, TARGETS)
    trainer.reset(features, TRAIN, VAL, hyperparameters, SEED)
    return trainer


def draw_epoch(epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """Order and views of an epoch, by the rule that docs/training.md states."""
    generator = np.random.default_rng(np.random.SeedSequence([*SEED, epoch]))
    order = generator.permutation(TRAIN)
    return order, generator.integers(VIEWS, size=len(order))


def copy_to_keras(trainer: FoldTrainer, **hyperparameters):
    """The same head as an ordinary compiled Keras model, with the trainer's weights of now."""
    import keras

    model = keras.models.clone_model(trainer.model)
    model.set_weights(trainer.model.get_weights())
    model.compile(keras.optimizers.Adam(**hyperparameters), "binary_crossentropy")
    return model


@pytest.mark.main_tier("1e-07")
@pytest.mark.parametrize("epsilon", [1e-7, 1e-1])
def test_each_optimizer_step_is_the_one_of_keras_adam(epsilon) -> None:
    features = make_features()
    trainer = start(make_spec(epsilon=epsilon), features, batch_size=len(TRAIN), learning_rate=1e-2)
    model = copy_to_keras(trainer, learning_rate=1e-2, epsilon=epsilon)
    for epoch in (1, 2, 3):
        order, views = draw_epoch(epoch)
        model.train_on_batch(features.values[order, views], features.labels[order])
        trainer.run_epoch(epoch)
        for ours, theirs in zip(trainer.model.get_weights(), model.get_weights(), strict=True):
            assert np.abs(ours - theirs).max() < 1e-5
            if epoch == 1 and ours.ndim == 2:
                # Rounded as Keras rounds it, or every weight is off in its last digit.
                assert np.median(np.abs(ours - theirs)) < 1e-8


def test_soft_labels_teach_the_loss_and_hard_ones_are_scored() -> None:
    hard = make_features(blanks=0.1)

    def train(shares, **changes):
        features = FeatureSet(hard.values, hard.labels, shares=shares)
        trainer = start(make_spec(positive_weight="none", **changes), features, batch_size=16)
        return trainer, [replace(trainer.run_epoch(epoch), seconds=0.0) for epoch in (1, 2)]

    plain, scored = train(None)
    _, equal = train(hard.labels, soft_labels=True)
    # As text, in which NaN is NaN.
    assert repr(equal) == repr(scored), "shares of 0 and 1 are the labels, to the last bit"
    # Smoothing by s turns 0 and 1 into s / 2 and 1 - s / 2: the same as these shares.
    smoothed, one = train(None, label_smoothing=0.2)
    shared, other = train((0.8 * hard.labels + 0.1).astype(np.float32), soft_labels=True)
    for ours, theirs in zip(shared.model.get_weights(), smoothed.model.get_weights(), strict=True):
        assert np.abs(ours - theirs).max() < 1e-5
    assert [row.val_auc for row in other] == pytest.approx([row.val_auc for row in one])
    assert [row.val_loss for row in other] == pytest.approx([row.val_loss for row in one], abs=1e-5)
    assert np.abs(shared.model.get_weights()[0] - plain.model.get_weights()[0]).max() > 1e-5


@pytest.mark.main_tier("standardize")
@pytest.mark.parametrize("scale", ["none", "standardize"])
def test_two_epochs_have_the_losses_of_plain_keras(scale) -> None:
    features = make_features()
    trainer = start(make_spec(model={"scale": scale}), features, batch_size=16)
    model = copy_to_keras(trainer, learning_rate=1e-3, epsilon=1e-7)
    values = features.values
    if scale == "standardize":
        seen = values[TRAIN].reshape(-1, FEATURES)
        values = (values - seen.mean(axis=0)) / seen.std(axis=0)
    for epoch in (1, 2):
        order, views = draw_epoch(epoch)
        inputs, labels = values[order, views], features.labels[order]
        seen_by_training = []
        for first in range(0, len(order), 16):
            batch = slice(first, first + 16)
            seen_by_training.append(model.predict_on_batch(inputs[batch]))
            model.train_on_batch(inputs[batch], labels[batch])
        result = trainer.run_epoch(epoch)
        validated = model.predict_on_batch(values[VAL, 0])
        assert result.train_loss == pytest.approx(
            keras_loss(labels, np.concatenate(seen_by_training)), abs=1e-4
        )
        assert result.val_loss == pytest.approx(keras_loss(features.labels[VAL], validated), abs=1e-4)
        assert np.abs(trainer.predict_validation() - validated).max() < 1e-4


def keras_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    import keras

    return float(np.mean(keras.losses.binary_crossentropy(labels, probabilities)))


@pytest.mark.parametrize("batch_size", [1, 7, 16, 46, 47, 48, 2048])
def test_steps_are_counted_where_they_run(batch_size) -> None:
    trainer = start(make_spec(), make_features(), batch_size=batch_size)
    for epoch in (1, 2):
        result = trainer.run_epoch(epoch)
        assert result.steps == math.ceil(len(TRAIN) / batch_size)
        assert result.samples == len(TRAIN)


def test_a_batch_size_that_does_not_arrive_is_seen_in_the_steps() -> None:
    trainer = start(make_spec(), make_features(), batch_size=16)
    compiled = trainer._compiled

    class BatchesInThePipeline:
        """The mistake of the reference study: something below batches by its own number."""

        def train(self, fold):
            return compiled.train(replace(fold, settings={**fold.settings, "batch_size": 10}))

        predict = staticmethod(compiled.predict)

    trainer._compiled = BatchesInThePipeline()
    assert trainer.run_epoch(1).steps == math.ceil(len(TRAIN) / 10)


def test_the_batch_size_changes_what_is_learnt() -> None:
    features = make_features()
    losses = {size: start(make_spec(), features, batch_size=size).run_epoch(1).val_loss for size in (4, 47)}
    assert losses[4] != losses[47]


def test_results_are_the_metrics_of_what_training_and_validation_saw() -> None:
    features = make_features(blanks=0.3)
    trainer = start(make_spec(), features, batch_size=len(TRAIN))
    order, views = draw_epoch(1)
    before = trainer.model.predict(features.values[order, views], verbose=0)
    result = trainer.run_epoch(1)
    expected = metrics.macro_auc(features.labels[order], before)[0]
    assert result.train_auc == pytest.approx(expected, abs=1e-6)
    probabilities = trainer.predict_validation()
    assert result.val_auc == metrics.macro_auc(features.labels[VAL], probabilities)[0]
    assert np.allclose(probabilities, trainer.model.predict(features.values[VAL, 0], verbose=0), atol=1e-6)


def test_labels_that_were_not_assessed_teach_nothing() -> None:
    features = make_features()
    features.labels[:, 1] = np.nan
    masked = FeatureSet(features.values, features.labels)
    trainer = start(make_spec(), masked, batch_size=16)
    before = trainer.model.get_layer("logits").get_weights()[0].copy()
    result = trainer.run_epoch(1)
    change = np.abs(trainer.model.get_layer("logits").get_weights()[0] - before).max(axis=0)
    assert change[1] == 0
    assert (change[[0, 2]] > 0).all()
    assert np.isfinite(result.train_loss)
    assert result.labels_left_out == 1


def test_a_batch_without_any_assessed_label_keeps_the_weights_finite() -> None:
    features = make_features()
    blank = FeatureSet(features.values, np.full_like(features.labels, np.nan))
    trainer = start(make_spec(), blank, batch_size=16)
    result = trainer.run_epoch(1)
    assert np.isnan(result.train_loss)
    assert all(np.isfinite(weight).all() for weight in trainer.model.get_weights())


def test_a_label_with_one_class_in_validation_is_left_out_there() -> None:
    features = make_features()
    labels = features.labels.copy()
    labels[VAL, 0] = 0
    trainer = start(make_spec(), FeatureSet(features.values, labels), batch_size=16)
    result = trainer.run_epoch(1)
    assert result.labels_left_out == 1
    others = metrics.auc_per_label(labels[VAL][:, 1:], trainer.predict_validation()[:, 1:])
    assert result.val_auc == pytest.approx(others.mean(), abs=1e-12)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_goes_on_bit_for_bit_after_restore(precision) -> None:
    features, spec = make_features(), make_spec(precision=precision)
    trainer = start(spec, features, batch_size=16, dropout_rate=0.3)
    trainer.run_epoch(1)
    state = trainer.state()
    expected, probabilities = trainer.run_epoch(2), trainer.predict_validation()
    other = start(spec, features, batch_size=16, dropout_rate=0.3)
    other.restore(state)
    result = other.run_epoch(2)
    assert (result.train_loss, result.val_loss) == (expected.train_loss, expected.val_loss)
    assert np.array_equal(other.predict_validation(), probabilities)


def test_a_trainer_used_again_equals_a_new_one() -> None:
    features, spec = make_features(), make_spec()
    used = start(spec, features, batch_size=4, dropout_rate=0.5)
    used.run_epoch(1)
    used.reset(features, TRAIN, VAL, {"batch_size": 16, "dropout_rate": 0.1}, SEED)
    used.run_epoch(1)
    new = start(spec, features, batch_size=16, dropout_rate=0.1)
    new.run_epoch(1)
    assert np.array_equal(used.predict_validation(), new.predict_validation())


def test_trials_and_folds_do_not_trace_again() -> None:
    features, spec = make_features(), make_spec(model={"head": (9,)})
    trainers = [start(spec, features, batch_size=16) for _ in range(2)]
    for batch_size, rate in ((8, 0.1), (16, 0.4), (30, 0.0)):
        for trainer in trainers:
            trainer.reset(features, TRAIN, VAL, {"batch_size": batch_size, "dropout_rate": rate}, SEED)
            trainer.run_epoch(1)
    assert trainers[0]._compiled is trainers[1]._compiled
    # XLA compiles for batches of 16, 20 and 32 rows, the short last one among them (docs/backends.md).
    assert count_programs(trainers[0]._compiled) == (3 if backend.name() == "jax" else 1)


def test_heads_of_many_shapes_are_let_go_and_compute_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fold_trainer._compile.cache_info().maxsize == fold_trainer.KEPT_PROGRAMS
    two = functools.lru_cache(maxsize=2)(fold_trainer._compile.__wrapped__)
    monkeypatch.setattr(fold_trainer, "_compile", two)
    losses, alive = [], []
    for width in (4, 5, 6, 4):
        trainer = start(make_spec(model={"head": (width,)}), make_features(), batch_size=16)
        losses.append(trainer.run_epoch(1).val_loss)
        alive.append(weakref.ref(trainer.compiled))
    del trainer
    gc.collect()
    assert two.cache_info().currsize == 2
    assert [one() is not None for one in alive] == [False, False, True, True]
    assert losses[0] == losses[3]


@pytest.mark.tensorflow_only(
    "draws with what TensorFlow draws with; jax_checks.py holds what JAX draws to the same"
)
@pytest.mark.parametrize("drawn_in", ["numpy", "graph"])
def test_dropout_drops_the_share_it_is_told_and_keeps_the_mean(drawn_in: str) -> None:
    import tensorflow as tf

    from workers.backends.tensorflow.dropout import draw_bits, draw_bits_in_graph, drop, make_generator

    def draw(seed: int) -> tf.Tensor:
        if drawn_in == "numpy":
            return tf.constant(draw_bits(make_generator(seed), 2001, 51))
        return draw_bits_in_graph(tf.constant([2001, 51]), tf.constant(7, tf.int64), tf.constant(seed))

    ones = tf.ones([2001, 51])
    dropped = drop(ones, tf.constant(0.3), draw(0)).numpy()
    assert np.mean(dropped == 0) == pytest.approx(0.3, abs=0.01)
    assert dropped.mean() == pytest.approx(1, abs=0.02)
    assert np.array_equal(drop(ones, tf.constant(0.0), draw(0)), ones)
    nearly_all = drop(ones, tf.constant(0.999999), draw(0)).numpy()
    assert np.mean(nearly_all == 0) > 0.99
    assert np.array_equal(dropped, drop(ones, tf.constant(0.3), draw(0)))
    assert not np.array_equal(dropped, drop(ones, tf.constant(0.3), draw(1)))


@pytest.mark.tensorflow_only(
    "its graph gets all dropout masks of a call from the host; JAX draws them where they are used"
)
def test_an_epoch_of_many_images_is_trained_in_several_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.backends.tensorflow import epoch as compiled_epoch

    features, spec = make_features(), make_spec()
    whole, parted = (start(spec, features, batch_size=7, dropout_rate=0.0) for _ in range(2))
    expected = whole.run_epoch(1)
    monkeypatch.setattr(compiled_epoch, "RANDOM_BYTES", 1)
    parts = list(parted._compiled._divide(len(TRAIN), 7))
    assert parts[:2] == [slice(0, 7), slice(7, 14)]
    result = parted.run_epoch(1)
    assert (result.steps, result.train_loss) == (expected.steps, expected.train_loss)
    assert np.array_equal(parted.predict_validation(), whole.predict_validation())


def test_features_wait_on_the_device_in_the_precision_of_the_first_layer() -> None:
    features = make_features()
    kept = {
        (precision, scale): start(make_spec(precision=precision, model={"scale": scale}), features)._resident
        for precision in ("float32", "bfloat16")
        for scale in ("none", "standardize")
    }
    rounded = [key for key, rows in kept.items() if rows.dtype == "bfloat16"]
    assert rounded == [("bfloat16", "none")]
    assert kept["bfloat16", "standardize"] is kept["float32", "none"]
    no_layers = start(make_spec(precision="bfloat16", model={"scale": "none", "head": ()}), features)
    assert no_layers._resident.dtype == "float32"


def test_bfloat16_trains_in_bfloat16_with_float32_weights_and_logits() -> None:
    features = make_features()
    trainers = {name: start(make_spec(precision=name), features) for name in ("float32", "bfloat16")}
    losses = {name: trainer.run_epoch(1).train_loss for name, trainer in trainers.items()}
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.02)
    assert {weight.dtype for weight in trainers["bfloat16"].model.get_weights()} == {np.dtype(np.float32)}
    assert trainers["bfloat16"].model.get_layer("logits").compute_dtype == "float32"


def test_without_augmentation_only_the_identity_is_seen() -> None:
    features, one = make_features(), make_features()
    one.values[:, 1:] = 99
    spec = make_spec(augmentation="none")
    first = start(spec, features).run_epoch(1)
    second = start(spec, FeatureSet(one.values, one.labels)).run_epoch(1)
    assert first.train_loss == second.train_loss


def test_folds_trained_at_the_same_time_get_the_bits_of_one_trained_alone() -> None:
    features, spec = make_features(), make_spec()
    alone, *together = [start(spec, features, batch_size=16, dropout_rate=0.2) for _ in range(5)]

    def train(trainer: FoldTrainer) -> str:
        for epoch in range(1, 6):
            trainer.run_epoch(epoch)
        return digest(trainer)

    wanted = train(alone)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(train, together)) == [wanted] * 4


def test_a_diverged_model_is_reported_not_raised() -> None:
    result = start(make_spec(), make_features(), batch_size=16, learning_rate=1e38).run_epoch(1)
    assert np.isnan(result.train_loss)
    assert np.isnan(result.val_loss)
    assert np.isnan(result.val_auc)
    assert result.steps == 3


def test_a_head_is_an_ordinary_keras_model_that_can_be_saved(tmp_path) -> None:
    import keras

    features = make_features()
    trainer = start(make_spec(), features)
    trainer.run_epoch(1)
    trainer.model.save(tmp_path / "head.keras")
    loaded = keras.models.load_model(tmp_path / "head.keras")
    assert np.allclose(
        loaded.predict(features.values[VAL, 0], verbose=0), trainer.predict_validation(), atol=1e-6
    )


def train_and_digest() -> str:
    """Train a head; SHA-256 of all weights and predictions."""
    spec = make_spec(model={"head": (256, 64)})
    trainer = start(spec, make_features(), batch_size=16, dropout_rate=0.2)
    for epoch in (1, 2, 3):
        trainer.run_epoch(epoch)
    return digest(trainer)


def digest(trainer: FoldTrainer) -> str:
    """SHA-256 of all weights and predictions."""
    arrays = [*trainer.model.get_weights(), trainer.predict_validation()]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()

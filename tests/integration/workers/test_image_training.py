"""Training on images: against plain Keras, against itself, and what of a model learns."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest

from bench import image_epoch
from storage.spec import StudySpec, parse
from tests.backends import differentiate_model
from workers.device import backend
from workers.device import preparation as devices
from workers.inputs.augmentation import draw_changes
from workers.inputs.image_contract import ImageSet
from workers.inputs.mixing import draw_mixture
from workers.training.image_trainer import ImageFoldTrainer, SharedNetwork

IMAGES, SIZE, TARGETS = 30, (20, 24), 2
SEED = (1337, 5, 2)
TRAIN, VAL = np.arange(23), np.arange(23, IMAGES)


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1, 2)


def make_spec(model: dict | None = None, augmentation: dict | None = None, **training: Any) -> StudySpec:
    return parse(
        {
            "study": {"name": "x"},
            "model": {"kind": "lenet", "image_size": SIZE} | (model or {}),
            "training": {"batch_size": 8, "augmentation": "none"} | training,
            "augmentation": augmentation or {},
        },
        source="a test",
    )


def make_pixels(size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = generator.integers(2, size=(IMAGES, TARGETS)).astype(np.float32)
    pixels = generator.integers(0, 120, (IMAGES, *size, 3), dtype=np.uint8)
    pixels[labels[:, 0] == 1] += 120
    labels[::7, 1] = np.nan
    return pixels, labels


@pytest.fixture(scope="module")
def lenet() -> tuple[SharedNetwork, ImageSet]:
    shared = SharedNetwork(make_spec(), TARGETS)
    return shared, shared.make_image_set(*make_pixels())


def start(
    shared: SharedNetwork, images: ImageSet, spec: StudySpec, seed: tuple = SEED, **settings: Any
) -> ImageFoldTrainer:
    trainer = ImageFoldTrainer(spec, shared)
    trainer.reset(images, TRAIN, VAL, settings, seed)
    return trainer


def test_lenet_is_the_one_of_the_reference_study() -> None:
    from workers.models.lenet import build_lenet

    model = build_lenet((299, 299), 18)
    assert [layer.__class__.__name__ for layer in model.layers] == [
        *["Conv2D", "AveragePooling2D"] * 2,
        *["Flatten", "Dense", "Dense"],
    ]
    # 5*5*3*6+6, 5*5*6*16+16, 72*72*16*1024+1024, 1024*18+18
    assert model.count_params() == 456 + 2416 + 84_935_680 + 18_450


def lose_by_hand(labels: np.ndarray, probabilities: Any) -> Any:
    """The mean cross-entropy of what was assessed: `fit` cannot leave one label of an image out."""
    from keras import ops

    known, truth = ~np.isnan(labels), np.nan_to_num(labels)
    p = ops.clip(probabilities, 1e-7, 1 - 1e-7)
    losses = -(truth * ops.log(p) + (1 - truth) * ops.log(1 - p))
    return ops.sum(losses * known.astype(np.float32)) / known.sum()


def test_an_epoch_is_the_one_of_plain_keras(lenet: tuple[SharedNetwork, ImageSet]) -> None:
    import keras

    shared, images = lenet
    trainer = start(shared, images, make_spec())
    model = keras.models.clone_model(trainer.model)
    model.set_weights(trainer.model.get_weights())
    order = np.random.default_rng([*SEED, 1]).permutation(TRAIN)
    scaled = images.pixels[order] / np.float32(127.5) - 1
    result = trainer.run_epoch(1)
    assert (result.steps, result.samples) == (math.ceil(len(TRAIN) / 8), len(TRAIN))
    optimizer = keras.optimizers.Adam(1e-3, epsilon=1e-7)
    for first in range(0, len(order), 8):
        rows = slice(first, first + 8)
        lose = functools.partial(lose_by_hand, images.labels[order[rows]])
        _, gradients = differentiate_model(model, scaled[rows], lose)
        optimizer.apply(gradients, model.trainable_variables)
    for ours, theirs in zip(trainer.model.get_weights(), model.get_weights(), strict=True):
        assert np.abs(ours - theirs).max() < 1e-5
    expected = model.predict(images.pixels[VAL] / np.float32(127.5) - 1, verbose=0)
    assert np.abs(trainer.predict_validation() - expected).max() < 1e-5


def test_soft_labels_teach_a_whole_network_and_hard_ones_are_scored(
    lenet: tuple[SharedNetwork, ImageSet],
) -> None:
    """Smoothing by .2 turns 0 and 1 into .1 and .9: the same as these shares of readers."""
    shared, images = lenet
    smoothed = start(shared, images, make_spec(), label_smoothing=0.2)
    one, weights = smoothed.run_epoch(1), [array.copy() for array in smoothed.model.get_weights()]
    soft = shared.make_image_set(images.pixels, images.labels, 0.8 * images.labels + 0.1)
    trainer = start(shared, soft, make_spec(soft_labels=True))
    other = trainer.run_epoch(1)
    for ours, theirs in zip(trainer.model.get_weights(), weights, strict=True):
        assert np.abs(ours - theirs).max() < 1e-5
    assert (other.val_auc, other.val_f1) == pytest.approx((one.val_auc, one.val_f1), nan_ok=True)
    plain = start(shared, images, make_spec())
    plain.run_epoch(1)
    assert max(np.abs(ours - theirs).max() for ours, theirs in zip(plain.model.get_weights(), weights, strict=True)) > 1e-4  # fmt: skip


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixed_images_learn_the_labels_of_both_by_their_shares(
    lenet: tuple[SharedNetwork, ImageSet], name: str
) -> None:
    """By hand, blanks and all: the loss of the one with its share, and of the other with the rest."""
    import keras

    shared, images = lenet
    trainer = start(
        shared, images, make_spec(), optimizer="sgd", momentum=0.0, learning_rate=0.1, **{name: 0.5}
    )
    model = keras.models.clone_model(trainer.model)
    model.set_weights(trainer.model.get_weights())
    generator = np.random.default_rng([*SEED, 1])
    order = generator.permutation(TRAIN)
    draw_changes(generator, len(order), SIZE, {"augmentation": "none"})
    mixture = draw_mixture(generator, len(order), 8, SIZE, {name: 0.5})
    assert mixture is not None
    pixels = images.pixels[order].astype(np.float32)
    own = mixture.weights[:, None, None, None] * pixels
    own += (1 - mixture.weights[:, None, None, None]) * pixels[mixture.partners]
    for place, (top, left, bottom, right) in enumerate(mixture.boxes):
        own[place, top:bottom, left:right] = pixels[mixture.partners[place], top:bottom, left:right]
    scaled = own / np.float32(127.5) - 1

    result = trainer.run_epoch(1)
    seen = []
    for first in range(0, len(order), 8):
        rows = slice(first, first + 8)
        share = float(mixture.shares[first])
        both = [images.labels[order[rows]], images.labels[order[mixture.partners[rows]]]]

        def lose(found: Any, share: float = share, both: list[np.ndarray] = both) -> Any:
            own, other = (lose_by_hand(labels, found) for labels in both)
            return share * own + (1 - share) * other

        found, gradients = differentiate_model(model, scaled[rows], lose)
        seen.append(found)
        for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
            weight.assign_sub(0.1 * gradient)
    for ours, theirs in zip(trainer.model.get_weights(), model.get_weights(), strict=True):
        assert np.abs(ours - theirs).max() < 1e-5
    # What the ledger says of the training part is of the image with the larger share.
    leading = images.labels[order[mixture.leading]]
    assert result.train_loss == pytest.approx(float(lose_by_hand(leading, np.concatenate(seen))), abs=1e-4)


def test_folds_that_share_a_network_do_not_disturb_each_other(lenet: tuple[SharedNetwork, ImageSet]) -> None:
    shared, images = lenet
    spec = make_spec(augmentation={"contrast": 0.3, "noise": 5, "mixup": 0.4})
    alone = []
    for fold in range(2):
        trainer = start(shared, images, spec, (1337, 5, fold))
        alone.append([trainer.run_epoch(epoch).val_loss for epoch in (1, 2)])
    together = [start(shared, images, spec, (1337, 5, fold)) for fold in range(2)]
    losses = [[trainer.run_epoch(epoch).val_loss for trainer in together] for epoch in (1, 2)]
    assert np.transpose(losses).tolist() == alone
    assert alone[0] != alone[1]


def test_a_restored_fold_goes_on_bit_for_bit(lenet: tuple[SharedNetwork, ImageSet]) -> None:
    shared, images = lenet
    geometry = {"rotation": 20, "zoom": 0.1, "shear": 5, "crop": 0.1}
    grey = {"channel_shift": 9, "brightness": 0.1, "gamma": 0.2, "blur": 1, "noise": 9, "cutout": 0.2}
    spec = make_spec(augmentation={**geometry, **grey, "mixup": 0.3, "cutmix": 1}, patience=0)
    trainer = start(shared, images, spec)
    trainer.run_epoch(1)
    state = {name: np.array(value) for name, value in trainer.state().items()}
    expected = trainer.run_epoch(2).val_loss
    again = start(shared, images, spec)
    again.restore(state)
    assert again.run_epoch(2).val_loss == expected


OF_STEPS = {
    "optimizer": "sgd",
    "batch_size": 5,
    "label_smoothing": 0.3,
    "positive_weight": "balanced",
    "clipvalue": 1e-4,
    "warmup_epochs": 2,
    "augmentation": "flip",
    "mixup": 0.5,
}
OF_PICTURES = {
    "rotation": 20.0,
    **dict.fromkeys(("crop", "brightness", "contrast", "gamma", "cutout", "cutmix"), 0.5),
    "blur": 2.0,
    "noise": 30.0,
}
"""Each changes the program that is compiled; tests/integration/workers/test_augmentation.py has what each does to a picture."""


@pytest.mark.main_tier("steps")
@pytest.mark.parametrize("changed", [OF_STEPS, OF_PICTURES], ids=["steps", "pictures"])
def test_what_is_asked_for_arrives(lenet: tuple[SharedNetwork, ImageSet], changed: dict[str, Any]) -> None:
    shared, images = lenet

    def lose(**settings: Any) -> float:
        return start(shared, images, make_spec(), **settings).run_epoch(1).val_loss

    plain = lose()
    assert lose() == plain
    losses = {name: lose(**{name: value}) for name, value in changed.items()}
    assert len({plain, *losses.values()}) == len(changed) + 1


def test_a_schedule_of_rates_arrives(lenet: tuple[SharedNetwork, ImageSet]) -> None:
    shared, images = lenet
    rates = [
        start(shared, images, make_spec(), rate_schedule="sgdr", cycle_epochs=2)
        .run_epoch(epoch)
        .learning_rate
        for epoch in (1, 2, 3)
    ]
    assert rates == pytest.approx([1e-3, 5e-4, 1e-3])


@pytest.mark.thorough
def test_an_average_and_an_optimizer_of_keras_reach_images_and_are_restored(
    lenet: tuple[SharedNetwork, ImageSet],
) -> None:
    shared, images = lenet
    spec = make_spec(optimizer="nadam", optimizer_options={"beta_1": 0.8}, use_ema=True, ema_momentum=0.5)
    trainer = start(shared, images, spec)
    trainer.run_epoch(1)
    state = {name: np.array(value) for name, value in trainer.state().items()}
    expected = trainer.run_epoch(2).val_loss
    other = start(shared, images, make_spec(), (1337, 5, 1))
    other.run_epoch(1)
    again = start(shared, images, spec)
    again.restore(state)
    assert again.run_epoch(2).val_loss == expected
    predicted = again.model.predict(images.pixels[VAL] / np.float32(127.5) - 1, verbose=0)
    assert np.abs(again.predict_validation() - predicted).max() < 1e-5
    assert np.abs(shared.network.model.get_weights()[0] - again.model.get_weights()[0]).max() > 1e-6


BACKBONE = {"kind": "transfer", "backbone": "MobileNet", "image_size": (32, 32), "head": (8,)}


@pytest.mark.main_tier("conv_dw_13-conv_dw_13", under_jax=("all-conv1",))
@pytest.mark.parametrize(
    ("trainable", "first_that_learns"), [("all", "conv1"), ("conv_dw_13", "conv_dw_13"), ("head", None)]
)
def test_what_of_a_backbone_learns(trainable: str, first_that_learns: str | None) -> None:
    spec = make_spec({**BACKBONE, "weights": "none", "trainable": trainable}, learning_rate=0.1)
    shared = SharedNetwork(spec, TARGETS)
    images = shared.make_image_set(*make_pixels((32, 32)))
    trainer = start(shared, images, spec)
    body = shared.network.body
    before = {variable.path: variable.numpy() for variable in body.variables}
    head = trainer.model.get_weights()[-1].copy()
    trainer.run_epoch(1)
    changed = [
        variable.path for variable in body.variables if (variable.numpy() != before[variable.path]).any()
    ]
    assert (trainer.model.get_weights()[-1] != head).any()
    names = [layer.name for layer in body.layers]
    learning = set() if first_that_learns is None else set(names[names.index(first_that_learns) :])
    assert {path.split("/")[0] for path in changed} <= learning
    assert bool(changed) == (first_that_learns is not None)
    # Statistics of BatchNormalization move only where the backbone is trained from the start.
    assert any("moving" in path for path in changed) == (trainable == "all")


def test_a_layer_that_does_not_exist_is_named() -> None:
    from storage.errors import SpecError

    with pytest.raises(SpecError, match="Did you mean conv_dw_13"):
        SharedNetwork(make_spec({**BACKBONE, "weights": "none", "trainable": "conv_dw13"}), TARGETS)


def draw_from_a_kept_kernel() -> float | None:
    """Another number at each call, as long as TensorFlow keeps what it has prepared to run; None under JAX."""
    if backend.name() == "jax":
        return None
    import tensorflow as tf

    return float(tf.raw_ops.RandomUniform(shape=tf.constant([], tf.int32), dtype=tf.float32, seed=3, seed2=5))


def test_the_first_epoch_of_another_fold_traces_and_compiles_nothing(
    lenet: tuple[SharedNetwork, ImageSet],
) -> None:
    shared, images = lenet
    first = start(shared, images, make_spec())
    first.run_epoch(1)
    epoch: Any = shared.epoch(first.rules)

    def count() -> int:
        if backend.name() == "jax":
            return epoch._step._cache_size() + epoch._forward._cache_size()
        return epoch._train.experimental_get_tracing_count() + epoch._predict.experimental_get_tracing_count()

    before, drawn = count(), draw_from_a_kept_kernel()
    second = start(shared, images, make_spec(), (*SEED[:2], SEED[2] + 1))
    assert drawn is None or draw_from_a_kept_kernel() != drawn, "TensorFlow prepares all graphs again"
    second.run_epoch(1)
    first.run_epoch(2)
    assert before >= 2
    assert shared.epoch(second.rules) is epoch
    assert count() == before


@pytest.mark.thorough
def test_the_benchmark_compares_both_orders_of_folds_with_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--size", "16", "--images", "16", "6", "--batch", "8", "--rounds", "1", "--precision", "float32"]
    monkeypatch.setattr("sys.argv", ["bench.image_epoch", *small])
    image_epoch.main()
    shown = capsys.readouterr().out
    for words in (
        "fit ",
        "one after the other",
        "in turns",
        "times fit",
        "first epoch of another fold",
        "its second",
        "goal: float32, in turns",
    ):
        assert words in shown

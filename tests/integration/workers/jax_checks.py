"""What `test_jax_backend.py` runs in a process of its own, with KERAS_BACKEND=jax and without TensorFlow."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from PIL import Image

from storage.errors import DeviceSettledError
from storage.pictures.views import FLIPS, VIEWS
from storage.spec import Precision, parse
from tests.small_heads import make_trainer
from tests.small_images import COUNT, make_images
from tests.small_images import make_spec as make_image_spec
from workers.backends.jax import device
from workers.backends.jax.epoch import drop_units, send
from workers.backends.jax.forward import ImageForward, tabulate
from workers.backends.jax.image_epoch import size_of_forward_batch
from workers.backends.jax.layers.pooling import max_pool
from workers.backends.jax.layers.suited import suited_layers
from workers.backends.jax.sizes import SMALLEST, padded_size
from workers.device import preparation as devices
from workers.device.steps import StepRules
from workers.device.versions import library_versions
from workers.inputs import decoding
from workers.inputs.augmentation import draw_changes
from workers.inputs.image_contract import ImagePlan
from workers.models.transfer import find_preprocessing
from workers.training.image_trainer import ImageFoldTrainer, SharedNetwork

COUNT_THREADS = """
import contextlib
from pathlib import Path
from workers.device import preparation as devices
devices.prepare(3)
names = []
for each in Path("/proc/self/task").iterdir():
    with contextlib.suppress(OSError):  # a thread that ends while they are counted
        names.append((each / "comm").read_text())
print(sum("XLAEigen" in name for name in names))
"""


WRITE_AND_READ = """
import sys
from workers.device.spared_imports import spare_imports
spare_imports()
from workers.device import preparation
preparation.prepare(1)
import keras
keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(sys.argv[1])
keras.models.load_model(sys.argv[1])
print("tensorflow" in sys.modules)
"""


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1)


def test_tensorflow_is_not_here_and_jax_is_what_is_described() -> None:
    assert keras.backend.backend() == "jax"
    assert importlib.util.find_spec("tensorflow") is None
    assert "tensorflow" not in sys.modules
    found = devices.describe()
    assert found["threads"] == 1
    assert found["gpus"] == [device.device_kind for device in jax.devices() if device.platform == "gpu"]
    assert library_versions().keys() == {"orch", "optuna", "keras", "jax", "jaxlib", "numpy"}


def test_threads_that_cannot_be_had_any_more_are_refused() -> None:
    with pytest.raises(DeviceSettledError, match="on 1 thread and cannot change to 3"):
        devices.prepare(3)


def test_jax_computes_on_as_many_threads_as_it_is_told() -> None:
    if not Path("/proc/self/task").is_dir():
        return
    ran = subprocess.run([sys.executable, "-c", COUNT_THREADS], capture_output=True, text=True, check=False)
    assert (ran.stdout.strip(), ran.returncode) == ("3", 0), ran.stderr


def test_dropout_drops_the_share_it_is_told_and_keeps_the_mean() -> None:
    ones, key = jnp.ones((2000, 50)), jax.random.key(7)
    dropped = np.asarray(drop_units(jnp.float32(0.3), key, ones, 0))
    assert np.mean(dropped == 0) == pytest.approx(0.3, abs=0.01)
    assert dropped.mean() == pytest.approx(1, abs=0.02)
    assert np.array_equal(drop_units(jnp.float32(0.0), key, ones, 0), ones)
    assert not np.array_equal(dropped, drop_units(jnp.float32(0.3), key, ones, 1))


def test_a_model_is_written_and_read_without_the_tensorflow_that_is_installed(tmp_path: Path) -> None:
    """Keras asks it of what it writes and reads: seconds of an import, and TensorFlow's notes on stderr."""
    command = [sys.executable, "-c", WRITE_AND_READ, str(tmp_path / "model.keras")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.stdout.strip(), ran.stderr) == ("False", "")


def test_no_batch_is_padded_by_more_than_a_quarter() -> None:
    sizes = [padded_size(count) for count in range(1, 5000)]
    assert all(size >= count for count, size in enumerate(sizes, start=1))
    assert all(size <= 1.25 * count for count, size in enumerate(sizes, start=1) if count >= SMALLEST)
    assert len({size for size in sizes if size <= 2048}) <= 29
    assert [padded_size(count) for count in (16, 17, 128, 129, 1600)] == [16, 20, 128, 160, 1792]


def test_batch_sizes_that_are_padded_alike_are_compiled_once() -> None:
    # A head of no other test of the process, whose programs would be counted, too.
    trainers = [make_trainer(batch_size, head=(41,)) for batch_size in (36, 40, 37, 39)]
    for trainer in trainers:
        trainer.run_epoch(1)
    compiled = trainers[0]._compiled
    assert all(trainer._compiled is compiled for trainer in trainers)
    # 36 to 40 rows are 40; the rest, 7 to 11 rows, is 16.
    assert compiled._train._cache_size() == 2


def test_images_of_a_training_are_sent_once_as_bytes_and_a_batch_is_little_more_than_their_numbers() -> None:
    pixels, labels = make_images()
    shared = SharedNetwork(make_image_spec({}), labels.shape[1])
    images = shared.make_image_set(pixels, labels)
    epoch: Any = shared.epoch(StepRules())
    order = np.random.default_rng(0).permutation(COUNT)
    flips = draw_changes(np.random.default_rng(0), COUNT, images.size, {"augmentation": "flip"})
    plan = ImagePlan(order, 8, flips, None)
    sent = [epoch._gather(images, plan, slice(first, min(first + 8, COUNT))) for first in (0, 8, 16)]
    there = sent[0][0]
    assert isinstance(there, jax.Array)
    assert (there.dtype, there.nbytes) == (np.uint8, pixels.nbytes)
    assert all(each is there for each, _ in sent)
    assert images.take(order)[0] is there, "validation sends them again"
    assert all(np.asarray(part).nbytes <= 16 * 4 for _, batch in sent for part in batch.values())


def test_a_first_trial_compiles_a_step_and_a_forward_pass_and_a_further_fold_nothing() -> None:
    compiled: list[str] = []

    def note(event: str, seconds: float, **told: Any) -> None:
        if event.endswith("backend_compile_duration"):
            compiled.append(str(told))

    pixels, labels = make_images()
    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        shared = SharedNetwork(make_image_spec({}), labels.shape[1])
        images = shared.make_image_set(pixels, labels)
        for fold, count in enumerate((COUNT, COUNT - 1)):
            trainer = ImageFoldTrainer(make_image_spec({}), shared)
            trainer.reset(images, np.arange(count), np.arange(3 + fold), {"batch_size": 9}, (1, 2, fold))
            trainer.run_epoch(1)
            trainer.restore(trainer.state())
            trainer.run_epoch(2)
            # Beside them what Keras makes a seed of, where that was not compiled before.
            assert len(compiled) <= 3, compiled
    finally:
        jax.monitoring.unregister_event_duration_listener(note)
    assert len(compiled) >= 2


@pytest.mark.parametrize("keepdims", [False, True])
def test_what_batch_normalization_measures_is_what_it_measures_without_the_added_rows(keepdims: bool) -> None:
    generator = np.random.default_rng(0)
    rows, measured = generator.normal(3, 2, size=(16, 4, 3, 7)).astype(np.float32), np.arange(16) < 5

    def learn(rows: Any) -> Any:
        def run(rows: Any) -> Any:
            mean, variance = keras.ops.moments(rows, (0, 1, 2), keepdims)
            return (jnp.square(mean) + variance).sum(), (mean, variance)

        return jax.value_and_grad(run, has_aux=True)(rows)

    theirs = jax.jit(lambda rows: learn(rows))(rows[:5])
    with suited_layers(gpu=False, measured=measured):
        ((value, mine), to_rows), groups = learn(rows), keras.ops.moments(rows, (1, 2))[0]
    (their_value, statistics), to_theirs = theirs
    assert value == pytest.approx(float(their_value), rel=1e-6)
    for one, other in zip((*mine, to_rows[:5]), (*statistics, to_theirs), strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() < 1e-5
    assert not np.any(to_rows[5:])
    assert groups.shape == (16, 7), "each row is measured by itself"


@pytest.mark.parametrize("backbone", ["MobileNet", "EfficientNetB0"])
def test_the_last_batch_of_a_backbone_is_padded_also_where_it_draws(backbone: str) -> None:
    pixels, labels = make_images()
    model = {"backbone": backbone, "weights": "none", "trainable": "all", "image_size": [32, 32]}
    shared = SharedNetwork(parse({"study": {"name": "x"}, "model": model}, source="a test"), 2)
    images = shared.make_image_set(pixels, labels)
    flips = draw_changes(np.random.default_rng(0), COUNT, images.size, {"augmentation": "flip"})
    epoch: Any = shared.epoch(StepRules())
    _, batch = epoch._gather(images, ImagePlan(np.arange(COUNT), 8, flips, None), slice(16, COUNT))
    assert len(batch["images"]) == 16


def test_what_is_sent_to_the_device_is_a_copy() -> None:
    there = jnp.ones(3)
    # An array that begins at such an address may be taken as it is.
    wide = np.zeros(64 * 64 + 16, np.float32)
    aligned = wide[-wide.ctypes.data % 64 // 4 :][: 64 * 64]
    given = [aligned, there, np.ones(2, np.float32)]
    sent = send(given)
    given[0][:], given[2][:] = 5, 5
    assert (float(sent[0].max()), float(sent[2].max())) == (0, 1)
    assert sent[1] is there


def small_backbone() -> keras.Model:
    """From pixels to five features, in the time of a test."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.layers.Input((6, 5, 3)),
            keras.layers.Conv2D(5, 3),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalMaxPooling2D(),
        ]
    )


@pytest.mark.parametrize("name", ["InceptionV3", "ResNet50", "DenseNet121"])
@pytest.mark.parametrize(
    ("views", "first_row"), [(VIEWS, 0), (VIEWS, 3), (VIEWS[:1], 2), (FLIPS["vertical"], 3)]
)
def test_images_that_are_flipped_and_scaled_on_the_device_have_the_features_of_the_host(
    tmp_path: Path, name: str, views: tuple[str, ...], first_row: int
) -> None:
    files = []
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 256, (6, 5, 3), np.uint8)
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(files[-1])
    backbone, scale = small_backbone(), find_preprocessing(name)
    found = tabulate(scale)
    assert found is not None
    source = (files, (6, 5), views, 6, first_row)
    mine = np.concatenate(
        list(ImageForward(backbone, *found, "float32").run(decoding.read_image_batches(*source)))
    )
    theirs = []
    for batch in decoding.read_batches(*source):
        padded = np.zeros((6, *batch.shape[1:]), np.float32)
        padded[: len(batch)] = batch
        theirs.append(backbone.predict_on_batch(scale(padded))[: len(batch)])
    assert np.array_equal(mine, np.concatenate(theirs))
    assert len(mine) == 5 * len(views) - first_row


@pytest.mark.main_tier("size2-strides2-same")
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("size", "strides"), [(2, None), ((3, 3), (2, 2)), ((3, 2), (1, 3))])
def test_pooling_of_a_gpu_has_the_values_and_the_gradient_of_keras(
    padding: str, size: Any, strides: Any
) -> None:
    pixels = np.random.default_rng(0).integers(0, 9, (2, 9, 8, 3)).astype(np.float32)
    pixels[0, :, :, 0] = 1  # all are the largest: the first one learns
    layer = keras.layers.MaxPooling2D(size, strides, padding)
    shape = jax.eval_shape(layer, pixels).shape
    weights = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)

    def learn(given: Any, weights: Any) -> Any:
        values, pull_back = jax.vjp(layer, given)
        return values, pull_back(weights)[0]

    # One program for each side: op by op JAX compiles dozens.
    theirs = jax.jit(lambda *given: learn(*given))(pixels, weights)
    with suited_layers(gpu=True):
        mine = jax.jit(lambda *given: learn(*given))(pixels, weights)
    assert np.array_equal(mine[0], theirs[0])
    assert np.array_equal(mine[1], theirs[1])
    pixels[1, 1, 1] = np.nan
    pooled = jax.jit(lambda given: max_pool(given, size, strides, padding))(pixels)
    assert np.isnan(np.asarray(pooled)).any()


LAYERS = {
    "windows of a pixel": lambda: keras.layers.Conv2D(7, 1, 2, use_bias=False),
    "few channels": lambda: keras.layers.Conv2D(6, (3, 4), padding="same"),
    "few channels of few columns": lambda: keras.layers.Conv2D(9, 5),
    "steps of two": lambda: keras.layers.Conv2D(9, 3, 2, padding="same"),
    "each channel": lambda: keras.layers.DepthwiseConv2D(3, padding="same"),
    "each channel in steps": lambda: keras.layers.DepthwiseConv2D((5, 4), (2, 2), use_bias=False),
    "each channel in steps, padded": lambda: keras.layers.DepthwiseConv2D((4, 5), (3, 3), "same"),
    "several of each channel": lambda: keras.layers.DepthwiseConv2D(3, depth_multiplier=2),
    "each channel, with holes": lambda: keras.layers.DepthwiseConv2D(3, dilation_rate=2),
    "separable": lambda: keras.layers.SeparableConv2D(7, 3, padding="same"),
    "groups": lambda: keras.layers.Conv2D(8, 3, groups=2),
    "with holes": lambda: keras.layers.Conv2D(5, 3, dilation_rate=2),
    "average": lambda: keras.layers.AveragePooling2D(3, 1, "same"),
    "largest": lambda: keras.layers.MaxPooling2D(3, 2),
    "products": lambda: keras.layers.Dense(9),
    "a product of vectors": lambda: keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)]),
}


def test_a_convolution_of_each_channel_by_itself_is_no_convolution_of_xla() -> None:
    layer = keras.layers.DepthwiseConv2D(3)
    layer.build((2, 8, 8, 4))
    run = jax.make_jaxpr(lambda pixels: layer.stateless_call(layer.trainable_variables, [], pixels)[0])
    pixels = np.ones((2, 8, 8, 4), np.float32)
    assert "conv_general_dilated" in str(run(pixels))
    with suited_layers(gpu=False):
        ours = jax.make_jaxpr(lambda pixels: layer.stateless_call(layer.trainable_variables, [], pixels)[0])
        assert "conv_general_dilated" not in str(ours(pixels))


@pytest.mark.main_tier("float32-few channels", "float32-each channel in steps")
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_layers_of_a_processor_have_the_values_and_the_gradients_of_keras(precision: str, name: str) -> None:
    generator = np.random.default_rng(0)
    pixels = generator.normal(size=(2, 18, 19, 4)).astype(np.float32)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        layer = LAYERS[name]()
        layer.build(pixels.shape)
    finally:
        keras.config.set_dtype_policy(before)
    weights = [generator.normal(size=one.shape).astype(np.float32) for one in layer.trainable_variables]

    def learn(weights: Any, given: Any) -> Any:
        def run(weights: Any, given: Any) -> Any:
            values = layer.stateless_call(weights, [], given)[0].astype(jnp.float32)
            return jnp.square(values).sum(), values

        return jax.value_and_grad(run, (0, 1), has_aux=True)(weights, given)

    theirs = jax.jit(lambda *given: learn(*given))(weights, pixels)
    with suited_layers(gpu=False):
        mine = jax.jit(lambda *given: learn(*given))(weights, pixels)
    for one, other in zip(*map(jax.tree.leaves, (mine, theirs)), strict=True):
        assert one.dtype == other.dtype
        # Of bfloat16, Keras rounds sums that are kept here.
        assert np.abs(one - other).max() < (1e-6 if precision == "float32" else 0.02) * np.abs(other).max()


def test_validation_of_few_images_computes_few_and_folds_of_about_the_same_number_share_a_program() -> None:
    assert [size_of_forward_batch(count) for count in (0, 1, 32, 33, 64, 65, 96)] == [
        *(16, 16, 32, 48, 64, 48, 48)
    ]
    assert {size_of_forward_batch(count) for count in range(166, 193)} == {64}


def test_a_scaling_that_looks_at_more_than_one_pixel_is_left_to_the_host() -> None:
    assert tabulate(lambda pixels: pixels - pixels.mean()) is None


def test_products_are_traced_in_the_precision_that_is_named_on_a_gpu_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def precision_of(name: Precision) -> str:
        with devices.products_in(name):
            return str(jax.make_jaxpr(lambda x: x @ x)(jnp.ones((2, 2))).eqns[0].params["precision"])

    assert {precision_of(name) for name in ("float32", "tf32", "bfloat16")} == {"None"}
    assert devices.name_products("tf32") == "float32"
    devices.try_out()
    monkeypatch.setattr(device, "stacks_folds", lambda: True)
    assert "HIGHEST" in precision_of("float32")
    assert "TF32" in precision_of("tf32").upper() or "HIGH" in precision_of("tf32")
    assert precision_of("bfloat16") == "None"

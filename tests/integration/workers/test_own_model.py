"""The worked example of docs/own-model.md, as it stands there, and what is refused."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from storage.errors import ModelError, SpecError
from storage.spec import ModelSection, StudySpec, parse
from tests.conftest import REPOSITORY
from workers.device import preparation as devices

NAME = "my_models"


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1, 2)


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, entry: str) -> None:
    """Put a package where an installer would: its module, and the entry points that it announces."""
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    (folder / f"{NAME}.py").write_text(source)
    facts = folder / f"{NAME}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: my-models\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[orch.models]\n{entry}\n")
    monkeypatch.syspath_prepend(folder)


def read_example() -> tuple[str, str]:
    page = (REPOSITORY / "docs" / "own-model.md").read_text(encoding="utf-8")
    (project,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    found = re.search(r'orch\.models"\]\n(\w+) = "(.*)"', project)
    assert found is not None
    return source, f"{found[1]} = {found[2]}"


def make_spec(kind: str) -> StudySpec:
    model = {"kind": kind, "image_size": (12, 16), "dropout_rate": 0.3}
    return parse({"study": {"name": "x"}, "model": model, "training": {"batch_size": 4}}, source="a test")


def test_the_example_of_the_docs_is_found_and_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.training.image_trainer import ImageFoldTrainer, SharedNetwork

    install(tmp_path, monkeypatch, *read_example())
    spec = make_spec("tiny")
    shared = SharedNetwork(spec, 2)
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (12, 12, 16, 3), dtype=np.uint8)
    labels = generator.integers(2, size=(12, 2)).astype(np.float32)
    images = shared.make_image_set(pixels, labels)

    def train(**settings: float) -> list[float]:
        trainer = ImageFoldTrainer(spec, shared)
        trainer.reset(images, np.arange(9), np.arange(9, 12), settings, (1, 2, 3))
        before = [statistic.numpy() for statistic in shared.network.statistics]
        losses = [trainer.run_epoch(epoch).train_loss for epoch in (1, 2)]
        assert any(
            (old != now.numpy()).any() for old, now in zip(before, shared.network.statistics, strict=True)
        )
        return losses

    first = train()
    assert train(dropout_rate=0.9) != first, "a searched dropout rate did not arrive"
    assert train() == first


NOISY = """
import keras
import tensorflow as tf

class Noise(keras.layers.Layer):
    def build(self, shape):
        self.noise = self.add_weight(shape=(shape[-1],), initializer=lambda shape, dtype: tf.random.normal(shape, dtype=dtype))

    def call(self, inputs, training=False):
        return inputs + self.noise + (tf.random.normal(tf.shape(inputs)) if training else 0.0)

def build(settings, target_count):
    layers = [keras.Input((*settings.image_size, 3)), keras.layers.GlobalAveragePooling2D(), Noise()]
    return keras.Sequential([*layers, keras.layers.Dense(target_count, dtype="float32")])
"""


@pytest.mark.tensorflow_only("the model draws with TensorFlow's own functions")
def test_what_tensorflow_draws_for_a_model_comes_from_the_seed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.training.image_trainer import ImageFoldTrainer, SharedNetwork

    install(tmp_path, monkeypatch, NOISY, "noisy = my_models:build")
    spec = make_spec("noisy")
    shared = SharedNetwork(spec, 2)
    first, other, again = (shared.network.draw((1, 2, fold))[0] for fold in (0, 1, 0))
    for one, another, repeated in zip(first, other, again, strict=True):
        assert (one == repeated).all()
        assert (one != another).any() or not one.any()
    generator = np.random.default_rng(0)
    images = shared.make_image_set(
        generator.integers(0, 256, (12, 12, 16, 3), dtype=np.uint8),
        generator.integers(2, size=(12, 2)).astype(np.float32),
    )

    def train() -> list[float]:
        trainer = ImageFoldTrainer(spec, shared)
        trainer.reset(images, np.arange(9), np.arange(9, 12), {}, (1, 2, 3))
        return [trainer.run_epoch(epoch).train_loss for epoch in (1, 2)]

    assert train() == train(), "the noise of its calls is another one"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise RuntimeError('no luck')", "could not be built: RuntimeError: no luck"),
        ("return 3", "gives int instead of"),
        (
            "import keras\n    return keras.Sequential([keras.Input((12, 16, 3)), keras.layers.Flatten(), "
            "keras.layers.Dense(5)])",
            r"gives \(None, 5\) instead of \(None, 2\)",
        ),
    ],
)
def test_a_builder_that_makes_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, message: str
) -> None:
    from workers.models.own import build_own_model

    install(
        tmp_path,
        monkeypatch,
        f"def build(settings, target_count):\n    {body}\n",
        "wrong = my_models:build",
    )
    with pytest.raises(ModelError, match=message):
        build_own_model(ModelSection(kind="wrong", image_size=(12, 16)), 2)


OPTIONS = """
import keras

def build(settings, target_count):
    options = settings.options
    layers = [keras.Input((*settings.image_size, 3)), keras.layers.GlobalAveragePooling2D()]
    layers += [keras.layers.Dense(options["width"], activation=options["activation"]) for _ in range(options["depth"])]
    return keras.Sequential([*layers, keras.layers.Dense(target_count, dtype="float32")])

build.options = {
    "width": {"type": "int", "low": 4, "high": 64, "log": True, "default": 8},
    "activation": {"type": "choice", "values": ["relu", "gelu"], "default": "relu"},
    "depth": {"type": "int", "low": 1, "high": 2, "default": 1},
}
"""


def test_a_model_has_the_hyperparameters_that_it_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestrator.planning.own_models import fill_in_options
    from orchestrator.planning.regimes import build_spec
    from workers.models.network import Network

    install(tmp_path, monkeypatch, OPTIONS, "mine = my_models:build")
    words = ["model.kind=mine", "model.image_size=[12, 16]", "model.options.activation=gelu"]
    words += ["search.options.width=declared", "search.options.depth={type='choice', values=[1, 2]}"]
    spec = fill_in_options(build_spec("x", regime="I", settings=words))
    assert spec.search["options.width"].high == 64
    assert spec.model.options == {"width": 8, "activation": "gelu", "depth": 1}
    sizes = {
        (width, depth): Network(
            spec.variant({"options.width": width, "options.depth": depth}), 2
        ).model.count_params()
        for width, depth in ((8, 1), (64, 1), (64, 2))
    }
    assert sizes == {(8, 1): 50, (64, 1): 386, (64, 2): 386 + 64 * 65}
    for word, message in (
        ("model.options.widht=8", "declares no hyperparameter 'widht'. Did you mean width"),
        ("model.options.width=128", "model.options.width = 128 is not in .4, 64. log"),
        ("search.options.width={type='int', low=2, high=16}", "is not within .4, 64. log"),
        ("search.options.kernel=declared", "declares no hyperparameter 'kernel'"),
    ):
        with pytest.raises(SpecError, match=message):
            fill_in_options(build_spec("x", regime="I", settings=[*words, word]))


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (3, "no dictionary"),
        ({"width": {"type": "int", "low": 4, "high": 8}}, "width must have a range and a `default`"),
        ({"width": {"type": "int", "low": 4, "high": 8, "default": 9}}, "has the default 9"),
        ({"width": {"type": "int", "low": 9, "high": 8, "default": 9}}, "`low` .9. is above `high` .8."),
        ({"a b": {"type": "int", "low": 1, "high": 8, "default": 2}}, "'a b' is no name"),
    ],
)
def test_a_wrong_declaration_is_refused_in_words(declared: object, message: str) -> None:
    from workers.models.own_options import read_options

    def build() -> None:
        raise AssertionError("not called")

    build.options = declared  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match=message):
        read_options(build, "mine")


def test_what_is_not_installed_is_refused_by_name() -> None:
    from workers.models.own import find_own_model

    with pytest.raises(ModelError, match=r"There is no model 'lennet' on this machine.*Did you mean lenet"):
        find_own_model("lennet")

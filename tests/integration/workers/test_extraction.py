"""Features on disk are the backbone's own, however the extraction went."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from storage.data.images import read_image
from storage.errors import OrchError, SpecError, WeightsError
from storage.files.writing import hash_file
from storage.spec import ModelSection, StudySection, StudySpec, TrainingSection
from tests.backends import augment
from tests.small_backbone import NAME, WIDTH, small_backbone
from workers.device import preparation as devices
from workers.inputs import decoding, extraction
from workers.inputs.augmentation import draw_changes
from workers.inputs.copies import read_copies
from workers.inputs.feature_set import FeatureSet
from workers.models.transfer import build_backbone, find_preprocessing

SIZE = (75, 80)
IMAGES = 7


@dataclass
class Images:
    """What `ensure_features` reads of a data set; checked as often as `checks` says."""

    files: tuple[Path, ...]
    fingerprint: str = "sha256:1"
    checks: int = 0
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> tuple[str, ...]:
        return tuple(hash_file(file) for file in self.files)

    def check_images(self) -> None:
        self.checks += 1


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> Iterator[None]:
    devices.prepare(1, 2)
    with small_backbone():
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Images:
    return Images(draw_images(tmp_path_factory.mktemp("images")))


def draw_images(folder: Path) -> tuple[Path, ...]:
    generator = np.random.default_rng(0)
    for number in range(IMAGES):
        pixels = generator.integers(0, 256, (12, 12), np.uint8)
        Image.fromarray(pixels).resize((90, 85)).save(folder / f"{number}.png")
    return tuple(sorted(folder.glob("*.png")))


def make_spec(*, augmentation: str = "flip", **model) -> StudySpec:
    return StudySpec(
        study=StudySection(name="x"),
        model=ModelSection(
            **{"backbone": NAME, "weights": "none", "image_size": SIZE, "extraction_batch": 8} | model
        ),
        training=TrainingSection(augmentation=augmentation),
    )


@pytest.fixture(scope="module")
def stored(images, tmp_path_factory):
    return extraction.ensure_features(make_spec(), images, tmp_path_factory.mktemp("cache"))


@pytest.mark.main_tier("MobileNet")
@pytest.mark.parametrize(
    ("backbone", "width"), [("MobileNet", 1024), ("InceptionV3", 2048)], ids=["MobileNet", "InceptionV3"]
)
def test_features_equal_the_backbone_in_the_epoch(images, tmp_path, backbone, width) -> None:
    """As the reference study computes them: InceptionV3 in every epoch, over other batches of flipped images."""
    from workers.models.transfer import build_backbone

    spec = make_spec(backbone=backbone)
    values = extraction.ensure_features(spec, images, tmp_path).values
    pixels = np.stack([read_image(file, SIZE) for file in images.files]).astype(np.float32)
    inputs = pixels / 127.5 - 1
    network = build_backbone(spec.model)
    for view, axes in enumerate([(), (2,), (1,), (1, 2)]):
        fresh = np.asarray(network(np.flip(inputs, axes), training=False))
        assert np.abs(values[:, view] - fresh).max() < 1e-5 * np.std(values)
    assert values.shape == (IMAGES, 4, width)


@pytest.mark.main_tier("MobileNetV2")
@pytest.mark.parametrize("backbone", ["MobileNetV2", "ResNet50", "DenseNet121", "EfficientNetB0", "Xception"])
def test_a_folded_backbone_computes_the_same(backbone) -> None:
    """Kernels with and without a bias, depthwise ones, normalisations that follow no convolution."""
    import keras

    from workers.models.folding import fold_normalization
    from workers.models.transfer import build_backbone

    plain = build_backbone(make_spec(backbone=backbone).model)
    generator = np.random.default_rng(0)
    for layer in plain.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
        elif isinstance(layer, keras.layers.Conv2D) and layer.use_bias:
            layer.bias.assign(generator.uniform(0.5, 1.5, layer.bias.shape))
    images = generator.uniform(0, 255, (4, *SIZE, 3)).astype(np.float32)
    # Called as they are: to trace a program for each of them takes longer than what it computes.
    expected = np.asarray(plain(images, training=False))
    folded = fold_normalization(plain)
    assert np.abs(np.asarray(folded(images, training=False)) - expected).max() < 3e-5 * expected.std()
    assert count_normalizations(folded) < count_normalizations(plain)
    assert np.array_equal(plain(images, training=False), expected)


def test_a_convolution_that_somebody_else_reads_is_not_folded() -> None:
    import keras

    from workers.models.folding import fold_normalization

    inputs = keras.Input((8, 8, 3))
    convolved = keras.layers.Conv2D(4, 3)(inputs)
    normalized = keras.layers.BatchNormalization()(convolved)
    pooled = keras.layers.GlobalMaxPooling2D()(keras.layers.Add()([convolved, normalized]))
    model = keras.Model(inputs, pooled)
    model.layers[2].set_weights([np.full(4, value, np.float32) for value in (2.0, 1.0, 0.5, 3.0)])
    images = np.random.default_rng(0).random((2, 8, 8, 3), dtype=np.float32)
    folded = fold_normalization(model).predict_on_batch(images)
    assert np.allclose(folded, model.predict_on_batch(images), atol=1e-5)


def count_normalizations(model) -> int:
    """How many are still called."""
    return sum(
        operation.__class__.__name__ == "BatchNormalization"
        for nodes in model._nodes_by_depth.values()
        for operation in (node.operation for node in nodes)
    )


@pytest.mark.thorough
def test_bfloat16_features_are_other_features_near_those_of_float32(images, stored, tmp_path) -> None:
    spec = make_spec(extraction_precision="bfloat16")
    assert extraction.build_extractor(spec.model).output.dtype == "float32", "pooled in float32"
    coarse = extraction.ensure_features(spec, images, tmp_path)
    assert coarse.digest != stored.digest
    assert coarse.values.dtype == np.float32
    difference = np.abs(coarse.values - stored.values)
    assert 0 < difference.mean() < 0.02 * np.std(stored.values)


@pytest.mark.main_tier(NAME)
@pytest.mark.parametrize("backbone", [NAME, "MobileNet"])
def test_a_value_does_not_depend_on_the_other_images(images, tmp_path, backbone) -> None:
    few = Images(images.files[:3], fingerprint="sha256:few")
    every, fewer = (
        extraction.ensure_features(make_spec(backbone=backbone), some, tmp_path) for some in (images, few)
    )
    assert np.array_equal(fewer.values, every.values[:3])


def test_without_augmentation_only_the_identity_is_extracted(images, stored, tmp_path) -> None:
    one = extraction.ensure_features(make_spec(augmentation="none", extraction_batch=3), images, tmp_path)
    assert one.values.shape == (IMAGES, 1, WIDTH)
    assert np.allclose(one.values[:, 0], stored.values[:, 0], atol=1e-5 * np.std(stored.values))


def test_copies_are_drawn_once_for_each_image_and_are_what_the_backbone_sees(images, tmp_path) -> None:
    """Each copy from the study's seed, its number and the image alone; wherever an extraction is taken up again."""
    plain = make_spec().with_values(
        {"augmentation.copies": 3, "augmentation.brightness": 0.3, "augmentation.crop": 0.2}
    )
    found = extraction.ensure_features(plain, images, tmp_path)
    assert found.values.shape[:2] == (IMAGES, 4)
    scale, backbone = find_preprocessing(NAME), build_backbone(plain.model)
    pixels = [read_image(file, SIZE) for file in images.files]
    changed = []
    for image, digest in zip(pixels, images.sha256, strict=True):
        changed.append(image.astype(np.float32))
        for number in (1, 2, 3):
            generator = np.random.default_rng([1337, number, int(digest[:15], 16)])
            drawn = draw_changes(generator, 1, SIZE, {"augmentation": "flip", "brightness": 0.3, "crop": 0.2})
            changed.append(augment("change", image[None], drawn.matrices, drawn.shifts, drawn.drawn)[0])
    expected = backbone.predict(scale(np.stack(changed)), batch_size=8, verbose=0)
    rows = np.asarray(found.values).reshape(len(expected), -1)
    assert np.abs(rows - expected).max() < 1e-4 * np.abs(expected).max()
    assert len(np.unique(rows, axis=0)) == len(rows)
    for first in (0, 1, 6):
        batches = list(read_copies(plain, images, 5, first))
        assert np.array_equal(np.concatenate(batches), np.stack(changed)[first:])
    # The seed, the number and the changes are in the key; of a smaller set nothing is taken for another's.
    keys = {
        extraction.describe_features(plain.with_values(values), "sha256:1").digest
        for values in (
            {},
            {"augmentation.brightness": 0.2},
            {"augmentation.copies": 2},
            {"study.seed": 1},
            {"training.augmentation": "none"},
        )
    }
    assert len(keys) == 5
    features = FeatureSet(found.values, np.zeros((IMAGES, 1)), plain.views)
    places = features.draw_views(np.random.default_rng(0), "none", 300)
    assert set(np.unique(places)) == {1, 2, 3}


def test_images_are_checked_before_an_extraction_and_progress_ends_at_all(tmp_path, images) -> None:
    counted = Images(images.files[:2])
    seen = []
    spec = make_spec(extraction_batch=3)
    extraction.ensure_features(spec, counted, tmp_path, report=lambda done, total: seen.append((done, total)))
    assert counted.checks == 1
    assert seen == [(0, 2), (0, 2), (1, 2), (2, 2)], "it begins with a word"
    extraction.ensure_features(spec, counted, tmp_path, report=lambda done, total: seen.append("again"))
    assert counted.checks == 1
    assert "again" not in seen


def test_batches_computed_side_by_side_come_out_in_order_and_one_that_fails_says_so() -> None:
    batches = [np.full((1, 2, 2, 3), number, np.uint8) for number in range(9)]

    def compute(batch: np.ndarray) -> np.ndarray:
        time.sleep(0.02 if batch[0, 0, 0, 0] % 2 else 0)  # every other one is overtaken
        if batch[0, 0, 0, 0] == 8:
            raise OrchError("the ninth batch")
        return batch[:, 0, 0, :1].astype(np.float32)

    seen = []
    with pytest.raises(OrchError, match="the ninth batch"):
        seen.extend(int(rows[0, 0]) for rows in decoding.map_ahead(compute, iter(batches), at_once=3))
    assert seen == list(range(8))


def test_two_at_once_extract_once(images, stored, tmp_path) -> None:
    counted = Images(images.files)
    results = []
    threads = [
        threading.Thread(
            target=lambda: results.append(extraction.ensure_features(make_spec(), counted, tmp_path))
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted.checks == 1
    assert all(np.array_equal(result.values, stored.values) for result in results)


def test_random_weights_come_from_their_seed_and_leave_the_generators_alone() -> None:
    from workers.models.transfer import build_backbone

    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    kernels = [build_backbone(make_spec(weights_seed=seed).model).get_weights()[0] for seed in (1, 1, 2)]
    assert np.random.random() == expected
    assert np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


def test_weights_from_a_file_are_used_and_their_bytes_are_in_the_key(images, stored, tmp_path) -> None:
    from workers.models.transfer import build_backbone

    path = tmp_path / "own.weights.h5"
    build_backbone(make_spec().model).save_weights(path)
    spec = make_spec(weights=str(path))
    assert np.array_equal(extraction.ensure_features(spec, images, tmp_path).values, stored.values)
    before = extraction.describe_features(spec, "").digest
    moved = tmp_path / "moved.weights.h5"
    moved.write_bytes(path.read_bytes())
    assert extraction.describe_features(make_spec(weights=str(moved)), "").digest == before
    wrong = make_spec(weights=str(path), weights_sha256="sha256:" + "0" * 64)
    with pytest.raises(WeightsError, match="not the one"):
        extraction.describe_features(wrong, "")


def test_weights_of_another_architecture_are_refused(tmp_path, recwarn) -> None:
    import keras

    from workers.models.transfer import build_backbone

    path = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights(path)
    with pytest.raises(
        WeightsError,
        match=r"other\.weights\.h5 do not fit smallnet.*: it has no weights that fit \d+ layers of the model, '\w+' among them\.",
    ):
        build_backbone(make_spec(weights=str(path)).model)
    assert UserWarning not in [one.category for one in recwarn], (
        "one sentence, and not Keras's own ones before it"
    )


@pytest.mark.parametrize(
    ("weights", "message"),
    [("gone.h5", "cannot be read"), ("weights.keras", "nor an .h5 file"), ("radimagenet", "nor an .h5 file")],
)
def test_weights_that_are_no_file_of_ours_are_refused(weights, message) -> None:
    with pytest.raises(WeightsError, match=message):
        extraction.describe_features(make_spec(weights=weights), "")


def test_an_unknown_backbone_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="Did you mean InceptionV3"):
        extraction.describe_features(make_spec(backbone="Inceptionv3"), "")


def test_an_image_too_small_for_the_backbone_is_said() -> None:
    from workers.models.transfer import build_backbone

    with pytest.raises(SpecError, match="cannot be built for images of 20 x 20"):
        build_backbone(make_spec(backbone="MobileNet", image_size=(20, 20)).model)


def test_imagenet_without_a_way_to_download_says_how_to_give_a_file(monkeypatch, tmp_path, recwarn) -> None:
    from workers.models.transfer import build_backbone

    # The first download of a process fixes the proxies of all later ones: those of this test must not stay.
    monkeypatch.setattr(urllib.request, "_opener", None)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(WeightsError, match=r"--set model\.weights=FILE\.h5"):
        build_backbone(make_spec(backbone="MobileNet", weights="imagenet").model)
    assert time.monotonic() - began < 60
    assert UserWarning not in [one.category for one in recwarn], "of the size of images, which is the study's"

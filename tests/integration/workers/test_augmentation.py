"""Changes of images against Keras's own, and the picture in docs against what draws it."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from storage.errors import SpecError
from storage.pictures.changes import CHANGES, MIXING, OF_ONE_IMAGE
from storage.pictures.views import FLIPS
from storage.spec import AugmentationSection, parse
from tests.backends import augment
from tests.conftest import REPOSITORY
from workers.device import backend
from workers.device import preparation as devices
from workers.inputs.augmentation import DRAW, Changes, draw_changes, make_matrices
from workers.inputs.feature_set import FeatureSet
from workers.inputs.mixing import Mixture, draw_mixture
from workers.inputs.mixing import mix as mix_by_hand
from workers.models import drawing

SIZE = (32, 32)
NOTHING = {"rotation": 0.0, "zoom": 0.0, "shift": 0.0, "shear": 0.0, "channel_shift": 0.0}


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1, 2)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (*SIZE, 3)).astype(np.float32)


change, flip, mix = (functools.partial(augment, name) for name in ("change", "flip", "mix"))


def make(size: tuple[int, int] = SIZE, **changes: object) -> np.ndarray:
    none: dict = {
        "rotation": np.zeros(1),
        "shift": np.zeros((2, 1)),
        "shear": np.zeros(1),
        "zoom": np.ones((2, 1)),
        "flips": np.zeros((1, 2), bool),
    }
    return make_matrices(size, **none | changes)


def apply(image: np.ndarray, matrices: np.ndarray, grey: float = 0.0) -> np.ndarray:
    return change(image[None], matrices, np.array([grey], np.float32))[0]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"theta": 20}, {"rotation": np.deg2rad([20])}),
        ({"theta": -33.3}, {"rotation": np.deg2rad([-33.3])}),
        ({"tx": 3.5, "ty": -2.25}, {"shift": np.array([[3.5], [-2.25]])}),
        ({"shear": 15}, {"shear": np.deg2rad([15])}),
        ({"zx": 1.1, "zy": 0.9}, {"zoom": np.array([[1.1], [0.9]])}),
        (
            {"theta": -25, "tx": 2, "ty": -3, "shear": 10, "zx": 0.9, "zy": 1.1},
            {
                "rotation": np.deg2rad([-25]),
                "shift": np.array([[2.0], [-3.0]]),
                "shear": np.deg2rad([10]),
                "zoom": np.array([[0.9], [1.1]]),
            },
        ),
    ],
)
def test_geometry_is_that_of_the_image_data_generator(image: np.ndarray, theirs: dict, ours: dict) -> None:
    """At the rim the two differ: SciPy cuts a pixel that is partly outside, here it fades to black."""
    from keras.src.legacy.preprocessing.image import apply_affine_transform

    axes = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
    expected = apply_affine_transform(image.copy(), **axes, fill_mode="constant", cval=0.0, order=1, **theirs)
    found = apply(image, make(**ours))
    matrix = make(**ours)[0]
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    from_x = matrix[0] * x + matrix[1] * y + matrix[2]
    from_y = matrix[3] * x + matrix[4] * y + matrix[5]
    last = SIZE[0] - 1
    inside = (from_x > 0.01) & (from_x < last - 0.01) & (from_y > 0.01) & (from_y < last - 0.01)
    outside = (from_x < -1) | (from_x > last + 1) | (from_y < -1) | (from_y > last + 1)
    assert inside.mean() > 0.5
    assert np.abs(found - expected)[inside].max() < 1e-2
    assert (found[outside] == 0).all()
    assert (expected[outside] == 0).all()


@pytest.mark.parametrize("size", [(20, 24), (21, 17)])
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("down", [False, True])
def test_flips_are_exact_by_either_way(size: tuple[int, int], across: bool, down: bool) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = image[:: -1 if down else 1, :: -1 if across else 1]
    flips = np.array([[across, down]])
    assert (flip(image[None], flips)[0] == expected).all()
    assert (apply(image, make(size, flips=flips)) == expected).all()


def test_channel_shift_is_that_of_the_image_data_generator(image: np.ndarray) -> None:
    from keras.src.legacy.preprocessing.image import apply_channel_shift

    for grey in (-60.0, 0.1, 60.0):
        assert np.abs(apply(image, make(), grey) - apply_channel_shift(image, grey, 2)).max() < 1e-4


def test_what_is_drawn_is_what_the_options_say() -> None:
    generator = np.random.default_rng(0)
    flipped = draw_changes(generator, 4000, (10, 20), {**NOTHING, "augmentation": "flip"})
    assert flipped.are_only_flips
    kinds = np.unique(flipped.flips, axis=0, return_counts=True)[1]
    assert np.abs(kinds / 4000 - 1 / 4).max() < 0.03  # sd 0.007
    shifted = draw_changes(generator, 4000, (10, 20), {**NOTHING, "augmentation": "none", "shift": 0.2})
    assert not shifted.flips.any()
    x, y = shifted.matrices[:, 2], shifted.matrices[:, 5]
    assert 3.9 < x.max() < 4 < 4.001  # 0.2 of 20
    assert 1.95 < y.max() <= 2  # 0.2 of 10
    rotated = draw_changes(generator, 4000, (10, 10), {**NOTHING, "augmentation": "none", "rotation": 30})
    angles = np.rad2deg(np.arcsin(-rotated.matrices[:, 1]))
    assert 29 < angles.max() <= 30
    assert -30 <= angles.min() < -29
    assert abs(angles.mean()) < 1.5
    grey = draw_changes(generator, 4000, (10, 10), {**NOTHING, "augmentation": "none", "channel_shift": 9})
    assert 8.9 < np.abs(grey.shifts).max() <= 9


def reach_of(name: str) -> float:
    """A value of the key that does something, and is not at its limit."""
    return {"gamma": 0.7, "blur": 1.5, "noise": 20.0, "channel_shift": 30.0, "mixup": 0.4, "cutmix": 1.0}.get(
        name, 0.3
    )


def changes_of(name: str, count: int, size: tuple[int, int] = SIZE, seed: int = 0) -> Changes:
    settings = {"augmentation": "none", name: reach_of(name)}
    return draw_changes(np.random.default_rng(seed), count, size, settings)


def make_changed(images: np.ndarray, changes: Changes) -> np.ndarray:
    return change(images, changes.matrices, changes.shifts, changes.drawn)


def expect_brightness(images: np.ndarray, added: np.ndarray) -> np.ndarray:
    import keras

    layer = keras.layers.RandomBrightness(0.3)
    return np.asarray(layer.transform_images(images, {"rgb_delta": added[:, None, None, None]}))


def expect_contrast(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    import keras

    layer = keras.layers.RandomContrast(0.3)
    return np.asarray(layer.transform_images(images, {"contrast_factor": factors[:, None, None, None]}))


def expect_gamma(images: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    return 255 * np.power(images.astype(np.float64) / 255, exponents[:, None, None, None])


def expect_blur(images: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """SciPy's filter; its own width is found again from the kernel's middle and the place beside it."""
    from scipy.ndimage import gaussian_filter

    middle = kernels.shape[1] // 2
    spreads = (2 * np.log(kernels[:, middle] / np.maximum(kernels[:, middle + 1], 1e-30))) ** -0.5
    options = {"mode": "constant", "radius": middle}
    made = []
    for image, spread in zip(images, spreads, strict=True):
        inside = gaussian_filter(np.ones_like(image), (spread, spread, 0), **options)
        made.append(gaussian_filter(image, (spread, spread, 0), **options) / inside)
    return np.stack(made)


def expect_noise(images: np.ndarray, spreads: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """What is drawn from a seed is held to TensorFlow below; here that each picture has its spread, and channels share it."""
    noise = drawing.draw_normal(seeds.astype(np.uint32), SIZE[0] * SIZE[1]).reshape(-1, *SIZE, 1)
    assert np.abs(np.std(noise, axis=(1, 2)) - 1).max() < 0.1
    return np.clip(images + spreads[:, None, None, None] * noise, 0, 255)


def expect_cutout(images: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    made = images.copy()
    for image, (top, left, bottom, right) in zip(made, boxes, strict=True):
        image[top:bottom, left:right] = image.mean()
    return made


EXPECT = {
    "brightness": expect_brightness,
    "contrast": expect_contrast,
    "gamma": expect_gamma,
    "blur": expect_blur,
    "noise": expect_noise,
    "cutout": expect_cutout,
}


def test_every_entry_of_the_table_is_a_key_is_drawn_and_is_made() -> None:
    assert tuple(AugmentationSection.model_fields) == (*CHANGES, "copies")
    assert set(DRAW) == set(backend.load("augmentation").MAKE) == set(EXPECT)
    of_geometry = {"rotation", "zoom", "shift", "shear", "crop", "channel_shift"}
    assert set(CHANGES) == of_geometry | set(DRAW) | set(MIXING)


@pytest.mark.parametrize("name", sorted(EXPECT))
def test_a_change_is_what_somebody_elses_code_makes_of_it(name: str) -> None:
    images = np.random.default_rng(3).integers(0, 256, (40, *SIZE, 3)).astype(np.float32)
    changes = changes_of(name, len(images))
    found = make_changed(images, changes)
    assert np.abs(found - EXPECT[name](images, *changes.drawn[name])).max() < 0.02
    assert found.min() >= 0
    assert found.max() <= 255


@pytest.mark.parametrize("name", OF_ONE_IMAGE)
def test_every_change_acts_alone_depends_on_its_seed_alone_and_is_nothing_at_its_neutral_value(
    name: str,
) -> None:
    images = np.random.default_rng(4).integers(20, 236, (6, *SIZE, 3), dtype=np.uint8)
    changes = changes_of(name, len(images))
    assert not changes.are_only_flips
    assert set(changes.drawn) <= {name}
    found = make_changed(images, changes)
    assert np.array_equal(found, make_changed(images, changes_of(name, len(images))))
    assert (np.abs(found - images).max(axis=(1, 2, 3)) > 0.01).sum() >= 4
    assert not np.array_equal(found, make_changed(images, changes_of(name, len(images), seed=1)))
    # Each image by itself is what it is among others.
    one = Changes(
        changes.flips[2:3],
        changes.matrices[2:3],
        changes.shifts[2:3],
        are_only_flips=False,
        drawn={key: tuple(column[2:3] for column in columns) for key, columns in changes.drawn.items()},
    )
    assert np.abs(make_changed(images[2:3], one)[0] - found[2]).max() < 1e-3
    # Nothing of it is drawn, nor anything else moved, where it is 0.
    plain = draw_changes(np.random.default_rng(0), 6, SIZE, {"augmentation": "none", name: 0.0})
    assert plain.are_only_flips
    assert np.array_equal(make_changed(images, plain), images)
    # A grey picture stays grey.
    grey = np.repeat(images[..., :1], 3, axis=3)
    assert np.ptp(make_changed(grey, changes), axis=3).max() < 1e-3


@pytest.mark.parametrize("name", CHANGES)
def test_every_key_has_its_limits_and_can_be_searched(name: str) -> None:
    highest = CHANGES[name].highest
    for value, is_taken in (
        (0.0, True),
        (highest, not CHANGES[name].is_open),
        (highest + 1, False),
        (-0.1, False),
    ):
        document = {"study": {"name": "x"}, "augmentation": {name: value}}
        if is_taken:
            assert getattr(parse(document, source="a test").augmentation, name) == value
        else:
            with pytest.raises(SpecError, match=f"augmentation.{name}"):
                parse(document, source="a test")
    searched = {name: {"type": "float", "low": 0.0, "high": reach_of(name)}}
    spec = parse({"study": {"name": "x"}, "search": searched}, source="a test")
    assert not spec.uses_features
    assert getattr(spec.at({name: 0.1}).augmentation, name) == 0.1
    plain = parse({"study": {"name": "x"}}, source="a test")
    assert (name in plain.to_json()) is not CHANGES[name].is_young


def test_ranges_are_what_the_table_says() -> None:
    def drawn(name: str) -> np.ndarray:
        return changes_of(name, 4000).drawn[name][0]

    assert 75 < np.abs(drawn("brightness")).max() <= 255 * 0.3
    assert 0.7 <= drawn("contrast").min() < 0.71
    assert 1.29 < drawn("contrast").max() <= 1.3
    assert np.exp(-0.7) <= drawn("gamma").min() < 0.51
    assert abs(np.log(drawn("gamma")).mean()) < 0.03
    assert 19.9 < drawn("noise").max() <= 20
    boxes = drawn("cutout")
    lengths = boxes[:, 2:] - boxes[:, :2]
    assert lengths.max() == 10  # 0.3 of 32
    assert lengths.min() >= 5  # half of one whose middle is at the rim
    parts = draw_changes(np.random.default_rng(0), 4000, (20, 30), {"augmentation": "none", "crop": 0.4})
    kept, first_x, first_y = parts.matrices[:, 0], parts.matrices[:, 2], parts.matrices[:, 5]
    assert 0.6 <= kept.min() < 0.61
    assert np.allclose(kept, parts.matrices[:, 4])
    assert first_x.min() >= 0
    assert (first_x + kept * 29).max() < 29.001
    assert (first_y + kept * 19).max() < 19.001


def test_a_part_of_the_picture_is_what_pillow_cuts_out_and_enlarges(image: np.ndarray) -> None:
    """With the first and the last pixel of the part at the rim, as in `align_corners`; nothing comes from outside."""
    from scipy.ndimage import map_coordinates

    crop = np.array([[0.6], [0.25], [1.0]])
    found = apply(image, make(crop=crop))
    y, x = (np.linspace(start, start + 0.6 * 31, 32) for start in (0.4 * 31, 0.25 * 0.4 * 31))
    places = np.meshgrid(y, x, indexing="ij")
    expected = np.stack(
        [map_coordinates(image[..., band], places, order=1, mode="nearest") for band in range(3)], -1
    )
    assert np.abs(found - expected).max() < 0.01


@pytest.mark.parametrize("word", ["none", "horizontal", "vertical", "flip"])
def test_flips_by_name_are_the_views_that_are_kept(word: str) -> None:
    flips = draw_changes(np.random.default_rng(0), 400, SIZE, {"augmentation": word}).flips
    seen = {("identity", "horizontal", "vertical", "both")[across + 2 * down] for across, down in flips}
    assert seen == set(FLIPS[word])
    values = np.arange(2 * 4 * 1, dtype=np.float32).reshape(2, 4, 1)
    whole = FeatureSet(values, np.zeros((2, 1)))
    places = whole.draw_views(np.random.default_rng(0), word, 400)
    assert {whole.views[place] for place in np.unique(places)} == set(FLIPS[word])
    # Of a set that has these views alone, the same views are drawn.
    kept = [whole.views.index(view) for view in FLIPS[word]]
    own = FeatureSet(values[:, kept], np.zeros((2, 1)), FLIPS[word])
    again = own.draw_views(np.random.default_rng(0), word, 400)
    assert np.array_equal(np.asarray(kept)[again], places)
    if word in ("horizontal", "vertical"):
        import keras

        layer = keras.layers.RandomFlip(word)
        images = np.random.default_rng(1).integers(0, 256, (1, *SIZE, 3)).astype(np.float32)
        theirs = np.asarray(layer.transform_images(images, {"flips": np.ones((1, 1, 1, 1), bool)}))
        assert np.array_equal(theirs, flip(images, np.array([[word == "horizontal", word == "vertical"]])))


@pytest.mark.parametrize("name", MIXING)
def test_images_are_mixed_within_their_batch_and_their_shares_are_the_areas(name: str) -> None:
    images = np.random.default_rng(5).integers(0, 256, (22, 20, 24, 3)).astype(np.float32)
    mixture = draw_mixture(np.random.default_rng(0), 22, 8, (20, 24), {name: reach_of(name)})
    assert mixture is not None
    assert (mixture.partners // 8 == np.arange(22) // 8).all()
    for first in (0, 8, 16):
        rows = slice(first, first + 8)
        batch, share = images[rows], mixture.shares[first]
        assert (mixture.shares[rows] == share).all()
        found = mix(batch, mixture.others[rows], mixture.weights[rows], mixture.boxes[rows])
        others = images[mixture.partners[rows]]
        assert sorted(mixture.partners[rows]) == list(range(first, min(first + 8, 22)))
        if name == "mixup":
            expected = share * batch + (1 - share) * others
        else:
            top, left, bottom, right = mixture.boxes[first]
            expected = batch.copy()
            expected[:, top:bottom, left:right] = others[:, top:bottom, left:right]
            assert share == pytest.approx(1 - (bottom - top) * (right - left) / 480)
        assert np.abs(found - expected).max() < 1e-3
        part = {key: value[rows] for key, value in vars(mixture).items()}
        assert np.abs(mix_by_hand(batch, Mixture(**part)) - expected).max() < 1e-3
    assert draw_mixture(np.random.default_rng(0), 22, 8, (20, 24), {name: 0.0}) is None
    shares = [
        draw_mixture(np.random.default_rng(seed), 1, 1, (64, 64), {name: 0.4}).shares[0]  # type: ignore[union-attr]
        for seed in range(400)
    ]
    # Beta(0.4, 0.4) has mean 1/2 and sd 0.37. A side s of a box has the mean s - s^2 / 4 inside the picture.
    areas = np.random.default_rng(0).beta(0.4, 0.4, 10**5)
    assert (
        abs(np.mean(shares) - (0.5 if name == "mixup" else 1 - np.mean((areas**0.5 - areas / 4) ** 2))) < 0.05
    )
    assert name == "cutmix" or abs(np.std(shares) - 0.37) < 0.03


def test_the_picture_in_the_docs_is_what_the_code_does(tmp_path: Path) -> None:
    place = importlib.util.spec_from_file_location("draw_test_card", REPOSITORY / "scripts/draw_test_card.py")
    assert place is not None
    assert place.loader is not None
    script = importlib.util.module_from_spec(place)
    place.loader.exec_module(script)
    (tmp_path / "docs").mkdir()
    script.REPOSITORY = tmp_path
    script.main()
    drawn = np.asarray(Image.open(tmp_path / "docs" / "augmentation.png"), np.int16)[:, script.LABEL_WIDTH :]
    kept = np.asarray(Image.open(REPOSITORY / "docs" / "augmentation.png"), np.int16)[:, script.LABEL_WIDTH :]
    assert drawn.shape == kept.shape
    assert np.abs(drawn - kept).max() <= 2


@pytest.mark.tensorflow_only("compares what is drawn for JAX with what TensorFlow draws")
@pytest.mark.parametrize("name", sorted(drawing.MAKE))
@pytest.mark.parametrize("count", [1, 5001])
def test_initial_weights_of_other_backends_are_what_tensorflow_draws(name: str, count: int) -> None:
    import tensorflow as tf

    seed = np.array([123456, 7], np.int32)
    theirs = getattr(tf.random, f"stateless_{name}")([count], seed=seed).numpy()
    found = drawing._draw(seed.astype(np.uint32), count, drawing.MAKE[name])
    assert np.abs(found - theirs).max() < 1e-5
    noise = tf.random.stateless_normal([count], seed, alg="philox").numpy()
    assert np.abs(drawing.draw_normal(seed[None].astype(np.uint32), count)[0] - noise).max() < 1e-5

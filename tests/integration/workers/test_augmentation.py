"""Changes of images against Keras's own, and the picture in docs against what draws it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from workers.backends.tensorflow.augmentation import change, flip
from workers.device import preparation as devices
from workers.inputs.augmentation import draw_changes, make_matrices

SIZE = (32, 32)
NOTHING = {"rotation": 0.0, "zoom": 0.0, "shift": 0.0, "shear": 0.0, "channel_shift": 0.0}


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1, 2)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (*SIZE, 3)).astype(np.float32)


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
    return change(image[None], matrices, np.array([grey], np.float32)).numpy()[0]


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
    assert (flip(image[None], flips).numpy()[0] == expected).all()
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

"""What each backend computes in whole training, to be the same numbers: heads on features, features, and networks on images."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from storage.spec import parse
from tests.small_backbone import preprocess_input, small_backbone
from tests.small_heads import make_trainer
from tests.small_images import compute_all
from workers.inputs.extraction import build_extractor

Values = Mapping[str, np.ndarray]
Agree = Callable[[str, Values], None]
"""(name of a case, what this backend computed) -> nothing; raises where another backend computed something else."""


class TrainingContract:
    """A subclass has a fixture `agree`; no dropout, because each backend draws its masks for itself."""

    @pytest.mark.parametrize("batch_size", [47, 19])
    def test_a_head_on_features_learns_the_same(self, agree: Agree, batch_size: int) -> None:
        """One step over all images, and an epoch of three steps with a short last one: all that it remembers, and its predictions."""
        trainer = make_trainer(batch_size)
        trainer.run_epoch(1)
        agree(f"head {batch_size}", {**trainer.state(), "probabilities": trainer.predict_validation()})

    def test_a_network_on_images_learns_the_same(self, agree: Agree) -> None:
        """Initial weights, every change of a picture, a step with mixed and unmixed images, what is predicted after it, and heat."""
        agree("images", compute_all())

    def test_a_frozen_backbone_of_random_weights_gives_the_same_features(self, agree: Agree) -> None:
        """Weights of its seed, and what it makes of grey values of 0 to 255."""
        pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.float32)
        with small_backbone() as name:
            spec = parse(
                {
                    "study": {"name": "s"},
                    "model": {"backbone": name, "image_size": [32, 32], "weights": "none"},
                },
                source="a test",
            )
            backbone = build_extractor(spec.model)
        features = np.asarray(backbone.predict_on_batch(preprocess_input(pixels)))
        weights = {str(number): value for number, value in enumerate(backbone.get_weights())}
        agree("features", {**weights, "features": features})


class Written:
    """An `Agree` that keeps what was computed for the comparison in another process."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder

    def __call__(self, name: str, values: Values) -> None:
        assert all(np.isfinite(value).all() for value in values.values())
        if self._folder is not None:
            np.savez(f"{self._folder}/{name}.npz", **values)


class Compared:
    """An `Agree` with what another process wrote, within 1e-5."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def __call__(self, name: str, values: Values) -> None:
        with np.load(f"{self._folder}/{name}.npz") as theirs:
            assert theirs.files == list(values)
            for part, value in values.items():
                assert np.abs(theirs[part] - value).max() < 1e-5, part

"""`orch data preview` and `orch model find-lr` on real image files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator.cli import run
from tests.backends import SIDE_BY_SIDE
from tests.pictures import make_data
from workers.device import preparation as devices
from workers.objective.preview import GAP


@pytest.fixture(scope="module", autouse=True)
def _settle_the_device() -> None:
    devices.prepare(1, 2)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ORCH_STORAGE", f"sqlite:///{tmp_path / 'none.db'}")
    arguments = ["--labels", "labels.csv", "--group", "patient", "--targets", "a,b", "--out", "data"]
    assert run(["data", "import", "images", *arguments]) == 0
    return tmp_path


def test_a_preview_shows_images_as_they_are_and_changed(data: Path) -> None:
    size = ["--set", "model.image_size=[20, 30]", "--images", "3", "--copies", "4"]
    assert run(["data", "preview", "data", "--set", "augmentation.rotation=20", *size, "-o", "p.png"]) == 0
    picture = np.asarray(Image.open("p.png"))
    assert picture.shape == (3 * (20 + GAP) - GAP, 5 * (30 + GAP) - GAP, 3)
    first, copy = picture[:20, :30], picture[:20, 30 + GAP : 60 + GAP]
    assert (first != copy).any()
    assert run(["data", "preview", "data", "--set", "training.augmentation=none", *size, "-o", "q.png"]) == 0
    same = np.asarray(Image.open("q.png"))
    assert (same[:20, :30] == same[:20, 30 + GAP : 60 + GAP]).all()
    mixing = ["--set", "training.augmentation=none", "--set", "augmentation.cutmix=1"]
    assert run(["data", "preview", "data", *mixing, *size, "-o", "r.png"]) == 0
    mixed = np.asarray(Image.open("r.png"))
    tiles = [
        [
            mixed[row * (20 + GAP) : row * (20 + GAP) + 20, column * (30 + GAP) : column * (30 + GAP) + 30]
            for column in range(5)
        ]
        for row in range(3)
    ]
    originals = np.stack([row[0] for row in tiles]).astype(int)
    # Every pixel of a mixed image is one of some image at the same place, and some are another image's.
    differences = np.stack([np.abs(originals - tile).min(axis=0).max() for row in tiles for tile in row[1:]])
    assert differences.max() == 0
    assert any((tile != row[0]).any() for row in tiles for tile in row[1:])


def test_a_preview_of_a_key_that_does_not_exist(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "preview", "data", "--set", "augmentation.rotate=20"]) == 2
    assert "did you mean augmentation.rotation" in capsys.readouterr().err
    assert not Path("augmentation.png").exists()


@pytest.mark.thorough
def test_the_finder_draws_fifty_rates_and_suggests_one(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    settings = (
        "model.backbone=MobileNet",
        "model.weights=none",
        "model.image_size=[32, 32]",
        "model.head=[8]",
        f"training.threads={SIDE_BY_SIDE}",
    )
    options = [part for setting in settings for part in ("--set", setting)]
    assert (
        run(["model", "find-lr", "--data", "data", *options, "--images", "12", "-o", "lr.html", "--json"])
        == 0
    )
    document = json.loads(capsys.readouterr().out)
    assert document["rates"][:6] == pytest.approx([1e-10 * 10 ** (step / 5) for step in range(6)])
    # Twelve pictures are learnt by heart: the loss falls long before the rate is too high.
    assert min(document["losses"]) < document["losses"][0] / 2
    assert 1e-7 < document["suggestion"] < 1e-1
    assert "learning rate" in Path("lr.html").read_text(encoding="utf-8")

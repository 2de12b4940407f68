"""Every row of both reference studies: the commands of docs/protocols.md, small, on real image files."""

from __future__ import annotations

import json
import os
import re
import shlex
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator.cli import run
from storage.database.opening import open_database
from tests.conftest import REPOSITORY
from tests.pictures import write_table
from workers.process.circumstances import Circumstances
from workers.process.worker import run_worker

SMALL = {
    "model.image_size": "[32, 32]",
    "model.head": "[4]",
    "training.epochs": "1",
    "training.threads": "1",
    "cv.folds": "2",
}
TRAINED = ("lenet", "end-to-end", "radimagenet", "regime-1", "weighted-sgdr")
"""The other rows differ from these in the name of a backbone or in one option, and are only created."""

TARGETS = ("view_antpr", "medial_cortex_1")


def page_commands() -> dict[str, list[str]]:
    """The `orch` lines of the page, as words; by the name of the study, or what the command does."""
    page = (REPOSITORY / "docs" / "protocols.md").read_text(encoding="utf-8")
    lines = [shlex.split(line, comments=True) for line in re.findall(r"^    orch (.*)$", page, re.MULTILINE)]
    return {words[2] if words[:2] == ["study", "create"] else " ".join(words[:3]): words for words in lines}


def draw_images(folder: Path, count: int) -> list[Path]:
    """Blobs whose brightness depends on the class: something that can be learnt, and no two alike."""
    generator = np.random.default_rng(0)
    paths = []
    for number in range(count):
        picture = generator.normal(80 + 60 * (number % 2), 30, (40, 36)).clip(0, 255).astype(np.uint8)
        path = folder / ("frac" if number % 2 else "norm") / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
        paths.append(path)
    return paths


def call(*arguments: str) -> None:
    """Run a command in this process: a dozen starts of Python would take longer than what is tested."""
    assert run(list(arguments)) == 0, arguments


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the commands of the page can run: images, labels, and a weights file."""
    for name in [name for name in os.environ if name.startswith("ORCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ORCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    draw_images(tmp_path / "vertebrae", 24)
    images = draw_images(tmp_path / "radiographs", 24)
    rows = [
        [path.name, "pacs", number // 2, number % 2, (number // 3) % 2] for number, path in enumerate(images)
    ]
    write_table(tmp_path / "rust-labels.csv", ["filename", "study_id", "record_id", *TARGETS], rows)
    for command in ("data import radiographs", "data import vertebrae"):
        call(*page_commands()[command], "--holdout", "0")
    return tmp_path


def shrink(words: list[str]) -> list[str]:
    """A command of the page with what makes it small; MobileNet stands for a backbone that needs larger images."""
    changes = dict(SMALL)
    if words[2] == "weighted-sgdr":
        changes["model.kind"] = "lenet"  # its schedule, weights and augmentation are what is new
    elif words[2] != "lenet":
        changes["model.backbone"] = "MobileNet"
    if words[2] in ("imagenet", "regime-1"):
        changes["model.weights"] = "none"
    if words[2].startswith("regime"):
        changes["study.trials"] = "2"
    return [*words, *(part for key, value in changes.items() for part in ("--set", f"{key}={value}"))]


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_row_can_be_made_and_trained(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_weights(workplace / "RadImageNet-InceptionV3_notop.h5")
    commands = {name: words for name, words in page_commands().items() if words[:2] == ["study", "create"]}
    assert len(commands) == 12
    for name, words in commands.items():
        if name != "regime-2":
            call(*shrink(words), *([] if name in TRAINED else ["--dry-run"]))
    with closing(open_database(f"sqlite:///{workplace / 'orch.db'}")) as database:
        data = [workplace / "rust", workplace / "vertebral"]
        run_worker(Circumstances(database), None, data, workplace / "cache")
    for name in TRAINED:
        call("study", "export", name, "-o", f"{name}.json")
        best = json.loads((workplace / f"{name}.json").read_text())
        assert (best["points"]["failed"], len(best["fold_values"])) == (0, 2)
    (workplace / "regime-1.json").rename(workplace / "best.json")
    capsys.readouterr()
    call(*commands["regime-2"], "--dry-run", "--json")
    assert json.loads(capsys.readouterr().out)["points"] == 32


def save_weights(path: Path) -> None:
    """Save a MobileNet with random weights in the form in which RadImageNet's come."""
    from workers.device.preparation import prepare

    prepare(1, 2)  # what runs first in a process decides for all tests after it
    import keras

    keras.applications.MobileNet(include_top=False, weights=None, input_shape=(32, 32, 3)).save(path)

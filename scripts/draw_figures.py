"""Draw docs/pictures/figures: every figure that docs/figures.md lists, of the studies of the demo and of a generated one.

make demo && python scripts/draw_figures.py demo
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from dashboards.figures.drawing import Picture  # noqa: E402
from dashboards.figures.gallery import draw_studies  # noqa: E402
from dashboards.pages.printing import draw_vectors, find_browser  # noqa: E402
from orchestrator.studies.reporting import read_chapter  # noqa: E402
from storage.database.opening import open_database  # noqa: E402
from storage.studies.study import load_study  # noqa: E402
from tests.browser import open_browser, open_tab  # noqa: E402
from tests.generated_studies import sized_study  # noqa: E402

COLOURS = 48
"""Of the palette: lines and letters stay sharp, and a picture takes about 10 kB."""
SHARP = 1.6
"""Pixels of the picture for one of the page."""
FOLDER = REPOSITORY / "docs" / "pictures" / "figures"
OF_GENERATED = ("search", "choice", "parallel", "slices", "importance", "pruning", "folds", "fleet")
"""Figures that need more trials or workers than the demo has."""
FURTHER = (
    ("study", "learning-curve", "regime-1", "--percent", "20,40,70,100", "--repeats", "2", "--data", "data"),
    ("worker", "regime-1", "--data", "data"),
    ("study", "export", "regime-1", "-o", "best.json", "--spec-toml", "spec.toml"),
    ("study", "create", "two-objectives", "--spec", "spec.toml", "--trials", "16", "--pruner", "none", "--data", "data",
     "--set", "study.metric=val_sensitivity", "--set", 'study.also=["val_specificity"]'),
    ("worker", "two-objectives", "--data", "data"),
)  # fmt: skip
"""What is done with a copy of the demo, so that every figure has something to show."""


def work_further(demo: Path) -> None:
    """Give a copy of the demo a learning curve and a study of two objectives."""
    orch = Path(sys.executable).with_name("orch")
    storage = {"ORCH_STORAGE": f"sqlite:///{demo / 'orch.db'}", "ORCH_CACHE": str(demo / "cache")}
    for words in FURTHER:
        subprocess.run([orch, *words], cwd=demo, env={**os.environ, **storage}, check=True)


def draw_demo(demo: Path) -> dict[str, Picture]:
    """The figures of the demo's studies by name."""
    database = open_database(f"sqlite:///{demo / 'orch.db'}")
    try:
        studies = [load_study(database, name) for name in ("two-objectives", "regime-2", "regime-1")]
        chapters = [read_chapter(database, study, [demo / "data"]) for study in studies]
        pictures = {picture.name: picture for chapter in chapters for picture in chapter.draw()}
        pictures["regime-two"] = next(one for one in chapters[1].draw() if one.name == "search")
        pictures["comparison"] = draw_studies([chapters[2].view, chapters[1].view])
    finally:
        database.close()
    return pictures


def draw_generated() -> dict[str, Picture]:
    """Those of a study of sixty trials that six workers shared."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/orch.db", create=True)
        study = sized_study(database, "densenet-head", 60, failed=1)
        chapter = read_chapter(database, study, [])
        database.close()
    return {picture.name: picture for picture in chapter.draw() if picture.name in OF_GENERATED}


def save(drawings: dict[str, str]) -> None:
    """Write each drawing as a small PNG on white."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open_browser() as browser, open_tab(browser, viewport={"width": 900, "height": 900}, device_scale_factor=SHARP) as (tab, _):  # fmt: skip
        for name, drawing in drawings.items():
            tab.set_content(
                f'<body style="margin:0;background:white"><div style="display:inline-block">{drawing}</div>'
            )
            picture = tab.locator("svg").first.screenshot()
            path = FOLDER / f"{name}.png"
            with Image.open(io.BytesIO(picture)) as image:
                image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
            print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Draw all of them from the folder of a demo that has ended."""
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    browser = find_browser()
    if browser is None:
        raise SystemExit("There is no Chromium here to draw the figures (Debian: apt-get install chromium).")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(demo, Path(folder) / "demo"))
        work_further(copy)
        pictures = draw_demo(copy) | draw_generated()
    save(draw_vectors(browser, pictures))


if __name__ == "__main__":
    main()

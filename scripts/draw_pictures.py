"""Draw docs/pictures: the first screen of the demo's report, and of generated studies the start page and optuna-dashboard.

make demo && python scripts/draw_pictures.py demo
"""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from dashboards.pages.publish import publish_study  # noqa: E402
from storage.database.opening import open_database  # noqa: E402
from tests.browser import open_browser, open_tab  # noqa: E402
from tests.generated_studies import fleet_at_work, sized_study  # noqa: E402

SCREEN = {"width": 1180, "height": 820}
COLOURS = 96
"""Of the palette: text and lines stay sharp, and a picture takes less than 150 kB."""


def draw_report(browser: Any, page: Path) -> bytes:
    """The report from its first card on, with the first figures drawn."""
    with open_tab(browser, viewport=SCREEN, color_scheme="light") as (tab, _):
        tab.goto(page.resolve().as_uri())
        tab.wait_for_selector("html[data-drawn]", state="attached")
        return bytes(tab.screenshot())


def draw_dashboard(browser: Any) -> bytes:
    """The page of a generated study in optuna-dashboard: one of the demo is too small for each figure, and names this machine."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/orch.db", create=True)
        publish_study(database, sized_study(database, "densenet-head", 60, failed=1))
        database.close()
        with serving(Path(folder) / "orch.db") as address, open_tab(browser, viewport=SCREEN, color_scheme="light") as (tab, _):  # fmt: skip
            tab.goto(f"{address}/dashboard/studies/1")
            tab.wait_for_selector(".js-plotly-plot >> text=importance of hyperparameters")
            first = tab.locator(".js-plotly-plot >> text=folds of the best trial").first
            for _ in range(3):  # what is above it is still being laid out, and moves it
                first.evaluate("(one) => one.closest('.js-plotly-plot').scrollIntoView({block: 'start'})")
                tab.wait_for_timeout(1000)
            tab.mouse.wheel(0, -120)  # below the bar of the page
            tab.wait_for_timeout(500)
            return bytes(tab.screenshot())


def draw_start_page(browser: Any) -> bytes:
    """The start page of generated studies with a fleet at work, one worker of which was killed."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/orch.db", create=True)
        finished = sized_study(database, "lenet-grid", 32)
        head = sized_study(database, "densenet-head", 60, settled=34, failed=1)
        frozen = sized_study(database, "frozen-backbone", 40, settled=9)
        for study in (finished, head, frozen):
            publish_study(database, study)
        fleet_at_work(database, [head, frozen], 6, silent=1)
        database.close()
        with serving(Path(folder) / "orch.db") as address, open_tab(browser, viewport=SCREEN, color_scheme="light") as (tab, _):  # fmt: skip
            tab.goto(address)
            tab.wait_for_selector("text=Live.")
            return bytes(tab.screenshot())


@contextmanager
def serving(database: Path) -> Iterator[str]:
    """The address of a dashboard of a database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    orch = Path(sys.executable).with_name("orch")
    storage = f"sqlite:///{database.resolve()}"
    server = subprocess.Popen(
        [orch, "dashboard", "--no-login", "--port", str(port), "--storage", storage],
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(120):
            try:
                urlopen(f"{address}/healthz", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def save(picture: bytes, path: Path) -> None:
    """Write a small PNG."""
    path.parent.mkdir(exist_ok=True)
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size // 1000} kB")


def main() -> None:
    """Draw all of them from the folder of a demo that has ended; without that folder, without the report."""
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    pictures = REPOSITORY / "docs" / "pictures"
    with open_browser() as browser:
        save(draw_start_page(browser), pictures / "start.png")
        save(draw_dashboard(browser), pictures / "dashboard.png")
        if not demo.is_dir():
            return
        save(draw_report(browser, demo / "report.html"), pictures / "report.png")


if __name__ == "__main__":
    main()

"""Draw docs/pictures: the first screen of the report and of the dashboard, as a reader of the demo sees them.

make demo && python scripts/draw_pictures.py demo
"""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from tests.browser import open_browser, open_tab  # noqa: E402

SCREEN = {"width": 1180, "height": 820}
COLOURS = 96
"""Of the palette: text and lines stay sharp, and a picture takes less than 150 kB."""


def draw_report(browser: Any, page: Path) -> bytes:
    """The report from its first card on, with the first figures drawn."""
    with open_tab(browser, viewport=SCREEN, color_scheme="light") as (tab, _):
        tab.goto(page.resolve().as_uri())
        tab.wait_for_selector("html[data-drawn]", state="attached")
        return bytes(tab.screenshot())


def draw_dashboard(browser: Any, database: Path) -> bytes:
    """The page of the first study in optuna-dashboard, with orch's figures."""
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
        with open_tab(browser, viewport=SCREEN, color_scheme="light") as (tab, _):
            tab.goto(f"{address}/dashboard/studies/1")
            tab.wait_for_selector(".js-plotly-plot >> text=importance of hyperparameters")
            tab.locator(".js-plotly-plot >> text=folds of the best trial").first.scroll_into_view_if_needed()
            tab.mouse.wheel(0, 720)
            tab.wait_for_timeout(1500)  # the last figure is still being laid out
            return bytes(tab.screenshot())
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
    """Draw all of them from the folder of a demo that has ended."""
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    pictures = REPOSITORY / "docs" / "pictures"
    with open_browser() as browser:
        save(draw_report(browser, demo / "report.html"), pictures / "report.png")
        save(draw_dashboard(browser, demo / "orch.db"), pictures / "dashboard.png")


if __name__ == "__main__":
    main()

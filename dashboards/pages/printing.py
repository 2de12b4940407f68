"""Chromium as a printer: a page as a PDF, figures as SVG of a journal's width; it asks the network for nothing."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dashboards.figures.drawing import Picture
from dashboards.figures.palette import make_template
from dashboards.pages.html import embed_json, is_square, read_plotly
from storage.errors import UsageError
from storage.files.leftovers import scratch
from storage.files.writing import write_bytes
from storage.settings import named_browser

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 300
"""Seconds for one page: a busy machine takes its time with megabytes of JavaScript."""
MILLIMETRE = 96 / 25.4
"""Pixels of CSS."""
PAPER = "A4"
COLUMN, PAGE = 85.0, 174.0
"""Millimetres of one column and of two, as most journals of radiology print them."""


def find_browser() -> str | None:
    """The browser that BROWSER_PATH names, or the first of `PROGRAMS` that is here; None where there is none."""
    named = named_browser()
    return named if named and Path(named).is_file() else next(filter(None, map(shutil.which, PROGRAMS)), None)


def print_page(browser: str, page: Path, output: Path) -> None:
    """Print a page that lies on this machine as a PDF, whole or not at all: the browser may die, or outlive this process.

    Raises:
        UsageError: the browser fails; the file is what it was before.
    """
    with scratch() as folder:
        printed, sized = folder / "page.pdf", folder / "page.html"
        # A browser takes the paper of its country, and has no option for it.
        text = page.read_text(encoding="utf-8")
        sized.write_text(
            text.replace("</head>", f"<style>@page {{ size: {PAPER} }}</style></head>", 1), encoding="utf-8"
        )
        _run(browser, f"--print-to-pdf={printed}", "--no-pdf-header-footer", sized.absolute().as_uri())
        content = printed.read_bytes() if printed.is_file() else b""
    # The last line of every PDF (ISO 32000-1, 7.5.5).
    if not content.startswith(b"%PDF-") or b"%%EOF" not in content[-1024:]:
        raise UsageError(f"{browser} printed no PDF of {page}.", next_step="Open the page and print it.")
    write_bytes(output, content)


def draw_vectors(browser: str, pictures: Mapping[str, Picture]) -> dict[str, str]:
    """Figures as SVG, by the names that they are given: square and plain ones of one column, broad ones of two.

    Raises:
        UsageError: the browser fails or draws none.
    """
    sizes = {}
    for name, picture in pictures.items():
        width = (PAGE if picture.is_broad else COLUMN) * MILLIMETRE
        height = width if is_square(picture) else min(picture.figure["layout"].get("height", 420), width)
        sizes[name] = [round(width), round(height)]
    figures = {name: picture.figure for name, picture in pictures.items()}
    script = (
        "const read = (id) => JSON.parse(document.getElementById(id).textContent);"
        "const figures = read('figures'), sizes = read('sizes'), template = read('template');"
        "(async () => { for (const name of Object.keys(figures)) {"
        " const [width, height] = sizes[name]; const own = figures[name].layout;"
        # Letters of the paper's size also above panels, which stand below the upper edge with all their lines.
        " const annotations = (own.annotations || []).map((one) => ({...one, font: {...one.font, size: 9}}));"
        " const above = annotations.filter((one) => one.yref === 'paper' && one.yanchor === 'bottom' && one.y >= 0.99);"
        " const lines = Math.max(0, ...above.map((one) => one.text.split('<br>').length));"
        " const layout = {...own, template, width, height, annotations,"
        " title: {text: ''}, autosize: false, font: {size: 9}, margin: {l: 48, r: 8, t: Math.max(26, 8 + 13 * lines), b: 40}};"
        " const url = await Plotly.toImage({data: figures[name].data, layout}, {format: 'svg', width, height});"
        " const place = document.createElement('pre'); place.className = 'svg'; place.dataset.name = name;"
        " place.textContent = decodeURIComponent(url.slice(url.indexOf(',') + 1)); document.body.append(place); } })();"
    )
    page = (
        '<!doctype html><meta charset="utf-8"><body>'
        f'<script type="application/json" id="figures">{embed_json(figures)}</script>'
        f'<script type="application/json" id="sizes">{embed_json(sizes)}</script>'
        f'<script type="application/json" id="template">{embed_json(make_template("light"))}</script>'
        f"<script>{read_plotly()}</script><script>{script}</script>"
    )
    with scratch() as folder:
        path = folder / "figures.html"
        path.write_text(page, encoding="utf-8")
        shown = _run(browser, "--dump-dom", path.as_uri())
    found = re.findall(r'<pre class="svg" data-name="([^"]*)">(.*?)</pre>', shown, re.DOTALL)
    drawn = {html.unescape(name): html.unescape(text) for name, text in found}
    if drawn.keys() != pictures.keys():
        raise UsageError(
            f"{browser} drew {len(drawn)} of {len(pictures)} figures.",
            next_step="Save the pictures from the page with the camera above each figure.",
        )
    return drawn


def _run(browser: str, *options: str) -> str:
    with scratch() as profile:
        common = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=60000",
                  "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"]  # fmt: skip
        try:
            done = subprocess.run(
                [browser, *common, *options],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UsageError(
                f"{browser} does not work here: {type(error).__name__}.",
                next_step="Install Chromium (Debian: apt-get install chromium), or name one in BROWSER_PATH.",
            ) from error
    return done.stdout

"""Debian's Chromium through Playwright: pages as a reader sees them, and everything that went wrong on them."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
PATIENCE = 120_000
"""Milliseconds; a busy machine takes its time with five megabytes of JavaScript."""


def find_chromium() -> str:
    """The browser of this machine."""
    for program in PROGRAMS:
        found = shutil.which(program)
        if found:
            return found
    pytest.skip("no Chromium here (Debian: apt-get install chromium)")


@contextmanager
def open_browser() -> Iterator[Any]:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_tab(browser: Any, **options: Any) -> Iterator[tuple[Any, list[str]]]:
    """A page of a context of its own, and the list of what went wrong on it so far."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    # A stream of events is broken off when its page is left.
    page.on(
        "requestfailed",
        lambda request: (
            None if request.url.endswith("/orch/events") else wrong.append(f"failed: {request.url[:200]}")
        ),
    )
    try:
        yield page, wrong
    finally:
        context.close()


def run_axe(page: Any) -> list[str]:
    """What axe-core calls serious or critical on a page, one line each."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


WIDTHS = (390, 1280, 1920)
WIDE = WIDTHS[1:]
"""optuna-dashboard is not made for phones."""
LOOK = """() => {
  const bad = [];
  const seen = (element) => element.getClientRects().length > 0 && !element.closest("details:not([open])");
  // Contrast as WCAG 2 computes it, of every text against the first painted ground behind it.
  const light = (colour) => {
    const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let place = element; place; place = place.parentElement) {
      const painted = getComputedStyle(place).backgroundColor;
      if (!/, 0\\)$|transparent/.test(painted)) return painted;
    }
    return "rgb(255, 255, 255)";
  };
  for (const element of document.querySelectorAll("p, li, dt, dd, b, td, th, caption, figcaption, a, summary, h1, h2, h3, h4, pre")) {
    if (!seen(element) || !element.textContent.trim() || element.closest(".plot")) continue;
    const [one, other] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => b - a);
    if ((one + 0.05) / (other + 0.05) < 4.5) bad.push(`contrast: ${element.tagName} ${element.textContent.slice(0, 30)}`);
  }
  let last = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const level = Number(heading.tagName[1]);
    if (level > last + 1) bad.push(`heading: ${heading.tagName} after H${last}`);
    last = level;
  }
  if (document.querySelectorAll("h1").length !== 1) bad.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) bad.push("not one main");
  if (!document.documentElement.lang) bad.push("no language");
  const ids = [...document.querySelectorAll("main [id], nav [id]")].map((element) => element.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) bad.push(`twice: ${id}`);
  for (const element of document.querySelectorAll("[role=group], [role=img], [role=region], nav"))
    if (!element.getAttribute("aria-label")) bad.push(`no label: ${element.tagName} ${element.id}`);
  for (const header of document.querySelectorAll("thead th"))
    if (!header.textContent.trim() || header.scope !== "col") bad.push(`header: ${header.outerHTML}`);
  for (const element of document.querySelectorAll("main *"))
    if (seen(element) && element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX === "auto"
        && element.tabIndex < 0 && element.tagName !== "FIGURE") bad.push(`no keyboard: ${element.className}`);
  for (const link of document.querySelectorAll("nav a"))
    if (link.hash && !document.getElementById(link.hash.slice(1))) bad.push(`leads nowhere: ${link.hash}`);
  return [...new Set(bad)].slice(0, 20);
}"""
"""What a screen reader and weak eyes stumble over: contrast, order of headings, landmarks, labels, and links of the contents list."""


LEADS = """async () => {
  const bad = [];
  for (const link of document.querySelectorAll("nav a")) {
    link.click();
    await new Promise((done) => setTimeout(done, 20));
    const { top } = document.getElementById(link.hash.slice(1)).getBoundingClientRect();
    const below = document.documentElement.scrollHeight - window.innerHeight - window.scrollY;
    if (top < -2 || (top > 80 && below > 2)) bad.push(`${link.textContent}: ${top}`);
  }
  return bad;
}"""
"""Links of the contents list that do not bring their section to the top of the window, or the end of the page into it."""


def wait_for(page: Any, condition: str, seconds: float = 30) -> None:
    """Ask until it is so; the page's own policy forbids the `eval` with which Playwright's `wait_for_function` asks again."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(100)


CUT = """() => {
  const bad = [];
  const box = (element) => element.getBoundingClientRect();
  for (const plot of document.querySelectorAll(".plot.js-plotly-plot")) {
    const { left, right, top, bottom, width } = box(plot);
    if (!width) continue;
    for (const text of plot.querySelectorAll("text")) {
      const one = box(text);
      if (!one.width || !text.textContent.trim() || text.closest(".hoverlayer")) continue;
      if (one.left < left - 2 || one.right > right + 2 || one.top < top - 2 || one.bottom > bottom + 2)
        bad.push(`${plot.id} cuts: ${text.textContent.slice(0, 60)}`);
    }
  }
  for (const interval of document.querySelectorAll(".ends"))
    if (interval.getClientRects().length > 1) bad.push(`torn: ${interval.textContent}`);
  for (const element of document.querySelectorAll("main *, nav *, header *")) {
    if (element.closest(".plot") || element.classList.contains("hidden") || !element.clientWidth) continue;
    const { overflowX, display } = getComputedStyle(element);
    if (overflowX === "visible" && display !== "inline" && element.scrollWidth > element.clientWidth + 1)
      bad.push(`wider than its box: ${element.tagName} ${element.textContent.slice(0, 60)}`);
  }
  return bad.slice(0, 20);
}"""
"""Texts that leave their figure or their box, and intervals that go on in the next line."""


def check_widths(page: Any, selector: str, widths: tuple[int, ...] | None = None) -> None:
    """Nothing is wider than the window on a phone, a laptop and a desktop."""
    page.wait_for_selector(selector)
    for width in widths or WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wait_for(page, "document.documentElement.scrollWidth <= window.innerWidth + 1")


def check_whole(page: Any, seconds: float = 30) -> None:
    """Nothing is cut, once the figures are drawn for this window."""
    end = time.monotonic() + seconds
    while (cut := page.evaluate(CUT)) and time.monotonic() < end:
        page.wait_for_timeout(200)
    assert cut == [], page.viewport_size


def check_report(browser: Any, file: Path, **options: Any) -> None:
    """Every figure that is not folded is drawn, nothing is asked of a network, nothing is wider than the screen, all can be read."""
    with open_tab(browser, offline=True, **options) as (page, wrong):
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri(), wait_until="commit")
        page.wait_for_selector("html[data-drawn]", state="attached")
        drawn = page.locator("figure .plot.js-plotly-plot").count()
        folded = page.locator("details:not([open]) figure .plot").count()
        assert int(page.get_attribute("html", "data-drawn")) == drawn >= 3
        assert drawn + folded == page.locator("figure .plot").count() >= 9
        assert page.evaluate(LOOK) == []
        assert page.evaluate(LEADS) == []
        assert run_axe(page) == []
        for width in WIDTHS if "viewport" not in options else (options["viewport"]["width"],):
            page.set_viewport_size({"width": width, "height": 900})
            # A figure is drawn again after the window has its new width.
            wait_for(page, "document.documentElement.scrollWidth <= window.innerWidth + 1")
            check_whole(page)
        page.evaluate("for (const one of document.querySelectorAll('details.more-figures')) one.open = true")
        wait_for(
            page, "document.querySelectorAll('details.more-figures .plot:not(.js-plotly-plot)').length === 0"
        )
        check_whole(page)
        # Where it cannot be had, a figure that asks for it says so in place of its drawing.
        assert "WebGL" not in page.inner_text("body")
        assert [url for url in requests if not re.match(r"file:|data:|blob:", url)] == []
        assert wrong == []


def count_printed_pages(browser: Any, file: Path, paper: str) -> int:
    """Pages of a report on paper, without its appendix."""
    with open_tab(browser) as (page, _):
        page.goto(file.as_uri())
        wait_for(page, "document.querySelectorAll('.plot svg').length > 0")
        page.add_style_tag(content=".appendix { display: none !important }")
        return len(re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper)))

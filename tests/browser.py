"""Debian's Chromium through Playwright: pages as a reader sees them, and everything that went wrong on them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
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

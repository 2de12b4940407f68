"""The docs as a site: built without a network, complete, and read without asking another host for anything."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.browser import open_browser, open_tab, wait_for
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.thorough

LOADED = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=\"?([^\" >]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make docs` builds it: a broken link or anchor, or a page that no menu names, ends the build."""
    folder = tmp_path_factory.mktemp("site")
    # An address without a service: what asked for another host would fail.
    away = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", folder],
        cwd=REPOSITORY,
        env=os.environ | away | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 50
    outside = {
        address
        for page in pages
        for address in LOADED.findall(page.read_text(encoding="utf-8"))
        if re.match(r"(https?:)?//", address)
    }
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert outside == set()
    assert re.findall(r"url\(\s*[\"']?(?:https?:)?//|@import[^;]*//", styles) == []


def test_the_stable_names_are_explained_from_their_docstrings(site: Path) -> None:
    import orch

    page = (site / "api.html").read_text(encoding="utf-8")
    assert [name for name in orch.__all__ if f">{name}<" not in page and f"{name}\n" not in page] == []
    assert "the highest value, or None" in page


def test_it_is_searched_as_files_without_a_request_or_an_error(site: Path) -> None:
    with (
        open_browser() as browser,
        open_tab(browser, viewport={"width": 1280, "height": 900}) as (tab, wrong),
    ):
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto((site / "index.html").as_uri())
        tab.locator("input[name=query]").click()
        tab.keyboard.type("fingerprint")
        tab.wait_for_selector(".md-search-result__link")
        assert tab.locator(".md-search-result__link").count() >= 3
        assert wrong == []
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
        for width in (390, 1280, 1920):
            tab.set_viewport_size({"width": width, "height": 900})
            # The search's results move for a moment when the window has its new width.
            wait_for(tab, f"document.documentElement.scrollWidth <= {width}")


def test_every_link_within_the_site_leads_to_a_file_and_a_place_in_it(site: Path) -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    places = {path: set(re.findall(r"\bid=\"?([^\"\s>]+)", text)) for path, text in texts.items()}
    broken = []
    for path, text in texts.items():
        for link in re.findall(r"href=\"?([^\"\s>]+)", text):
            file, _, place = link.partition("#")
            if path.name == "404.html" or re.match(r"[a-z]+:|//", link):
                continue
            target = (path.parent / file).resolve() if file else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (place and unquote(place) not in places.get(target, {unquote(place)})):
                broken.append(f"{path.name}: {link}")
    assert broken == []

"""What is added to optuna-dashboard's page: a style, a script, and what they ask for."""

import json
from typing import Any

import pytest

from dashboards.figures.palette import INK, make_template
from dashboards.server.optuna_pages import SCRIPT, STYLE, SUMMARIES, add_to_pages, extend_page, themed_style
from dashboards.server.overview import Overview, StudyLine
from tests.unit.dashboards.server.test_login import Browser, behind

LINE = StudyLine(
    "u",
    "a <study>",
    3,
    "open",
    "good",
    10,
    4,
    1,
    1,
    2,
    "AUC",
    "0.8123",
    2,
    "when finished",
    "5 min",
    True,
    "",
)


class Page:
    """Stands in for the start page: one study."""

    has_reports = True

    class poller:  # noqa: N801
        find_overview = staticmethod(lambda: Overview(0.0, studies=[LINE]))

    def __call__(self, *request: Any) -> Any:
        return behind(*request)


@pytest.fixture
def browser() -> Browser:
    page: Any = Page()
    return Browser(add_to_pages(page, allow_edit=False))


def test_the_page_runs_our_script_before_its_own_and_says_what_is_allowed(browser: Browser) -> None:
    for path in ("/dashboard", "/dashboard/", "/dashboard/studies/3"):
        assert browser.request(path) == 200
        page = browser.body.decode()
        assert page.index(SCRIPT) < page.index("/static/bundle.js")
        assert STYLE in page
        assert 'data-access="read"' in page
    assert 'data-access="edit"' in extend_page(allow_edit=True)
    for path in ("/static/bundle.js", "/api/studies", "/dashboards"):
        browser.request(path)
        assert browser.body == b"the studies"
    browser.request("/dashboard", "POST")
    assert browser.body == b"the studies"


def test_the_list_is_told_progress_best_and_corrected_value(browser: Browser) -> None:
    assert browser.request(SUMMARIES) == 200
    told = json.loads(browser.body)["3"]
    assert (told["settled"], told["planned"], told["best"], told["corrected"]) == (
        6,
        10,
        "0.8123",
        "when finished",
    )
    assert told["report"] == "/orch/report/a%20%3Cstudy%3E"
    assert browser.request("/api/studies/3/param_importances") == 200
    assert json.loads(browser.body) == {"param_importances": []}


def test_every_colour_of_the_light_template_has_its_dark_one() -> None:
    style = themed_style()
    assert make_template("light")["layout"]["font"]["color"] == INK["light"]
    assert '[style*="fill: rgb(31, 36, 48)"]' in style
    assert f"fill: {INK['dark']} !important" in style
    assert style.count("{") == style.count("}") >= 8

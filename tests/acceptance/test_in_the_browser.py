"""The installed dashboard and the page to send, driven in a real browser."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from dashboards.pages.publish import publish_study
from dashboards.tables.view import read_view
from storage.database.opening import open_database
from tests.browser import open_browser, open_tab, run_axe
from tests.generated_studies import reference_study, regime_two_study, sized_study
from tests.light_worker import work
from tests.studies import make_study, processes

PASSWORD = "a password of our own"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def storage(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Regime I with its pages published, Regime II, and a study of failures only."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "orch.db").write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{folder / 'orch.db'}"
    database = open_database(url)
    publish_study(database, reference_study(database))
    regime_two_study(database)
    sized_study(database, "failures", 4, failed=4)
    database.close()
    return url


@pytest.fixture(scope="module")
def address(storage: str, orch_program: Path) -> Iterator[str]:
    """A running `orch dashboard` with a password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [orch_program, "dashboard", "--port", str(port), "--storage", storage],
        env={**os.environ, "ORCH_DASHBOARD_PASSWORD": PASSWORD},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in range(240):
            try:
                assert urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).read() == b"ok\n"
                break
            except OSError:
                assert server.poll() is None, server.stderr.read() if server.stderr else ""
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        assert server.stderr is not None
        assert PASSWORD not in server.stderr.read()


def log_in(page: Any, address: str) -> None:
    page.goto(f"{address}/")
    page.fill("#password", PASSWORD)
    page.click("button")
    page.wait_for_selector("text=regime-1")


@contextmanager
def looked_at(browser: Any, address: str, path: str, **options: Any) -> Iterator[tuple[Any, list[str]]]:
    """A page behind the login, whose requests all go to this server."""
    with open_tab(browser, **options) as (page, wrong):
        log_in(page, address)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{address}{path}")
        yield page, wrong
        assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []
        assert wrong == []


def check_widths(page: Any, selector: str, widths: tuple[int, ...] | None = None) -> None:
    """Nothing is wider than the window on a phone, a laptop and a desktop."""
    page.wait_for_selector(selector)
    for width in widths or WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wait_for(page, "document.documentElement.scrollWidth <= window.innerWidth + 1")


@pytest.mark.main_tier("light")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_start_page_can_be_read_by_everybody(browser: Any, address: str, scheme: str) -> None:
    with looked_at(browser, address, "/", color_scheme=scheme, viewport=DESK) as (page, _):
        page.wait_for_selector("text=Live.")
        assert page.evaluate(LOOK) == []
        assert run_axe(page) == []
        check_widths(page, "td >> text=regime-2")
        assert page.locator("td >> text=regime-1").count() == 1
        # The best, and what it is worth after the choice: the publisher kept it.
        assert re.search(r"0\.\d{4} AUC, trial \d+", page.inner_text("tr:has-text('regime-1')"))
        assert "ResourceExhaustedError" in page.inner_text(".troubles")
        page.set_viewport_size(PHONE)
        assert run_axe(page) == []


def test_the_start_page_leads_to_the_report_and_to_optuna_dashboard(browser: Any, address: str) -> None:
    with looked_at(browser, address, "/", viewport=DESK) as (page, wrong):
        page.click("a[aria-label='Report of regime-2']")
        page.wait_for_selector("html[data-drawn]", state="attached")
        assert page.locator("figure .plot.js-plotly-plot").count() >= 4
        page.goto(f"{address}/")
        page.click("a[aria-label='regime-2 in optuna-dashboard']")
        page.wait_for_url("**/dashboard/studies/*")
        page.wait_for_selector("nav.orch-bar >> text=workers and studies")
        assert wrong == []


def test_a_worker_that_is_killed_is_lost_within_its_lease(
    browser: Any, address: str, storage: str, tmp_path: Path
) -> None:
    database = open_database(storage)
    study = make_study(database, "at-work", points=2)
    worker = processes.Process(target=work, args=(storage, study.name, 0.5, str(tmp_path)))
    worker.start()
    try:
        with looked_at(browser, address, "/") as (page, _):
            row = "table >> nth=0 >> tr:has-text('at-work')"
            page.wait_for_selector(f"{row} >> text=working")
            assert re.search(r"epoch \d of 4", page.inner_text(row))
            worker.kill()
            killed_at = time.monotonic()
            page.wait_for_selector(f"{row} >> text=lost")
            # Its lease, and two turns of the poller on a busy machine.
            assert time.monotonic() - killed_at < study.spec.study.lease_seconds + 5
            assert "1 lost" in page.inner_text("#said")
    finally:
        worker.kill()
        worker.join()
        database.close()


def test_without_a_script_the_start_page_reloads_itself(browser: Any, address: str) -> None:
    with open_tab(browser, java_script_enabled=False) as (page, _):
        log_in(page, address)
        assert page.locator("noscript meta[http-equiv=refresh], meta[http-equiv=refresh]").count() == 1
        assert "reloads by itself" in page.inner_text("#live")


def test_optuna_dashboard_tells_progress_keeps_its_theme_and_says_why_it_refuses(
    browser: Any, address: str, storage: str
) -> None:
    with looked_at(browser, address, "/dashboard", color_scheme="dark", viewport=DESK) as (page, wrong):
        page.wait_for_selector(".orch-summary >> text=32 of 32 trials finished")
        assert page.locator("button:visible", has_text="Create").count() == 0
        assert page.locator("[aria-label='delete study']:visible").count() == 0
        check_widths(page, ".orch-summary", WIDE)
        page.set_viewport_size(DESK)
        page.goto(f"{address}/dashboard/studies/1")
        figure = page.wait_for_selector("[id='user-defined-plot:orch-1-search'].js-plotly-plot")
        wait_for(page, "document.documentElement.dataset.orchTheme === 'dark'")
        ground = "element => getComputedStyle(element.querySelector('.main-svg')).backgroundColor"
        assert figure.evaluate(ground) == "rgba(0, 0, 0, 0)"
        ink = "element => getComputedStyle(element.querySelector('.gtitle')).fill"
        assert figure.evaluate(ink) == "rgb(228, 231, 236)"
        assert page.locator(".orch-instead").count() == 1
        check_widths(page, ".orch-instead", WIDE)
        page.goto(f"{address}/dashboard/studies/1/trials?numbers=1")
        check_widths(page, "text=Trial 1 (trial_id=", WIDE)
        page.evaluate("fetch('/api/studies/1', {method: 'DELETE', body: '{}'})")
        page.wait_for_selector("[role=alert] >> text=Start it with --allow-edit")
        # The browser itself notes the refusal.
        wrong.clear()


def test_a_wrong_password_fails_and_the_right_one_shows_the_studies(browser: Any, address: str) -> None:
    with open_tab(browser) as (page, _):
        page.goto(f"{address}/dashboard/studies/1")
        assert "/login" in page.url
        page.fill("#password", "guess")
        page.click("button")
        assert page.inner_text(".wrong") == "That is not the password."
        assert "regime-1" not in page.content()
        # A person takes longer than this address must wait now.
        page.wait_for_timeout(600)
    with open_tab(browser) as (page, wrong):
        log_in(page, address)
        for name in ("regime-1", "regime-2", "failures"):
            page.wait_for_selector(f"text={name}")
        assert wrong == []


@pytest.mark.thorough
def test_a_study_shows_its_figures_and_its_note(browser: Any, address: str) -> None:
    with open_tab(browser, color_scheme="light", viewport=DESK) as (page, wrong):
        log_in(page, address)
        page.goto(f"{address}/dashboard/studies/1")
        for text in ("how much folds differ", "importance of hyperparameters", "pruning saved", "worker timeline",
                     "folds of the best trial", "batch size (images) x dropout rate"):  # fmt: skip
            page.wait_for_selector(f".js-plotly-plot >> text={text}")
        page.set_viewport_size(PHONE)
        page.emulate_media(color_scheme="dark")
        page.goto(f"{address}/dashboard/studies/1/note")
        page.wait_for_selector("text=trials finished")
        assert "val_auc" in page.content()
        assert wrong == []


@pytest.mark.thorough
def test_a_trial_shows_its_fold_curves_drawn_and_as_numbers(browser: Any, address: str, storage: str) -> None:
    database = open_database(storage)
    view = read_view(database, reference_study(database))
    database.close()
    assert view.best is not None
    with open_tab(browser) as (page, wrong):
        log_in(page, address)
        page.goto(f"{address}/dashboard/studies/1/trials?numbers={view.best.trial_number}")
        picture = page.wait_for_selector("img[alt^='Fold curves']")
        page.wait_for_function("image => image.complete && image.naturalWidth > 300", arg=picture)
        page.wait_for_selector("text=Validation AUC by epoch")
        assert page.locator("table >> text=f6").count() == 1
        assert wrong == []


def test_what_would_change_something_is_refused(browser: Any, address: str) -> None:
    with open_tab(browser) as (page, _):
        log_in(page, address)
        # From a script on the page itself, which has the cookie and the right origin.
        asked = """async ([method, path, body]) => {
            const answer = await fetch(path, {method, body: body ? JSON.stringify(body) : undefined,
                                              headers: {"Content-Type": "application/json"}});
            return [answer.status, await answer.text()];
        }"""
        for request in (["DELETE", "/api/studies/1", {}], ["POST", "/api/trials/1/tell", {"state": "Fail"}]):
            status, text = page.evaluate(asked, request)
            assert status == 403
            assert "only shows" in text
        page.reload()
        page.wait_for_selector("text=regime-1")


def write_report(run: Callable[..., Any], storage: str, names: list[str], output: Path) -> None:
    made = run("report", *names, "-o", output, "--storage", storage)
    assert made.returncode == 0, made.stderr


@pytest.fixture(scope="module")
def sized(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("sized")
    (folder / "orch.db").write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{folder / 'orch.db'}"
    database = open_database(url)
    # Fewer folds and epochs than a study has: how large a page gets with all of them is held by test_dashboard_pages.
    sized_study(database, "five-hundred", 500, folds=3, epochs=8, pruned=False)
    database.close()
    return url


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
        page.evaluate("document.querySelector('details.more-figures').open = true")
        wait_for(
            page,
            "document.querySelectorAll('details.more-figures[open] .plot:not(.js-plotly-plot)').length === 0",
        )
        # Where it cannot be had, a figure that asks for it says so in place of its drawing.
        assert "WebGL" not in page.inner_text("body")
        assert [url for url in requests if not re.match(r"file:|data:|blob:", url)] == []
        assert wrong == []


def test_a_report_of_five_hundred_trials_opens_from_a_file_without_a_network(
    browser: Any, run_here: Callable[..., Any], sized: str, tmp_path: Path
) -> None:
    write_report(run_here, sized, ["five-hundred"], tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 6_000_000
    check_report(browser, tmp_path / "report.html")


@pytest.mark.thorough
def test_a_report_of_several_studies_suits_a_dark_screen_and_a_phone(
    browser: Any, run_orch: Callable[..., Any], storage: str, tmp_path: Path
) -> None:
    write_report(run_orch, storage, ["regime-1", "regime-2", "failures"], tmp_path / "report.html")
    check_report(browser, tmp_path / "report.html", color_scheme="dark", viewport=PHONE)

"""The installed dashboard, driven in a real browser."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from dashboards.pages.publish import publish_study
from dashboards.tables.view import read_view
from storage.database.opening import open_database
from tests.browser import DESK, LOOK, PHONE, WIDE, check_widths, open_tab, run_axe, wait_for
from tests.generated_studies import reference_study, regime_two_study, sized_study
from tests.light_worker import work
from tests.studies import make_study, processes

PASSWORD = "a password of our own"

pytestmark = pytest.mark.slow


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

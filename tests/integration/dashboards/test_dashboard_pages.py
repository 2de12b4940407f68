"""Notes and figures in optuna-dashboard, what the server lets through, and the page to send."""

import contextlib
import http.client
import json
import math
import re
import socket
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna_dashboard import get_note

from dashboards.figures.gallery import draw_study
from dashboards.pages.html import prepare_table
from dashboards.pages.notes import escape, write_study_note, write_trial_note
from dashboards.pages.publish import CARD_HEIGHT, Publisher, draw_published, publish_study
from dashboards.pages.report import write_page
from dashboards.server import connections
from dashboards.server.connections import make_server
from dashboards.server.login import comes_from_here
from dashboards.server.serve import add_transport_security, make_application, serve_dashboard
from dashboards.tables.answer import ask
from dashboards.tables.view import list_trials, read_view
from orchestrator.studies.publishing import publish_unpublished
from orchestrator.studies.reporting import read_chapter
from storage.database.engine import Database
from storage.errors import UsageError
from storage.studies.publishing import begin_publishing, end_publishing
from storage.studies.study import StudyRecord
from storage.trust.selection import judge_selection
from tests.conftest import REPOSITORY
from tests.generated_studies import reference_study, regime_two_study, sized_study
from tests.studies import PretendObjective, make_study
from tests.unit.dashboards.server.test_login import Browser
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker


def study_page(database: Database, study: StudyRecord) -> dict[str, Any]:
    browser = Browser(make_application(database, password=None, allow_edit=False))
    assert browser.request(f"/api/studies/{study.optuna_study_id}") == 200
    return json.loads(browser.body)


def test_a_published_figure_is_no_higher_than_its_card(sqlite: Database) -> None:
    drawn = draw_published(read_view(sqlite, regime_two_study(sqlite)))
    assert max(figure["layout"]["height"] for _, figure in drawn) == CARD_HEIGHT


def test_a_published_study_has_its_note_its_figures_and_the_notes_of_its_trials(database: Database) -> None:
    study = sized_study(database, "small", 12, failed=2, folds=3, epochs=4)
    assert publish_study(database, study)
    page = study_page(database, study)
    view = read_view(database, study)
    assert view.best is not None
    assert page["objective_names"] == ["val_auc"]
    assert f"**{view.best.value:.4f}**" in page["note"]["body"]
    assert "12 of 12 trials finished" in page["note"]["body"]
    figures = {one["id"]: json.loads(one["graph_object"]) for one in page["plotly_graph_objects"]}
    assert sorted(figures) == ["orch-1-search", "orch-2-best-curves", "orch-3-importance", "orch-4-pruning",
                               "orch-5-folds", "orch-6-fleet"]  # fmt: skip
    assert all("paper_bgcolor" in figure["layout"]["template"]["layout"] for figure in figures.values())
    notes = {trial["number"]: trial["note"]["body"] for trial in page["trials"]}
    assert "ResourceExhaustedError" in notes[0]
    best = notes[view.best.trial_number]
    assert "|epoch|mean|f1|f2|f3|" in best
    assert f"/orch/curves/{study.optuna_study_id}/{view.best.trial_id}.svg" in best


def test_publishing_again_replaces_and_does_not_pile_up(sqlite: Database) -> None:
    study = sized_study(sqlite, "small", 6, folds=2, epochs=3)
    publish_study(sqlite, study)
    before = sqlite.optuna.get_study_system_attrs(study.optuna_study_id).keys()
    assert publish_study(sqlite, study, force=True)
    after = sqlite.optuna.get_study_system_attrs(study.optuna_study_id).keys()
    assert before == after


def test_one_publisher_at_a_time_and_not_all_the_time(database: Database) -> None:
    study = make_study(database)
    assert begin_publishing(database, study, pause=30)
    assert not begin_publishing(database, study, pause=30)
    assert not begin_publishing(database, study, pause=30, force=True)
    end_publishing(database, study, pause=30)
    assert not begin_publishing(database, study, pause=30)
    assert begin_publishing(database, study, pause=30, force=True)
    end_publishing(database, study, pause=0)
    assert begin_publishing(database, study, pause=30)


def test_a_worker_keeps_the_pages_fresh_and_publishes_the_end(sqlite: Database) -> None:
    import optuna

    study = make_study(sqlite, points=5)
    calls: list[str] = []
    publisher = Publisher(sqlite)

    def publish(published: StudyRecord) -> None:
        publisher(published)
        page = optuna.load_study(study_name=published.name, storage=sqlite.optuna)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            calls.append(get_note(page).partition("** of")[0].partition(" trials finished")[0])

    worker = Worker(Circumstances(sqlite, after_trial=publish), lambda _: PretendObjective())
    worker.run(lambda: [study])
    assert len(calls) == 5
    # The first trial and the last are published; those between fall into the pause.
    assert [re.findall(r"\d+ of \d+", text)[0] for text in calls] == ["1 of 5"] * 4 + ["5 of 5"]


def test_a_publisher_that_fails_does_not_reach_the_worker(sqlite: Database) -> None:
    study = make_study(sqlite, points=2)
    sqlite.optuna.delete_study(study.optuna_study_id)
    Publisher(sqlite)(study)


def test_studies_that_nobody_published_are_published_when_the_dashboard_starts(sqlite: Database) -> None:
    study = sized_study(sqlite, "old", 4, folds=2, epochs=2)
    publish_unpublished(sqlite).join(60)
    assert study_page(sqlite, study)["plotly_graph_objects"]


def test_a_name_cannot_become_markdown(sqlite: Database) -> None:
    study = make_study(sqlite, "[x](javascript:1) <img src=x>")
    note = write_study_note(read_view(sqlite, study))
    assert "[x](" not in note
    assert "\\<img" in note
    assert escape("a_b*c") == "a\\_b\\*c"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/studies/1"),
        ("POST", "/api/trials/1/tell"),
        ("POST", "/api/studies/1/rename"),
        ("PUT", "/api/studies/1/note"),
        ("POST", "/api/studies"),
        ("PATCH", "/api/studies/1"),
        ("OPTIONS", "/api/studies/1"),
        ("TRACE", "/"),
    ],
)
def test_a_dashboard_that_only_shows_lets_only_reading_through(
    sqlite: Database, method: str, path: str
) -> None:
    study = make_study(sqlite)
    browser = Browser(make_application(sqlite, password="p", allow_edit=False))
    browser.log_in("p")
    assert browser.request(path, method, HTTP_ORIGIN="http://localhost:8080") == 403
    assert b"--allow-edit" in browser.body
    assert sqlite.optuna.get_study_name_from_id(study.optuna_study_id) == study.name


def test_allow_edit_lets_changes_through_from_this_site_only(sqlite: Database) -> None:
    study = make_study(sqlite)
    browser = Browser(make_application(sqlite, password="p", allow_edit=True))
    path = f"/api/studies/{study.optuna_study_id}"
    assert browser.request(path, "DELETE", HTTP_ORIGIN="http://localhost:8080", HTTP_ACCEPT="*/*") == 401
    browser.log_in("p")
    assert browser.request(path, "DELETE", HTTP_ORIGIN="http://evil.example") == 403
    assert browser.request(path, "DELETE", HTTP_ORIGIN="http://localhost:8080") == 204


def test_without_a_login_only_this_machine_is_answered(sqlite: Database) -> None:
    """A site that rebinds its name to 127.0.0.1 is its own origin in the browser: only the name tells."""
    study = make_study(sqlite)
    browser = Browser(make_application(sqlite, password=None, allow_edit=True))
    elsewhere = {"HTTP_HOST": "rebound.evil.example:8080", "HTTP_ORIGIN": "http://rebound.evil.example:8080"}
    path = f"/api/studies/{study.optuna_study_id}"
    assert browser.request("/api/studies", **elsewhere) == 403
    assert browser.request(path, "DELETE", **elsewhere) == 403
    assert browser.request("/healthz", HTTP_HOST="probe") == 200
    assert browser.request("/api/studies") == 200
    for headers in ({}, {"HTTP_ORIGIN": "http://evil.example"}, {"HTTP_SEC_FETCH_SITE": "cross-site"}):
        assert browser.request(path, "DELETE", **headers) == 403
    assert browser.request(path, "DELETE", HTTP_ORIGIN="http://localhost:8080") == 204


def test_what_studies_hold_stays_in_no_cache_and_forms_lead_nowhere_else(sqlite: Database) -> None:
    browser = Browser(make_application(sqlite, password="p", allow_edit=False))
    browser.log_in("p")
    for path in ("/dashboard", "/api/studies", "/orch/curves/1/1.svg", "/api/meta"):
        browser.request(path)
        assert browser.headers["Cache-Control"] == "no-store", path
        assert "form-action 'self'" in browser.headers["Content-Security-Policy"]
        assert "Strict-Transport-Security" not in browser.headers
    browser.request("/static/bundle.js")
    assert browser.headers.get("Cache-Control") != "no-store"
    secured = Browser(add_transport_security(browser.application))
    for path in ("/login", "/dashboard", "/healthz"):
        secured.request(path)
        assert secured.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_guessers_and_silent_connections_take_nothing_from_others(sqlite: Database) -> None:
    """24 guessers and 200 connections that say nothing or half a request: pages below 1 s, /healthz below 0.1 s."""
    publish_study(sqlite, sized_study(sqlite, "small", 6, folds=2, epochs=3))
    server = make_server(make_application(sqlite, password="p", allow_edit=False), "127.0.0.1", 0)
    port = int(server.effective_port)
    serving = threading.Thread(target=server.run, daemon=True)
    serving.start()
    over = threading.Event()
    statuses: list[int] = []
    origin = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/x-www-form-urlencoded"}

    def ask(method: str, path: str, body: str = "", **headers: str) -> tuple[int, dict[str, str], float]:
        began = time.monotonic()
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
        return answer.status, dict(answer.getheaders()), time.monotonic() - began

    def guess() -> None:
        while not over.is_set():
            statuses.append(ask("POST", "/login", "password=wrong", **origin)[0])
            # A guesser waits for answers as a browser does; the test shares two cores with it.
            over.wait(0.05)

    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    began = time.monotonic()
    try:
        status, headers, _ = ask("POST", "/login", "password=p", **origin)
        assert status == 303
        cookie = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
        for place, connection in enumerate(silent):
            if place % 2:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        with ThreadPoolExecutor(24) as guessers:
            for _ in range(24):
                guessers.submit(guess)
            try:
                time.sleep(0.3)
                pages = [ask("GET", "/api/studies", **cookie)[2] for _ in range(5)]
                healths = [ask("GET", "/healthz")[2] for _ in range(9)]
            finally:
                over.set()
    finally:
        for connection in silent:
            connection.close()
        server.task_dispatcher.shutdown()
        server.close()
    assert set(statuses) == {401, 429}
    # After n guesses an address has waited for (2^n - 1) / 2 seconds.
    assert statuses.count(401) <= 1 + math.log2(1 + 2 * (time.monotonic() - began))
    assert max(pages) < 1
    assert sorted(healths)[len(healths) // 2] < 0.1


def test_connections_that_say_too_little_are_closed(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SILENT_SECONDS", 1)
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 1.0)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 112)
    server = make_server(lambda *_: [], "127.0.0.1", 0)
    server.adj.cleanup_interval = 1
    serving = threading.Thread(target=server.run, daemon=True)
    serving.start()
    address = ("127.0.0.1", int(server.effective_port))
    try:
        with (
            closing(socket.create_connection(address)) as silent,
            closing(socket.create_connection(address)) as slow,
        ):
            slow.settimeout(10)
            silent.settimeout(10)
            with contextlib.suppress(OSError):
                for _ in range(60):
                    slow.sendall(b"X")
                    time.sleep(0.1)
            with contextlib.suppress(ConnectionResetError):
                assert slow.recv(100) == b""
            assert silent.recv(1) == b""
        # More than there is room for: the oldest give way, and a newcomer is answered.
        monkeypatch.setattr(server.adj, "channel_timeout", 600)
        crowd = [socket.create_connection(address) for _ in range(130)]
        with closing(socket.create_connection(address, timeout=10)) as newcomer:
            newcomer.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert newcomer.recv(4)
        for connection in crowd:
            connection.close()
    finally:
        server.task_dispatcher.shutdown()
        server.close()


def test_every_answer_keeps_what_was_uploaded_from_acting(sqlite: Database) -> None:
    browser = Browser(make_application(sqlite, password=None, allow_edit=False))
    for path in ("/dashboard", "/api/studies", "/orch/curves/1/1.svg"):
        assert browser.request(path) == 200
        assert browser.headers["X-Content-Type-Options"] == "nosniff"
        assert "object-src 'none'" in browser.headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in browser.headers


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("page.html", "application/octet-stream"),
        ("drawing.svg", "application/octet-stream"),
        ("scan.png", "image/png"),
    ],
)
def test_an_artifact_is_sent_as_what_cannot_run(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    import optuna

    study = make_study(sqlite)
    folder = tmp_path / "artifacts"
    folder.mkdir()
    monkeypatch.setenv("ORCH_ARTIFACTS", str(folder))
    (tmp_path / name).write_text("<script>alert(1)</script>")
    identity = optuna.artifacts.upload_artifact(
        artifact_store=optuna.artifacts.FileSystemArtifactStore(str(folder)), file_path=str(tmp_path / name),
        study_or_trial=optuna.load_study(study_name=study.name, storage=sqlite.optuna),
    )  # fmt: skip
    browser = Browser(make_application(sqlite, password=None, allow_edit=False))
    assert browser.request(f"/artifacts/{study.optuna_study_id}/{identity}") == 200
    assert browser.headers["Content-Type"] == kind
    assert "sandbox" in browser.headers["Content-Security-Policy"]
    assert ("Content-Disposition" in browser.headers) == (kind == "application/octet-stream")


def test_a_public_address_needs_a_login(sqlite: Database) -> None:
    with pytest.raises(UsageError, match="no login"):
        serve_dashboard(sqlite, host="0.0.0.0", port=8080, password=None, allow_edit=False)


def test_an_error_stands_on_the_first_screen_as_it_is_measured(sqlite: Database) -> None:
    study = make_study(sqlite, "days", **{"study.metric": "neg_val_mae", "data.task": "number"})
    objective = PretendObjective(others=lambda point, fold, _: {"val_mae": 60.0 + point + fold})
    Worker(Circumstances(sqlite), lambda _: objective).run(lambda: [study])
    chapter = read_chapter(sqlite, study, [])
    assert "by mean validation mean absolute error over 3 folds" in ask(chapter.view)
    found = {line.name: line for line in chapter.answer}
    assert found["best"].value.startswith("61.000 ")
    assert "-6" not in str(found)
    chapter = replace(
        chapter, selection={"corrected_value": -63.0, "corrected_low": -66.0, "corrected_high": -61.0, "correction": "bootstrap"}
    )  # fmt: skip
    assert chapter.answer[0].value == "63.000 (61.000 to 66.000)"
    chapter = replace(chapter, selection={"corrected_at_most": -62.5})
    assert chapter.answer[0].value.startswith("at least 62.500 ")
    # Nor has a figure, a note or a table a negative error, and each axis says which way is better.
    drawn = {
        one.name: one.figure for one in draw_study(chapter.view, selection=judge_selection(sqlite, study))
    }
    values = ("choice", "best-curves", "examples", "slices")
    for name in values:
        assert min(y for line in drawn[name]["data"] for y in line["y"] if y is not None) >= 60, name
        axes = [axis for key, axis in drawn[name]["layout"].items() if key.startswith("yaxis")]
        assert "lower is better" in " ".join(axes[0]["title"]["text"].split("<br>")), name
    marks = [
        one["text"]
        for one in drawn["parallel"]["layout"]["annotations"]
        if one["x"] == len(study.spec.search)
    ]
    assert (marks[0], marks[-1]) == ("61", "66")
    best = chapter.view.best
    assert best is not None
    note = write_trial_note(chapter.view, best, chapter.view.curves_of(best.point))
    assert "mean absolute error **61.0000**" in note
    assert "-6" not in note
    shown = prepare_table(list_trials(chapter.view))
    assert shown.columns[3] == "validation mean absolute error"
    assert [row[3] for row in shown.rows] == [61, 62, 63, 64, 65, 66]


def test_the_page_to_send_holds_everything_and_asks_the_network_for_nothing(sqlite: Database) -> None:
    studies = [
        reference_study(sqlite),
        regime_two_study(sqlite),
        sized_study(sqlite, "failures", 3, failed=3),
    ]
    page = write_page([read_chapter(sqlite, study, []) for study in studies], {"orch": "0", "keras": None})
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r'(src|href)="(?!#)', own)
    assert "default-src 'none'" in own
    assert "0.8110" in own or "0.80" in own
    assert "3 of 3 trials failed" in own
    assert "OOM when allocating &lt;tensor&gt; of shape [2048,1024] &amp; type float" in own
    assert "<tensor>" not in own
    for text in (
        "How to reproduce",
        "orch study create",
        "TRIPOD+AI",
        "[search.batch_size]",
        "Comparison",
        "CLAIM 2024",
        "METRICS",
    ):
        assert text in own
    assert set(re.findall(r'href="#([^"]+)"', own)) <= set(re.findall(r'id="([^"]+)"', own))
    # Each answered item of a check list leads to the place that answers it.
    rows = re.findall(r"<td>(?:from orch|partly)</td><td class=\"long\">(.*?)</td>", own)
    assert len(rows) > 100
    assert sum("<a href=" in one for one in rows) > 0.8 * len(rows)
    questions = (REPOSITORY / "docs" / "twelve-questions.md").read_text()
    places = re.findall(r"`#([a-z0-9-]+)` \|$", questions, re.MULTILINE)
    # Results per label need the labels, which are not here.
    assert len(places) == 12
    assert {
        f'id="{place}"' for place in places if place != "s0-results" and f'id="{place}"' not in own
    } == set()
    # Each number of the first screen has an interval, or says why not.
    answers = re.findall(r"<dd><b>(.*?)</b>", own)
    assert len(answers) == 11
    assert all(" to " in one or "no interval" in one or not re.search(r"\d", one) for one in answers), answers
    figures = json.loads(re.findall(r'<script type="application/json" id="figures">(.*?)</script>', page)[0])
    assert {name.partition("-")[0] for name in figures} == {"all", "s0", "s1", "s2"}
    assert all(f'id="{name}"' in own for name in figures)


@pytest.mark.thorough
def test_the_page_of_five_hundred_trials_is_under_six_megabytes(sqlite: Database) -> None:
    study = sized_study(sqlite, "large", 500, folds=6, epochs=20, pruned=False)
    page = write_page([read_chapter(sqlite, study, [])], {"orch": "0"})
    assert len(page.encode()) < 6_000_000
    assert page.count("<tr") > 500


def test_a_request_without_any_word_of_its_origin_is_from_elsewhere() -> None:
    assert not comes_from_here({})

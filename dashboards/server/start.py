"""The start page in front of optuna-dashboard: the fleet now, the studies, what went wrong, and links to the rest."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from dashboards.pages.html import read_asset, render
from dashboards.server.live import EVENTS, Poller, Stream, Streams
from dashboards.server.login import Application, read_cookie
from dashboards.server.overview import Overview
from storage.database.engine import Database
from storage.errors import OrchError
from storage.wording import say_instant

START = "/"
NOW, REPORTS = "/orch/now", "/orch/report/"
ASSETS = {
    "/orch/start.css": "text/css; charset=utf-8",
    "/orch/start.js": "text/javascript; charset=utf-8",
}
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
REPORT_SECONDS = 20.0
"""How long a reader waits for a report that is drawn for another one."""
KEPT_SECONDS = 60.0
"""A report is drawn again when it is asked for later than this."""
MOST_REPORTS = 4
"""So many are kept; each has some megabytes."""
SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class StartPage:
    """The application with our pages in front; everything else is passed on.

    Args (of the constructor):
        application: what stands behind.
        database: the studies.
        write_report: from the name of a study to its report as HTML; None where reports are not served.
        has_login: whether there is something to log out of.
    """

    def __init__(
        self,
        application: Application,
        database: Database,
        *,
        write_report: Callable[[str], str] | None = None,
        has_login: bool = False,
    ) -> None:
        """Nothing is read yet."""
        self._application = application
        self._write_report = write_report
        self._has_login = has_login
        self._place = database.url_text
        self.poller = Poller(database, self._render_now)
        self._streams = Streams()
        self._drawing = threading.Lock()
        self._reports: dict[str, tuple[float, str]] = {}

    @property
    def has_reports(self) -> bool:
        """Whether reports are served."""
        return self._write_report is not None

    def __call__(self, environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path, method = environment.get("PATH_INFO", START), environment.get("REQUEST_METHOD", "GET")
        if method not in ("GET", "HEAD"):
            return self._application(environment, start_response)
        if path == EVENTS:
            return self._stream(environment, start_response, method)
        if path in (START, ""):
            page = render(
                "start.html", now=self.poller.look(), clock=_clock(self.poller.find_time()), place=self._place,
                has_login=self._has_login,
            )  # fmt: skip
            return _send(environment, start_response, page)
        if path == NOW:
            return _send(environment, start_response, self.poller.look())
        if path in ASSETS:
            return _send(environment, start_response, read_asset(path.rpartition("/")[2]), kind=ASSETS[path])
        if path.startswith(REPORTS) and self._write_report is not None:
            return self._send_report(environment, start_response, _as_text(path[len(REPORTS) :]))
        return self._application(environment, start_response)

    def _render_now(self, overview: Overview, is_away: bool) -> str:
        return render(
            "start-now.html",
            overview=overview,
            is_away=is_away,
            place=self._place,
            has_reports=self.has_reports,
            clock=_clock,
            instant=lambda seconds: say_instant(seconds, UTC),
            address=report_address,
        )

    def _stream(
        self, environment: dict[str, Any], start_response: Callable[..., Any], method: str
    ) -> Iterable[bytes]:
        environment["orch.policy"] = POLICY
        headers = [("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no")]
        if method == "HEAD":
            start_response("200 OK", headers)
            return [b""]
        reader = hashlib.sha256(
            (read_cookie(environment) or environment.get("REMOTE_ADDR", "")).encode("utf-8", "replace")
        ).hexdigest()
        if not self._streams.take(reader):
            # The page then asks now and then.
            start_response("503 Service Unavailable", [("Content-Type", "text/plain"), ("Retry-After", "15")])
            return [b"too many live pages are open\n"]
        start_response("200 OK", headers)
        has_left = environment.get("waitress.client_disconnected", lambda: False)
        return Stream(self.poller, lambda: self._streams.give_back(reader), has_left)

    def _send_report(
        self, environment: dict[str, Any], start_response: Callable[..., Any], name: str
    ) -> Iterable[bytes]:
        assert self._write_report is not None
        if not self._drawing.acquire(timeout=REPORT_SECONDS):
            return _send(
                environment, start_response, render("start-word.html", said="Another report is being drawn. Reload this page in a moment."),
                status="503 Service Unavailable",
            )  # fmt: skip
        try:
            drawn_at, page = self._reports.pop(name, (float("-inf"), ""))
            if time.monotonic() - drawn_at > KEPT_SECONDS:
                drawn_at, page = time.monotonic(), self._write_report(name)
            self._reports[name] = (drawn_at, page)
            for old in list(self._reports)[:-MOST_REPORTS]:
                del self._reports[old]
        except OrchError as error:
            said = render("start-word.html", said=f"{error.what}")
            return _send(environment, start_response, said, status="404 Not Found")
        finally:
            self._drawing.release()
        return _send(environment, start_response, page, policy=_report_policy(page))


def _send(
    environment: dict[str, Any], start_response: Callable[..., Any], text: str, *,
    kind: str = "text/html; charset=utf-8", status: str = "200 OK", policy: str = POLICY,
) -> list[bytes]:  # fmt: skip
    environment["orch.policy"] = policy
    body = text.encode()
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [b"" if environment.get("REQUEST_METHOD") == "HEAD" else body]


def _report_policy(page: str) -> str:
    """Only the scripts that stand in the page, by their hashes: a text that found its way in as another one would do nothing."""
    hashes = {
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in SCRIPT.findall(page)
    }
    allowed = " ".join(f"'sha256-{one}'" for one in sorted(hashes)) or "'none'"
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}; img-src data: blob:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def report_address(name: str) -> str:
    """Where the report of a study is."""
    return REPORTS + quote(name, safe="")


def _as_text(path: str) -> str:
    """A part of a path as it was meant: WSGI hands bytes over as Latin-1."""
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _clock(seconds: float) -> str:
    """A time as HTML's `datetime` has it."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()

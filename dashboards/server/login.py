"""A guard in front of a WSGI application: a password or a token, a cookie, and no way around.

- The password is compared in constant time; wrong ones are answered ever more slowly.
- The cookie is random, HttpOnly and SameSite=Strict: no other site can send it, so no other site can act.
- A request that changes something must also come from this very origin (Origin or Sec-Fetch-Site).
- Sessions live in this process alone; ending the server ends them.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Answer = tuple[str, list[tuple[str, str]], bytes]

READING_METHODS = frozenset({"GET", "HEAD"})
COOKIE = "orch_session"
SESSION_SECONDS = 12 * 3600
MOST_SESSIONS = 1000
LONGEST_FORM = 4096
LONGEST_WAIT = 3.0
LOGIN, LOGOUT, HEALTH = "/login", "/logout", "/healthz"

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>orch: log in</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; display: grid; place-items: center; min-height: 90vh; margin: 0;
  background: light-dark(#ffffff, #15171c); color: light-dark(#1f2430, #e4e7ec); }}
form {{ display: grid; gap: 0.7rem; width: min(20rem, 88vw); }}
input, button {{ font: inherit; padding: 0.55rem 0.7rem; border-radius: 8px; border: 1px solid #858b94; }}
button {{ background: #0072b2; color: #ffffff; border: 0; cursor: pointer; }}
h1 {{ font-size: 1.3rem; margin: 0; }} .wrong {{ color: light-dark(#b34700, #ff9a52); margin: 0; }}
</style></head><body><form method="post" action="/login"><h1>orch dashboard</h1>{message}
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required autofocus>
<input type="hidden" name="next" value="{next}"><button>Log in</button></form></body></html>"""

PAGE_HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
]  # fmt: skip


class PasswordMiddleware:
    """Lets through who knows the password; everybody may ask /healthz.

    Args (of the constructor):
        application: what stands behind.
        password: what opens; never empty.
        is_healthy: asked by /healthz.
        secure: whether browsers reach the server by HTTPS, so that the cookie may insist on it.
    """

    def __init__(
        self,
        application: Application,
        password: str,
        *,
        is_healthy: Callable[[], bool] = lambda: True,
        secure: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Refuse an empty password: it would open to everybody."""
        if not password:
            raise ValueError("an empty password opens to everybody")
        self._application = application
        self._digest = _hash(password)
        self._is_healthy = is_healthy
        self._secure = secure
        self._sleep = sleep
        self._sessions: dict[str, float] = {}
        self._failures = 0
        self._lock = threading.Lock()

    def __call__(self, environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path, method = environment.get("PATH_INFO", "/"), environment.get("REQUEST_METHOD", "GET")
        answer: Answer | None = None
        if path == HEALTH:
            healthy = self._is_healthy()
            status = "200 OK" if healthy else "503 Service Unavailable"
            answer = (
                status,
                [("Content-Type", "text/plain")],
                b"ok\n" if healthy else b"the database is away\n",
            )
        elif method not in READING_METHODS and not comes_from_here(environment):
            answer = refuse("This request comes from another site.")
        elif path == LOGIN:
            answer = self._log_in(environment, method)
        elif not self._knows(environment):
            answer = self._send_to_login(environment, method, path)
        elif path == LOGOUT:
            answer = self._log_out(environment)
        if answer is None:
            return self._application(environment, start_response)
        status, headers, body = answer
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [b"" if method == "HEAD" else body]

    def _log_in(self, environment: dict[str, Any], method: str) -> Answer:
        if method == "POST":
            form = read_form(environment)
            return self._try_password(form.get("password", ""), safe_path(form.get("next", "/")))
        query = parse_qs(environment.get("QUERY_STRING", ""), max_num_fields=10)
        token = query.get("token", [""])[0]
        if token:
            return self._try_password(token, "/")
        return _page("200 OK", safe_path(query.get("next", ["/"])[0]))

    def _try_password(self, given: str, path: str) -> Answer:
        if not hmac.compare_digest(_hash(given), self._digest):
            with self._lock:
                self._failures += 1
                wait = min(LONGEST_WAIT, 0.1 * 2 ** min(self._failures, 10))
            self._sleep(wait)
            return _page("401 Unauthorized", path, "That is not the password.")
        session = secrets.token_urlsafe(32)
        with self._lock:
            self._failures = 0
            now = time.monotonic()
            alive = {key: until for key, until in self._sessions.items() if until > now}
            self._sessions = dict(list(alive.items())[-MOST_SESSIONS + 1 :])
            self._sessions[_hash(session).hex()] = now + SESSION_SECONDS
        return ("303 See Other", [("Location", path), self._cookie(session, SESSION_SECONDS),
                                  ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")], b"")  # fmt: skip

    def _log_out(self, environment: dict[str, Any]) -> Answer:
        with self._lock:
            self._sessions.pop(_hash(read_cookie(environment)).hex(), None)
        return ("303 See Other", [("Location", LOGIN), self._cookie("", 0)], b"")

    def _knows(self, environment: dict[str, Any]) -> bool:
        session = read_cookie(environment)
        if not session:
            return False
        with self._lock:
            return self._sessions.get(_hash(session).hex(), 0.0) > time.monotonic()

    def _send_to_login(self, environment: dict[str, Any], method: str, path: str) -> Answer:
        if method in READING_METHODS and "text/html" in environment.get("HTTP_ACCEPT", ""):
            return ("303 See Other", [("Location", f"{LOGIN}?next={quote(path)}")], b"")
        return ("401 Unauthorized", [("Content-Type", "application/json")], b'{"reason": "Log in first."}')

    def _cookie(self, value: str, seconds: int) -> tuple[str, str]:
        secure = "; Secure" if self._secure else ""
        return (
            "Set-Cookie",
            f"{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}",
        )


def refuse(reason: str) -> Answer:
    """An answer that says no."""
    return ("403 Forbidden", [("Content-Type", "application/json")], b'{"reason": "%s"}' % reason.encode())


def comes_from_here(environment: dict[str, Any]) -> bool:
    """Whether a browser says that the request was made by a page of this very origin; one that says nothing is refused."""
    origin, host = environment.get("HTTP_ORIGIN"), environment.get("HTTP_HOST", "")
    if origin is not None:
        return bool(host) and urlsplit(origin).netloc == host
    return environment.get("HTTP_SEC_FETCH_SITE") == "same-origin"


def safe_path(path: str) -> str:
    """A path on this server, whatever was asked for: never another site."""
    parts = urlsplit(path)
    inside = (
        path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    )
    return path if inside and path.isprintable() and not path.startswith(LOGIN) else "/"


def read_form(environment: dict[str, Any]) -> dict[str, str]:
    """The fields of a form that was sent; empty for what is no form or too long for one."""
    try:
        length = int(environment.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return {}
    if not 0 < length <= LONGEST_FORM:
        return {}
    text = environment["wsgi.input"].read(length).decode("utf-8", "replace")
    try:
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def read_cookie(environment: dict[str, Any]) -> str:
    """The session that the browser names, or an empty text."""
    try:
        cookies = SimpleCookie(environment.get("HTTP_COOKIE", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


def _page(status: str, path: str, message: str = "") -> Answer:
    told = f'<p class="wrong" role="alert">{html.escape(message)}</p>' if message else ""
    return (status, PAGE_HEADERS, PAGE.format(next=html.escape(path), message=told).encode())


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

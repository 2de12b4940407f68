"""A guard in front of a WSGI application: a password or a link, a cookie, and no way around.

- The password is compared in constant time; after a wrong one its address must wait (429), longer each time. Nothing sleeps here:
  a thread that waits for a guesser is taken from everybody else.
- A link logs in once; then the next one is told to whoever started the server.
- The cookie is random, HttpOnly and SameSite=Strict: no other site can send it, so no other site can act.
- A request that changes something must also come from this very origin (Origin or Sec-Fetch-Site).
- Sessions live in this process alone; ending the server ends them.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import ipaddress
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, quote

from dashboards.server.guessing import Guesses
from dashboards.server.health import HEALTH, Answer, answer_health
from storage.wording import say_duration

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

READING_METHODS = frozenset({"GET", "HEAD"})
COOKIE = "orch_session"
SESSION_SECONDS = 12 * 3600
MOST_SESSIONS = 1000
LONGEST_FORM = 4096
LOGIN, LOGOUT = "/login", "/logout"

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
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"),
    ("Cache-Control", "no-store"),
]  # fmt: skip


class PasswordMiddleware:
    """Lets through who knows the password or has the link; everybody may ask /healthz.

    Args (of the constructor):
        application: what stands behind.
        password: what opens; never empty. None where only links do.
        is_healthy: asked by /healthz.
        secure: whether browsers reach the server by HTTPS, so that the cookie may insist on it.
        say_link: told the token of each new link; None for no links.
        clock: seconds.
    """

    def __init__(
        self,
        application: Application,
        password: str | None,
        *,
        is_healthy: Callable[[], bool] = lambda: True,
        secure: bool = False,
        say_link: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Refuse an empty password: it would open to everybody."""
        if password == "" or (password is None and say_link is None):
            raise ValueError("an empty password opens to everybody")
        self._application = application
        self._digest = None if password is None else _hash(password)
        self._is_healthy = is_healthy
        self._secure = secure
        self._say_link = say_link
        self._link: bytes | None = None
        self._clock = clock
        self._sessions: dict[str, float] = {}
        self._guesses = Guesses(clock)
        self._lock = threading.Lock()

    def offer_link(self) -> None:
        """Make a link that logs in once, and tell it; an earlier one that was not used is of no use any more."""
        if self._say_link is None:
            return
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._link = _hash(token)
        self._say_link(token)

    def __call__(self, environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path, method = environment.get("PATH_INFO", "/"), environment.get("REQUEST_METHOD", "GET")
        answer: Answer | None = None
        if path == HEALTH:
            answer = answer_health(self._is_healthy())
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
        address = environment.get("REMOTE_ADDR", "")
        if method == "POST":
            try:
                form = read_form(environment)
            except ValueError as error:
                return _page("400 Bad Request", "/", f"This is not a login form: {error}.")
            return self._try_password(form.get("password", ""), safe_path(form.get("next", "/")), address)
        try:
            query = parse_qs(environment.get("QUERY_STRING", ""), max_num_fields=10)
        except ValueError:
            return _page("400 Bad Request", "/", "This address has too many parts.")
        token = query.get("token", [""])[0]
        if token and method == "GET":
            return self._follow_link(token, environment)
        return _page("200 OK", safe_path(query.get("next", ["/"])[0]))

    def _follow_link(self, token: str, environment: dict[str, Any]) -> Answer:
        # Not counted as a guess: 192 random bits are found by no guessing.
        with self._lock:
            fits = self._link is not None and hmac.compare_digest(_hash(token), self._link)
            if fits:
                self._link = None
        if fits:
            self.offer_link()
            return self._begin_session("/")
        if self._knows(environment):
            return ("303 See Other", [("Location", "/")], b"")
        return _page(
            "401 Unauthorized",
            "/",
            "This link was used before, or is of an earlier start: see the terminal for a new one.",
        )

    def _try_password(self, given: str, path: str, address: str) -> Answer:
        wait = self._guesses.admit(address, lambda: self._opens(given))
        if wait is None:
            return self._begin_session(path)
        if wait > 0:
            seconds = math.ceil(wait)
            status, headers, body = _page(
                "429 Too Many Requests",
                path,
                f"Wrong passwords came from your address. Try again in {say_duration(seconds)}.",
            )
            return (status, [*headers, ("Retry-After", str(seconds))], body)
        return _page("401 Unauthorized", path, "That is not the password.")

    def _opens(self, given: str) -> bool:
        return self._digest is not None and hmac.compare_digest(_hash(given), self._digest)

    def _begin_session(self, path: str) -> Answer:
        session = secrets.token_urlsafe(32)
        with self._lock:
            now = self._clock()
            alive = {key: until for key, until in self._sessions.items() if until > now}
            self._sessions = dict(list(alive.items())[-MOST_SESSIONS + 1 :])
            self._sessions[_hash(session).hex()] = now + SESSION_SECONDS
        # Headers are Latin-1: other letters of a path are sent as their numbers.
        location = quote(path, safe="%/:=&?~#+!$,;'@()*[]")
        return ("303 See Other", [("Location", location), self._cookie(session, SESSION_SECONDS),
                                  ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")], b"")  # fmt: skip

    def _log_out(self, environment: dict[str, Any]) -> Answer:
        with self._lock:
            self._sessions.pop(_hash(read_cookie(environment)).hex(), None)
        return ("303 See Other", [("Location", LOGIN), self._cookie("", 0)], b"")

    def _knows(self, environment: dict[str, Any]) -> bool:
        session = _hash(read_cookie(environment)).hex()
        with self._lock:
            return self._sessions.get(session, -math.inf) > self._clock()

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
        return bool(host) and origin.partition("://")[2] == host
    return environment.get("HTTP_SEC_FETCH_SITE") == "same-origin"


def safe_path(path: str) -> str:
    """A path on this server, whatever was asked for: never another site."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if inside and path.isprintable() and not path.startswith(LOGIN) else "/"


def names_this_machine(environment: dict[str, Any]) -> bool:
    """Whether the browser asked for this machine by a name that means itself.

    Another name may be of a site that changed its address to this one (DNS rebinding): its pages would then count as ours.
    """
    host = environment.get("HTTP_HOST", "")
    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    return is_local(name)


def is_local(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_form(environment: dict[str, Any]) -> dict[str, str]:
    """The fields of a form that was sent.

    Raises:
        ValueError: it is no form, or too long for one.
    """
    length = int(environment.get("CONTENT_LENGTH") or "0")
    if not 0 < length <= LONGEST_FORM:
        raise ValueError(f"it has {length} bytes")
    text = environment["wsgi.input"].read(length).decode("utf-8", "replace")
    fields = parse_qs(text, max_num_fields=10)
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

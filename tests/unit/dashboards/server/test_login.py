"""The login: who has the password passes, nobody else; what changes something must come from this very site."""

import io
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from dashboards.server.guessing import Guesses
from dashboards.server.login import COOKIE, PasswordMiddleware, comes_from_here, names_this_machine, safe_path

PASSWORD = "correct horse"


class Browser:
    """Sends requests to a WSGI application, with the cookie it was given."""

    def __init__(self, application: Callable) -> None:
        self.application = application
        self.cookie = ""
        self.address = "127.0.0.1"
        self.status, self.headers, self.body = "", {}, b""

    def request(self, path: str, method: str = "GET", *, form: dict | None = None, **extra: str) -> int:
        body = urlencode(form or {}).encode()
        path, _, query = path.partition("?")
        environment: dict[str, Any] = {
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": method,
            "HTTP_HOST": "localhost:8080",
            "REMOTE_ADDR": self.address,
            "HTTP_ACCEPT": "text/html",
            "HTTP_COOKIE": self.cookie,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            **extra,
        }

        def start(status: str, headers: list[tuple[str, str]], error: Any = None) -> None:
            self.status, self.headers = status, dict(headers)

        self.body = b"".join(self.application(environment, start))
        if "Set-Cookie" in self.headers:
            self.cookie = self.headers["Set-Cookie"].partition(";")[0]
        return int(self.status[:3])

    def log_in(self, password: str = PASSWORD, **form: str) -> int:
        origin = "http://localhost:8080"
        return self.request("/login", "POST", form={"password": password, **form}, HTTP_ORIGIN=origin)


def behind(environment: dict, start_response: Callable) -> list[bytes]:
    start_response("200 OK", [])
    return [b"the studies"]


class Clock:
    """Tells the time that a test says it is."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guarded(clock: Clock) -> PasswordMiddleware:
    return PasswordMiddleware(behind, PASSWORD, clock=clock)


@pytest.fixture
def browser(guarded: PasswordMiddleware) -> Browser:
    return Browser(guarded)


def test_nothing_is_shown_before_the_login(browser: Browser) -> None:
    assert browser.request("/dashboard") == 303
    assert browser.headers["Location"] == "/login?next=/dashboard"
    assert browser.request("/api/studies", HTTP_ACCEPT="application/json") == 401
    assert browser.request("/login") == 200
    assert b"the studies" not in browser.body


def test_the_password_opens_and_leads_to_where_one_wanted_to_go(browser: Browser) -> None:
    assert browser.log_in(next="/dashboard/studies/1") == 303
    assert browser.headers["Location"] == "/dashboard/studies/1"
    assert browser.request("/dashboard") == 200
    assert browser.body == b"the studies"


def test_who_guesses_must_wait_longer_each_time_and_others_do_not(
    guarded: PasswordMiddleware, clock: Clock
) -> None:
    guesser, other = Browser(guarded), Browser(guarded)
    guesser.address, other.address = "192.0.2.1", "192.0.2.2"
    for wait, wrong in enumerate(("", "Correct horse", PASSWORD + " ", "\udcff", "x")):
        assert guesser.log_in(wrong.encode("utf-8", "replace").decode()) == 401
        assert COOKIE not in guesser.cookie
        # Neither another guess nor the password itself is looked at before the time is over.
        clock.now += 0.5 * 2**wait - 0.01
        assert guesser.log_in() == 429
        assert guesser.headers["Retry-After"] == "1"
        assert b"Try again in 1 s" in guesser.body
        assert other.log_in() == 303
        clock.now += 0.02
    assert guesser.request("/dashboard") == 303
    assert guesser.log_in() == 303
    assert other.request("/dashboard") == 200


def test_waits_double_and_are_forgotten() -> None:
    clock = Clock()
    guesses = Guesses(clock)
    waits = []
    for _ in range(10):
        assert guesses.admit("2001:db8::1", lambda: False) == 0
        waits.append(guesses.admit("2001:db8::ffff:2", lambda: True))
        clock.now += waits[-1] or 0
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert [guesses.admit(other, lambda: True) for other in ("2001:db8:0:1::1", "", "::1")] == [None] * 3
    clock.now += 1000
    assert guesses.admit("2001:db8::1", lambda: False) == 0
    assert guesses.admit("2001:db8::1", lambda: True) == 0.5
    for number in range(20_000):
        guesses.admit(f"10.0.{number // 256}.{number % 256}", lambda: False)
    assert len(guesses._guessers) == 10_000


def test_of_the_guesses_of_one_moment_one_is_looked_at() -> None:
    guesses, looked, together = Guesses(), [], threading.Barrier(8)

    def guess() -> None:
        together.wait(10)
        guesses.admit("192.0.2.1", lambda: bool(looked.append(time.sleep(0.01))))

    guessing = [threading.Thread(target=guess) for _ in range(8)]
    for one in guessing:
        one.start()
    for one in guessing:
        one.join(10)
    assert len(looked) == 1


def test_the_right_password_ends_the_waiting(browser: Browser, clock: Clock) -> None:
    for wait in (0.5, 1, 2):
        assert browser.log_in("wrong") == 401
        clock.now += wait
    assert browser.log_in() == 303
    assert browser.log_in("wrong") == 401
    clock.now += 0.5
    assert browser.log_in() == 303


def test_the_cookie_is_for_this_site_and_for_no_script(browser: Browser) -> None:
    browser.log_in()
    cookie = browser.headers["Set-Cookie"]
    assert len(cookie.partition(";")[0].partition("=")[2]) == 43, "256 bits"
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="))
    assert "Secure" not in cookie
    secured = Browser(PasswordMiddleware(behind, PASSWORD, secure=True))
    secured.log_in()
    assert "Secure" in secured.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "cookie", ["", "orch_session=", "orch_session=guess", "orch_session", 'a="b', "x=1; ;;", "a,b=1"]
)
def test_a_made_up_cookie_does_not_open(browser: Browser, cookie: str) -> None:
    browser.log_in()
    browser.cookie = cookie
    assert browser.request("/dashboard") == 303
    # A clock may begin anywhere.
    early = Browser(PasswordMiddleware(behind, PASSWORD, clock=lambda: -1e6))
    early.cookie = cookie
    assert early.request("/dashboard") == 303


def test_a_session_ends_with_the_logout(browser: Browser) -> None:
    browser.log_in()
    kept = browser.cookie
    assert browser.request("/logout") == 303
    browser.cookie = kept
    assert browser.request("/dashboard") == 303


def test_two_sessions_have_different_cookies(guarded: PasswordMiddleware) -> None:
    one, other = Browser(guarded), Browser(guarded)
    one.log_in()
    other.log_in()
    assert one.cookie != other.cookie
    assert one.request("/") == other.request("/") == 200


def test_a_link_logs_in_once_and_the_next_one_is_told() -> None:
    told: list[str] = []
    guarded = PasswordMiddleware(behind, None, say_link=told.append)
    guarded.offer_link()
    one, thief = Browser(guarded), Browser(guarded)
    link = "/login?" + urlencode({"token": told[0]})
    assert len(told[0]) == 32, "192 bits"
    assert one.request(link, "HEAD") == 200
    assert one.request(link) == 303
    assert one.headers["Location"] == "/"
    assert one.headers["Referrer-Policy"] == "no-referrer"
    assert one.headers["Cache-Control"] == "no-store"
    assert one.request("/dashboard") == 200
    assert thief.request(link) == 401
    assert COOKIE not in thief.cookie
    assert thief.request("/dashboard") == 303
    # Whoever is in may press it again.
    assert one.request(link) == 303
    assert len(told) == 2
    assert told[0] != told[1]
    assert thief.request("/login?" + urlencode({"token": told[1]})) == 303
    assert thief.log_in(told[2]) == 401, "a link is no password"


def test_the_password_is_no_link(browser: Browser) -> None:
    assert browser.request("/login?" + urlencode({"token": PASSWORD})) == 401
    assert browser.request("/dashboard") == 303


@pytest.mark.parametrize("query", ["&".join(["a=1"] * 30), "&" * 1000, "token=" + "&token=" * 20])
def test_a_malformed_login_is_answered(browser: Browser, query: str) -> None:
    assert browser.request(f"/login?{query}") in (200, 400)
    origin = {"HTTP_ORIGIN": "http://localhost:8080"}
    for length in ("x", "-1", "", "99999999", None):
        assert browser.request("/login", "POST", **{**origin, "CONTENT_LENGTH": length}) == 400  # type: ignore[arg-type]
    form = {f"a{number}": "b" for number in range(12)}
    assert browser.request("/login", "POST", form=form, **origin) == 400
    assert browser.log_in() == 303, "what was no login was no guess"


def test_letters_of_any_language_in_a_path_fit_a_header(browser: Browser) -> None:
    assert browser.log_in(next="/studies/\u20ac?a=b#c") == 303
    assert browser.headers["Location"] == "/studies/%E2%82%AC?a=b#c"


@pytest.mark.parametrize(
    ("host", "local"),
    [("localhost", True), ("127.0.0.1:8080", True), ("[::1]:8080", True), ("LOCALHOST:80", True), ("127.9.9.9", True),
     ("", False), ("rebound.evil.example:8080", False), ("localhost.evil.example", False), ("127.0.0.1.evil.example", False),
     ("192.0.2.1", False), ("[::1", True), ("[2001:db8::1]:80", False), ("localhost@evil.example", False)],
)  # fmt: skip
def test_which_names_mean_this_machine(host: str, local: bool) -> None:
    assert names_this_machine({"HTTP_HOST": host}) == local


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"HTTP_ORIGIN": "http://evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "null", "HTTP_HOST": ""},
        {"HTTP_ORIGIN": "http://["},
        {"HTTP_ORIGIN": "http://localhost"},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "same-site"},
        {"HTTP_ORIGIN": "http://evil.example", "HTTP_SEC_FETCH_SITE": "same-origin"},
    ],
)
def test_a_change_from_another_site_is_refused_also_when_logged_in(browser: Browser, headers: dict) -> None:
    browser.log_in()
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert browser.request("/api/studies/1", method, **headers) == 403


def test_a_change_from_this_site_is_passed_on(browser: Browser) -> None:
    browser.log_in()
    assert browser.request("/api/studies", "POST", HTTP_ORIGIN="http://localhost:8080") == 200
    assert comes_from_here({"HTTP_SEC_FETCH_SITE": "same-origin"})


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "", "evil", "/a\r\nX: y", "/login", "//[", "/\t/evil.example"],
)  # fmt: skip
def test_the_login_leads_to_no_other_site(path: str) -> None:
    assert safe_path(path) == "/"


def test_what_is_asked_for_is_escaped_in_the_page(browser: Browser) -> None:
    browser.request("/login?" + urlencode({"next": '/"><script>alert(1)</script>'}))
    assert b"<script>" not in browser.body
    assert b'role="alert"' not in browser.body, "a page without a message has no empty one"


def test_health_is_told_without_a_login() -> None:
    for healthy, status in ((True, 200), (False, 503)):
        assert (
            Browser(PasswordMiddleware(behind, PASSWORD, is_healthy=lambda healthy=healthy: healthy)).request(
                "/healthz"
            )
            == status
        )


def test_a_server_without_a_database_is_healthy_and_without_links_tells_none(browser: Browser) -> None:
    assert browser.request("/healthz") == 200
    browser.application.offer_link()  # type: ignore[attr-defined]


def test_a_form_that_is_too_long_is_not_read(browser: Browser) -> None:
    assert browser.log_in(next="/" + "x" * 10_000) == 400


def test_an_empty_password_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="empty"):
        PasswordMiddleware(behind, "")


def test_a_session_lasts_twelve_hours(browser: Browser, clock: Clock) -> None:
    browser.log_in()
    assert "; Max-Age=43200;" in browser.headers["Set-Cookie"]
    clock.now += 43_199.9
    assert browser.request("/dashboard") == 200
    clock.now += 0.1
    assert browser.request("/dashboard") == 303
    browser.log_in()
    browser.request("/logout")
    assert "; Max-Age=0;" in browser.headers["Set-Cookie"]


def test_a_thousand_sessions_are_kept_and_ended_ones_take_no_place(
    guarded: PasswordMiddleware, clock: Clock
) -> None:
    browsers = [Browser(guarded) for _ in range(1001)]
    for one in browsers[:1000]:
        one.log_in()
    assert browsers[0].request("/") == 200
    browsers[1000].log_in()
    assert [one.request("/") for one in browsers[:3]] == [303, 200, 200]
    assert browsers[1000].request("/") == 200
    clock.now += 43_200
    browsers[0].log_in()
    assert len(guarded._sessions) == 1


def test_a_form_may_have_4096_bytes_and_ten_fields(browser: Browser) -> None:
    origin = {"HTTP_ORIGIN": "http://localhost:8080"}
    room = 4096 - len(urlencode({"password": PASSWORD, "next": "/"}))
    assert browser.log_in(next="/" + "x" * room) == 303
    assert browser.log_in(next="/" + "x" * (room + 1)) == 400
    more = {f"a{number}": "b" for number in range(10)}
    for count, (sent, asked) in {9: (303, 200), 10: (400, 400)}.items():
        fields = {"password": PASSWORD, **dict(list(more.items())[:count])}
        assert browser.request("/login", "POST", form=fields, **origin) == sent
        assert browser.request("/login?" + urlencode(fields)) == asked
    assert (
        browser.request("/login", "POST", CONTENT_LENGTH="1", **{**origin, "wsgi.input": io.BytesIO(b"x")})
        == 401
    )  # type: ignore[arg-type]


def test_of_a_field_sent_twice_the_first_counts(browser: Browser) -> None:
    body = urlencode([("password", PASSWORD), ("password", "wrong"), ("next", "/a"), ("next", "/b")]).encode()
    sent = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    assert browser.request("/login", "POST", HTTP_ORIGIN="http://localhost:8080", **sent) == 303  # type: ignore[arg-type]
    assert browser.headers["Location"] == "/a"
    told: list[str] = []
    linked = Browser(PasswordMiddleware(behind, None, say_link=told.append))
    linked.application.offer_link()  # type: ignore[attr-defined]
    assert linked.request(f"/login?token={told[0]}&token=wrong") == 303
    assert linked.request("/dashboard") == 200


def test_a_change_without_a_login_is_told_so_and_not_sent_to_a_page(browser: Browser) -> None:
    assert browser.request("/api/studies", "POST", HTTP_ORIGIN="http://localhost:8080") == 401
    assert browser.headers["Content-Type"] == "application/json"
    assert b"Log in first" in browser.body
    assert browser.request("/studies", "HEAD") == 303
    assert browser.body == b""


def test_pages_of_the_login_are_kept_by_nobody_and_framed_by_nobody(browser: Browser) -> None:
    browser.request("/login")
    assert browser.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in browser.headers["Content-Security-Policy"]
    assert browser.headers["Content-Length"] == str(len(browser.body))

"""The login: who has the password passes, nobody else; what changes something must come from this very site."""

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from dashboards.server.login import COOKIE, PasswordMiddleware, comes_from_here, safe_path

PASSWORD = "correct horse"


class Browser:
    """Sends requests to a WSGI application, with the cookie it was given."""

    def __init__(self, application: Callable) -> None:
        self.application = application
        self.cookie = ""
        self.status, self.headers, self.body = "", {}, b""

    def request(self, path: str, method: str = "GET", *, form: dict | None = None, **extra: str) -> int:
        body = urlencode(form or {}).encode()
        path, _, query = path.partition("?")
        environment: dict[str, Any] = {
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": method,
            "HTTP_HOST": "orch.example:8080",
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
        origin = "http://orch.example:8080"
        return self.request("/login", "POST", form={"password": password, **form}, HTTP_ORIGIN=origin)


def behind(environment: dict, start_response: Callable) -> list[bytes]:
    start_response("200 OK", [])
    return [b"the studies"]


@pytest.fixture
def waited() -> list[float]:
    return []


@pytest.fixture
def guarded(waited: list[float]) -> PasswordMiddleware:
    return PasswordMiddleware(behind, PASSWORD, sleep=waited.append)


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


def test_a_wrong_password_does_not_open_and_waits_longer_each_time(
    browser: Browser, waited: list[float]
) -> None:
    for wrong in ("", "Correct horse", PASSWORD + " ", "\udcff"):
        assert browser.log_in(wrong.encode("utf-8", "replace").decode()) == 401
        assert COOKIE not in browser.cookie
    assert waited == sorted(waited)
    assert waited[-1] > 2 * waited[0] > 0
    assert browser.request("/dashboard") == 303


def test_the_cookie_is_for_this_site_and_for_no_script(browser: Browser) -> None:
    browser.log_in()
    cookie = browser.headers["Set-Cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="))
    assert "Secure" not in cookie
    secured = Browser(PasswordMiddleware(behind, PASSWORD, secure=True))
    secured.log_in()
    assert "Secure" in secured.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "cookie", ["", "orch_session=", "orch_session=guess", "orch_session", 'a="b', "x=1; ;;"]
)
def test_a_made_up_cookie_does_not_open(browser: Browser, cookie: str) -> None:
    browser.log_in()
    browser.cookie = cookie
    assert browser.request("/dashboard") == 303


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


def test_the_token_of_the_link_logs_in(browser: Browser) -> None:
    assert browser.request("/login?" + urlencode({"token": PASSWORD})) == 303
    assert browser.headers["Location"] == "/"
    assert browser.headers["Referrer-Policy"] == "no-referrer"
    assert browser.request("/dashboard") == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"HTTP_ORIGIN": "http://evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "http://orch.example"},
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
    assert browser.request("/api/studies", "POST", HTTP_ORIGIN="http://orch.example:8080") == 200
    assert comes_from_here({"HTTP_SEC_FETCH_SITE": "same-origin"})


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "", "evil", "/a\r\nX: y", "/login"],
)  # fmt: skip
def test_the_login_leads_to_no_other_site(path: str) -> None:
    assert safe_path(path) == "/"


def test_what_is_asked_for_is_escaped_in_the_page(browser: Browser) -> None:
    browser.request("/login?" + urlencode({"next": '/"><script>alert(1)</script>'}))
    assert b"<script>" not in browser.body


def test_health_is_told_without_a_login() -> None:
    for healthy, status in ((True, 200), (False, 503)):
        assert (
            Browser(PasswordMiddleware(behind, PASSWORD, is_healthy=lambda healthy=healthy: healthy)).request(
                "/healthz"
            )
            == status
        )


def test_a_form_that_is_too_long_is_not_read(browser: Browser) -> None:
    assert browser.log_in(next="/" + "x" * 10_000) == 401


def test_an_empty_password_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="empty"):
        PasswordMiddleware(behind, "")

"""The start page and optuna-dashboard, served by waitress behind a login, so that looking cannot change anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa

from dashboards.pages.curve_picture import draw_svg
from dashboards.pages.notes import CURVES
from dashboards.server.connections import make_server
from dashboards.server.health import HEALTH, Health, answer_health, is_healthy
from dashboards.server.login import (
    READING_METHODS,
    Application,
    PasswordMiddleware,
    comes_from_here,
    is_local,
    names_this_machine,
    refuse,
)
from dashboards.server.optuna_pages import add_to_pages
from dashboards.server.start import StartPage
from storage.database import tables
from storage.database.engine import Database
from storage.errors import UsageError
from storage.metrics.objectives import AUC
from storage.results.ledger import read_curves
from storage.settings import artifacts_folder
from storage.studies.study_records import StudyRecord, read_row

SAFE_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "text/plain", "text/csv", "application/json",
     "application/pdf", "audio/mpeg", "audio/wav", "video/mp4"}
)  # fmt: skip
"""What an artifact may be shown as. Anything else, HTML and SVG above all, is handed over as a file."""

PICTURE_PATH = re.compile(rf"/{CURVES}/(\d{{1,9}})/(\d{{1,9}})\.svg")
DASHBOARD_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; frame-src 'self'; object-src 'none'; connect-src 'self'; "
    # optuna-dashboard's own policy: its parallel coordinates compile their shaders.
    "style-src 'self' data: 'unsafe-inline'; script-src 'self' 'unsafe-eval'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'none'; sandbox"


def serve_dashboard(
    database: Database,
    *,
    host: str,
    port: int,
    password: str | None,
    allow_edit: bool,
    secure: bool = False,
    say_link: Callable[[str], None] | None = None,
    when_open: Callable[[], None] = lambda: None,
    write_report: Callable[[str], str] | None = None,
) -> None:
    """Serve optuna-dashboard until the process is interrupted.

    Args:
        database: the studies.
        host: the address to listen on.
        port: the port to listen on.
        password: what readers sign in with; None without `say_link` means no login, only on an address that this machine alone can
            reach.
        allow_edit: whether requests that change something are let through.
        secure: whether browsers come by HTTPS (a proxy in front), so that the cookie may insist on it.
        say_link: told the token of a link that logs in once, and of the next one when it was used.
        when_open: called as soon as the address is taken: what is asked for from now on is answered.
        write_report: from the name of a study to its report as HTML, which the start page links to.

    Raises:
        UsageError: the address cannot be listened on, or is open to others without a password.
    """
    if password is None and say_link is None and not is_local(host):
        raise UsageError(
            f"{host} can be reached by other machines, and there is no login.",
            why="Whoever reaches the dashboard sees every study, and with --allow-edit can delete it.",
            next_step="Leave --no-login out, or listen on 127.0.0.1.",
        )
    pages: list[StartPage] = []
    guarded = make_application(
        database, password=password, allow_edit=allow_edit, secure=secure, say_link=say_link,
        write_report=write_report, pages=pages,
    )  # fmt: skip
    server = make_server(
        add_transport_security(guarded) if secure else guarded,
        host,
        port,
        when_stopping=lambda: pages[0].poller.close(),
    )
    try:
        if isinstance(guarded, PasswordMiddleware):
            guarded.offer_link()
        when_open()
        server.run()
    finally:
        server.close()


def make_application(
    database: Database,
    *,
    password: str | None,
    allow_edit: bool,
    secure: bool = False,
    say_link: Callable[[str], None] | None = None,
    write_report: Callable[[str], str] | None = None,
    pages: list[StartPage] | None = None,
) -> Application:
    """The start page and optuna-dashboard as a WSGI application: what it may do, how it is sent, and the login in front.

    Args:
        database: the studies.
        password: as `serve_dashboard` has it, like the next three.
        allow_edit: whether requests that change something are let through.
        secure: whether browsers come by HTTPS.
        say_link: told the token of a link that logs in once.
        write_report: from the name of a study to its report as HTML.
        pages: gets the start page, so that the caller can end its streams.
    """
    from optuna_dashboard import wsgi

    application: Application = wsgi(database.optuna, artifact_store=_artifact_store())
    application = add_curves(application, database)
    if not allow_edit:
        application = refuse_changes(application)
    has_login = password is not None or say_link is not None
    start_page = StartPage(application, database, write_report=write_report, has_login=has_login)
    if pages is not None:
        pages.append(start_page)
    application = send_safely(add_to_pages(start_page, allow_edit=allow_edit))
    health = Health(lambda: is_healthy(database))
    if not has_login:
        return add_health(require_this_machine(application), health)
    return PasswordMiddleware(application, password, is_healthy=health, secure=secure, say_link=say_link)


def require_this_machine(application: Application) -> Application:
    """The application without a login: only for browsers that asked for this very machine, and for changes from its own pages."""

    def guarded(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not names_this_machine(environment):
            reason = "Without a login the dashboard answers to 127.0.0.1 and localhost only."
        elif environment.get("REQUEST_METHOD") not in READING_METHODS and not comes_from_here(environment):
            reason = "This request comes from another site."
        else:
            return application(environment, start_response)
        status, headers, body = refuse(reason)
        start_response(status, headers)
        return [body]

    return guarded


def add_transport_security(application: Application) -> Application:
    """The application behind HTTPS: browsers are told to come by nothing else for a year."""

    def secured(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
            kept = [*headers, ("Strict-Transport-Security", "max-age=31536000")]
            return start_response(status, kept, error) if error else start_response(status, kept)

        return application(environment, start)

    return secured


def refuse_changes(application: Application) -> Application:
    """The application behind a guard that lets only reading requests through."""

    def read_only(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environment.get("REQUEST_METHOD") in READING_METHODS:
            return application(environment, start_response)
        status, headers, body = refuse(
            "This dashboard only shows. Start it with --allow-edit to change studies."
        )
        start_response(status, headers)
        return [body]

    return read_only


def send_safely(application: Application) -> Application:
    """The application with headers that keep what others uploaded from acting in the reader's browser."""

    def safe(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environment.get("PATH_INFO", "")
        is_artifact = path.startswith("/artifacts/")
        is_program = path.startswith(("/static/", "/favicon"))
        # optuna-dashboard takes both for granted.
        environment.setdefault("HTTP_ACCEPT_ENCODING", "identity")

        def start(status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
            dropped = {"access-control-allow-origin", "content-security-policy", "x-content-type-options"}
            if not is_program:
                dropped.add("cache-control")
            kept = [(name, value) for name, value in headers if name.lower() not in dropped]
            if is_artifact:
                kept = _as_artifact(kept)
            if not is_program:
                # What studies hold stays in no browser's cache when the login is over.
                kept.append(("Cache-Control", "no-store"))
            kept += [
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),
                ("X-Frame-Options", "DENY"),
                ("Cross-Origin-Resource-Policy", "same-origin"),
                # Our own pages need less than optuna-dashboard, and say so.
                (
                    "Content-Security-Policy",
                    SANDBOX if is_artifact else environment.get("orch.policy", DASHBOARD_POLICY),
                ),
            ]
            return start_response(status, kept, error) if error else start_response(status, kept)

        return application(environment, start)

    return safe


def add_curves(application: Application, database: Database) -> Application:
    """The application with the drawn fold curves of trials, which their notes show."""

    def curves(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        found = PICTURE_PATH.fullmatch(environment.get("PATH_INFO", ""))
        if not found:
            return application(environment, start_response)
        body = _draw_curves(database, int(found[1]), int(found[2])).encode()
        headers = [("Content-Type", "image/svg+xml")]
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]

    return curves


def add_health(application: Application, healthy: Callable[[], bool]) -> Application:
    """The application with /healthz, for a server without a login."""

    def answer(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environment.get("PATH_INFO") != HEALTH:
            return application(environment, start_response)
        status, headers, body = answer_health(healthy())
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]

    return answer


def _draw_curves(database: Database, study_id: int, trial_id: int) -> str:
    of_study = tables.studies.c.optuna_study_id == study_id
    with database.reading() as connection:
        row = connection.execute(
            sa.select(tables.points.c.study_uuid, tables.points.c.point, *tables.studies.c)
            .join(tables.studies, tables.studies.c.uuid == tables.points.c.study_uuid)
            .where(of_study, tables.points.c.trial_id == trial_id)
        ).first()
    rows = read_curves(database, row.study_uuid, row.point) if row else []
    study = read_row(row) if row else None
    metric = study.spec.metric if isinstance(study, StudyRecord) else AUC
    return draw_svg(rows, f"Fold curves: {metric.label} over epochs", metric)


def _as_artifact(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    kind = next((value for name, value in headers if name.lower() == "content-type"), "").partition(";")[0]
    others = [
        (name, value)
        for name, value in headers
        if name.lower() not in ("content-type", "content-disposition")
    ]
    if kind.strip().lower() in SAFE_TYPES:
        return [*others, ("Content-Type", kind.strip().lower())]
    return [*others, ("Content-Type", "application/octet-stream"), ("Content-Disposition", "attachment")]


def _artifact_store() -> Any:
    folder = artifacts_folder()
    if folder is None or not folder.is_dir():
        return None
    from optuna.artifacts import FileSystemArtifactStore

    return FileSystemArtifactStore(str(folder))

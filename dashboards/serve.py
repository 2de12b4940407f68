"""optuna-dashboard, served so that looking cannot change anything."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from storage.errors import UsageError

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
THREADS = 4


def serve_dashboard(storage: Any, *, host: str, port: int, allow_edit: bool) -> None:
    """Serve optuna-dashboard until the process is interrupted.

    Args:
        storage: Optuna's storage.
        allow_edit: whether requests that change something are let through.

    Raises:
        UsageError: the address cannot be listened on.
    """
    import waitress

    application = make_application(storage, allow_edit=allow_edit)
    try:
        server = waitress.create_server(application, host=host, port=port, threads=THREADS)
    except OSError as error:
        raise UsageError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}.",
            why="Another program may use the port.",
            next_step=f"Choose another: orch dashboard --port {port % 65535 + 1}",
        ) from error
    try:
        server.run()
    finally:
        server.close()


def make_application(storage: Any, *, allow_edit: bool) -> Application:
    """Return optuna-dashboard as a WSGI application; without `allow_edit` it only reads."""
    from optuna_dashboard import wsgi

    application: Application = wsgi(storage)
    return application if allow_edit else refuse_changes(application)


def refuse_changes(application: Application) -> Application:
    """Return the application behind a door that lets only reading requests through."""

    def read_only(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environment.get("REQUEST_METHOD") in READING_METHODS:
            return application(environment, start_response)
        start_response("403 Forbidden", [("Content-Type", "application/json")])
        return [b'{"reason": "This dashboard only shows. Start it with --allow-edit to change studies."}']

    return read_only


def is_local(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

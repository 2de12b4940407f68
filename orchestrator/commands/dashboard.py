"""`orch dashboard`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import Storage


def dashboard(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", help="Port to listen on.", min=1, max=65535)] = 8080,
    allow_edit: Annotated[
        bool, typer.Option("--allow-edit", help="Allow changing and deleting studies in the browser.")
    ] = False,
    no_login: Annotated[
        bool,
        typer.Option("--no-login", help="Disable the password; allowed on loopback addresses only."),
    ] = False,
    https: Annotated[
        bool,
        typer.Option("--https", help="Set the cookie's Secure flag (use behind an HTTPS reverse proxy)."),
    ] = False,
    storage: Storage = None,
) -> None:
    """Show all studies in the browser.

    Shows the workers, the studies and what failed, live, and runs optuna-dashboard with orch's notes and figures behind that page.
    The browser cannot change anything unless --allow-edit is given.
    ORCH_DASHBOARD_PASSWORD sets the password; without it, a link for a single login is printed.
    Ctrl-C or SIGTERM ends it.

    \b
    Example:
      orch dashboard --port 8080
    """
    from dashboards.server.serve import serve_dashboard
    from orchestrator.studies.publishing import publish_unpublished
    from orchestrator.terminal.stopping import leaving_on_signals
    from storage.settings import dashboard_password, data_folders

    with leaving_on_signals(), open_storage(storage) as database:
        password = dashboard_password()
        # A server that listens everywhere is reached, from here, by the loopback.
        place = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}/"
        if no_login:
            password = None
            lines = [f"dashboard on {place}  (Ctrl-C ends it)"]
        elif password is None:
            lines = [
                "The link works once; a new one is printed after its use. To use a password instead, set ORCH_DASHBOARD_PASSWORD.",
            ]
        else:
            lines = [f"dashboard on {place}  (password: ORCH_DASHBOARD_PASSWORD; Ctrl-C ends it)"]

        def say_link(token: str) -> None:
            console.say(f"dashboard on {place}login?token={token}  (Ctrl-C ends it)")

        def write_report(name: str) -> str:
            from orchestrator.studies.reporting import draw_report

            return draw_report(database, name, data_folders(None))

        def announce() -> None:
            for line in lines:
                console.say(line)
            publish_unpublished(database)

        serve_dashboard(
            database,
            host=host,
            port=port,
            password=password,
            allow_edit=allow_edit,
            secure=https,
            say_link=None if no_login or password is not None else say_link,
            when_open=announce,
            write_report=write_report,
        )

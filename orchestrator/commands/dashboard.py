"""`orch dashboard`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import console
from orchestrator.opening import open_storage
from orchestrator.options import Storage


def dashboard(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8080,
    allow_edit: Annotated[
        bool, typer.Option("--allow-edit", help="Let the browser change and delete studies.")
    ] = False,
    storage: Storage = None,
) -> None:
    """Show all studies in the browser.

    With optuna-dashboard. Nothing can be changed from the browser without --allow-edit. There is no login: keep it on this machine
    (the default), and reach it from elsewhere through an SSH tunnel.

    \b
    Example:
      orch dashboard --port 8080
    """
    from dashboards.serve import is_local, serve_dashboard

    with open_storage(storage) as database:
        if not is_local(host):
            console.warn(f"Everybody who reaches {host}:{port} can see the studies: there is no login.")
        console.say(f"optuna-dashboard on http://{host}:{port}/  (Ctrl-C ends it)")
        serve_dashboard(database.optuna, host=host, port=port, allow_edit=allow_edit)

"""optuna-dashboard's own pages with what orch adds: progress and values in its list, figures in its theme, and why it refuses.

Its single page gets a style sheet and a script of ours; its files and its addresses stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from dashboards.figures.palette import INK, LINES, PAPER, list_swaps
from dashboards.pages.html import read_asset
from dashboards.server.login import Application
from dashboards.server.overview import Overview
from dashboards.server.start import StartPage, report_address

PAGES = re.compile(r"/dashboard(/.*)?")
IMPORTANCE = re.compile(r"/api/studies/\d{1,9}/param_importances")
SUMMARIES = "/orch/studies.json"
STYLE, SCRIPT = "/orch/optuna.css", "/orch/optuna.js"


def add_to_pages(application: StartPage, *, allow_edit: bool) -> Application:
    """The application with our additions to optuna-dashboard's page.

    Args:
        application: the start page, whose studies the list of optuna-dashboard tells of, too, with optuna-dashboard behind it.
        allow_edit: whether it may change something; else what would is hidden, or says why not.
    """

    def added(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environment.get("PATH_INFO", "")
        if environment.get("REQUEST_METHOD") != "GET":
            return application(environment, start_response)
        if PAGES.fullmatch(path):
            body, kind = extend_page(allow_edit=allow_edit), "text/html; charset=utf-8"
        elif path == STYLE:
            body, kind = read_asset("optuna.css") + themed_style(), "text/css; charset=utf-8"
        elif path == SCRIPT:
            body, kind = read_asset("optuna.js"), "text/javascript; charset=utf-8"
        elif path == SUMMARIES:
            body, kind = (
                json.dumps(
                    summarise(application.poller.find_overview(), has_reports=application.has_reports)
                ),
                "application/json",
            )
        elif IMPORTANCE.fullmatch(path):
            # orch's own figure says what chance gives; Optuna's does not, and takes seconds.
            body, kind = '{"param_importances": []}', "application/json"
        else:
            return application(environment, start_response)
        sent = body.encode()
        start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(sent)))])
        return [sent]

    return added


@cache
def extend_page(*, allow_edit: bool) -> str:
    """optuna-dashboard's page with our style and our script, which runs before its own."""
    page = (files("optuna_dashboard") / "index.html").read_text(encoding="utf-8")
    access = "edit" if allow_edit else "read"
    ours = f'<link rel="stylesheet" href="{STYLE}"><script defer src="{SCRIPT}" id="orch" data-access="{access}"></script>'
    return page.replace("<head>", f"<head>{ours}", 1)


@cache
def themed_style() -> str:
    """Colours of orch's figures on a dark page: they are drawn for a light one, and kept so in the database for everybody."""
    pairs = [(INK["light"], INK["dark"]), (LINES["light"], LINES["dark"])]
    pairs += [(old, new) for old, new in list_swaps() if old.startswith("#")]
    rules = []
    scope = 'html[data-orch-theme="dark"] [id^="user-defined-plot:orch-"]'
    for old, new in pairs:
        for name in ("fill", "stroke"):
            # What is shown under the pointer keeps its own ground, and with it its own ink.
            marked = f'[style*="{name}: {_as_rgb(old)}"]:not(.hoverlayer *)'
            rules.append(f"{scope} {marked} {{ {name}: {new} !important; }}")
    paper = _as_rgb(PAPER["light"])
    rules.append(f"{scope} .main-svg {{ background: transparent !important; }}")
    rules.append(
        f'{scope} :is(.bg, .legend > rect)[style*="fill: {paper}"]:not(.hoverlayer *) {{ fill: transparent !important; }}'
    )
    return "\n".join(["", *rules, ""])


def summarise(overview: Overview, *, has_reports: bool) -> dict[str, Any]:
    """Of each study, by Optuna's id, what a card of the list has room for."""
    return {
        str(line.study_id): {
            "name": line.name,
            "state": line.state,
            "settled": line.settled,
            "planned": line.planned,
            "failed": line.failed,
            "metric": line.metric,
            "best": line.best,
            "best_trial": line.best_trial,
            "corrected": line.corrected,
            "report": report_address(line.name) if line.is_readable and has_reports else None,
        }
        for line in overview.studies
    }


def _as_rgb(colour: str) -> str:
    """A hexadecimal colour as browsers write it into a style."""
    return f"rgb({', '.join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))})"

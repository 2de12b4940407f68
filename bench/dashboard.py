"""What looking costs: a study of 500 trials in the dashboard and as a report, the start page, and what workers pay for fresh pages.

Server time is the CPU time of this process, which is the wall clock of a quiet machine; the limit of each is 3 s, and of the start
page of 50 workers and 20 studies 0.3 s.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRIALS = 500
LIMIT_SECONDS = 3.0
WORKERS, STUDIES, EACH = 50, 20, 110
START_LIMIT_SECONDS = 0.3


def main() -> int:
    """Print the table; the exit code says whether the limits are kept."""
    from storage.database.opening import open_database
    from tests.generated_studies import sized_study

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/orch.db"
        database = open_database(url, create=True)
        study = sized_study(database, "large", TRIALS, pruned=False)
        database.close()
        rows = [*measure_publishing(url, study), *measure_dashboard(url, study), *measure_report(url, study)]
    with tempfile.TemporaryDirectory() as folder:
        rows += measure_start_page(f"sqlite:///{folder}/orch.db")
    print(f"a study of {TRIALS} trials, 6 folds, 20 epochs and reports each, SQLite")
    print(f"{'what':58} {'wall s':>8} {'CPU s':>8}  limit")
    failed = False
    for what, wall, cpu, limit in rows:
        failed |= limit is not None and cpu > limit
        kept = "" if limit is None else f"{limit:g} s {'kept' if cpu <= limit else 'BROKEN'}"
        print(f"{what:58} {wall:8.3f} {cpu:8.3f}  {kept}")
    return int(failed)


def measure(
    what: str, call: Callable[[], Any], limit: float | None = None
) -> tuple[str, float, float, float | None]:
    """Time one call, once: what a reader waits for is the first time."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return (what, time.perf_counter() - wall, time.process_time() - cpu, limit)


def measure_publishing(url: str, study: Any) -> list[tuple[str, float, float, float | None]]:
    """What one worker pays: a publication, and the calls between two of them."""
    from dashboards.pages.publish import publish_study
    from storage.database.opening import open_database
    from storage.studies.point_records import count_points

    database = open_database(url)
    first = measure("publish: first time, with 500 trial notes", lambda: publish_study(database, study))
    again = measure(
        "publish: again (at most every 30 s, of one worker)",
        lambda: publish_study(database, study, force=True),
    )
    calls = 100
    between = measure("", lambda: [count_points(database, study.uuid) for _ in range(calls)])
    database.close()
    return [
        first,
        again,
        ("after a trial between two publications", between[1] / calls, between[2] / calls, None),
    ]


def ask(application: Any, path: str) -> bytes:
    """The body of the answer to a browser on this machine. A refusal is quick, and is no measurement."""
    environment = {
        "PATH_INFO": path,
        "REQUEST_METHOD": "GET",
        "HTTP_ACCEPT": "*/*",
        "HTTP_HOST": "127.0.0.1",
        "QUERY_STRING": "",
    }
    told: list[str] = []
    body = b"".join(application(environment, lambda status, headers, error=None: told.append(status)))
    if told != ["200 OK"]:
        raise RuntimeError(f"{path} was answered with {told}: {body[:200]!r}")
    return body


def measure_dashboard(url: str, study: Any) -> list[tuple[str, float, float, float | None]]:
    """What the server does when a browser opens the study for the first time, and again."""
    from dashboards.server.serve import make_application
    from storage.database.opening import open_database

    database = open_database(url)
    application = make_application(database, password=None, allow_edit=False)
    sizes = []

    def get(path: str) -> None:
        body = ask(application, path)
        json.loads(body)
        sizes.append(len(body))

    page = f"/api/studies/{study.optuna_study_id}"
    rows = [
        measure("dashboard: list of studies", lambda: get("/api/studies"), LIMIT_SECONDS),
        measure("dashboard: open the study, first time", lambda: get(page), LIMIT_SECONDS),
        measure("dashboard: open the study, again", lambda: get(page), LIMIT_SECONDS),
    ]
    print(f"the study's answer has {sizes[1] / 1e6:.2f} MB")
    database.close()
    return rows


def measure_start_page(url: str) -> list[tuple[str, float, float, float | None]]:
    """What the server does when the start page is opened for the first time, and in each turn of its poller."""
    from dashboards.server import live
    from dashboards.server.serve import make_application
    from storage.database.opening import open_database
    from tests.generated_studies import fleet_at_work, sized_study

    database = open_database(url, create=True)
    studies = [
        sized_study(database, f"study-{number}", EACH, settled=EACH - WORKERS // STUDIES - 1, failed=1)
        for number in range(STUDIES)
    ]
    fleet_at_work(database, studies, WORKERS)
    application = make_application(database, password=None, allow_edit=False)
    sizes = []

    def get() -> None:
        sizes.append(len(ask(application, "/")))

    live.POLL_SECONDS, live.LARGEST_SHARE = 0.0, float("inf")
    what = f"start page: {WORKERS} workers, {STUDIES} studies of {EACH} trials"
    rows = [
        measure(f"{what}, first time", get, START_LIMIT_SECONDS),
        measure(f"{what}, each poll", get, START_LIMIT_SECONDS),
    ]
    print(f"the start page has {sizes[-1] / 1e3:.0f} kB")
    database.close()
    return rows


def measure_report(url: str, study: Any) -> list[tuple[str, float, float, float | None]]:
    """`orch report` within a running process."""
    from orchestrator.studies.reporting import write_report
    from storage.database.opening import open_database

    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "report.html"
        database = open_database(url)
        row = measure(
            "report: read, draw, write",
            lambda: write_report(database, [study.name], [], output),
            LIMIT_SECONDS,
        )
        database.close()
        print(f"the report has {output.stat().st_size / 1e6:.2f} MB")
    return [row]


if __name__ == "__main__":
    sys.exit(main())

"""The long fault tests: `make chaos`. Prints one JSON line per run; leaves with 1 when anything does not add up.

    python -m bench.chaos [weather] [trouble] [around] [sqlite] [create] [commands] [keras] [hosts] [--seeds 5] [--points 200]

weather: 200 points, 4 workers, a SIGKILL every 2-5 s, PostgreSQL crashed 3 times, one worker frozen past its lease;
trouble: the disk of the server full for 8 s, and a table locked for 4 s under a statement_timeout of 500 ms, again and again;
around: a server frozen for 8 s, somebody who ends and adds trials with Optuna, a newer orch beside, a clock set back, checkpoints whose
bits are turned, checkpoints on a full disk (root), a password that is changed, and sessions that are cut, directly and behind
PgBouncer in transaction mode (where it is installed), each again and again;
commands: two coordinators who create, stop, resume and delete one study for a minute, and a worker whose cache is on a full disk (root);
sqlite: 8 processes, 200 points, 3 runs; create: `orch study create` killed at 20 random instants; keras: the real
objective, `orch worker`, a kill every 60-90 s, and the same study undisturbed by one worker and by several;
hosts: a database and two worker hosts in network namespaces (root), the link of one cut past the lease and mended.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from bench.chaos_commands import full_cache, keras, killed_creations, summarise, two_coordinators
from bench.pgbouncer import PROGRAM, PgBouncer
from storage.database.opening import open_database
from tests import nemeses
from tests.hosts import three_hosts_storm
from tests.postgres import PostgresServer
from tests.storm import Storm, account_for
from tests.studies import make_study

POINTS = 200
ROLE = "of_the_workers"
TROUBLES = (
    "disk full", "statement_timeout", "frozen server", "outside tools", "newer orch", "clock set back", "bit flips",
    "checkpoints on a full disk", "password changed", "sessions cut", "sessions cut behind PgBouncer",
)  # fmt: skip
STORMS: dict[str, dict[str, Any]] = {
    "newer orch": {"serves": "*"},
    "clock set back": {"kill_every": (3, 5), "waits_for_progress": True},
    "bit flips": {"kill_every": (2, 4), "waits_for_progress": True, "eager": True},
    "checkpoints on a full disk": {"kill_every": (3, 5), "waits_for_progress": True, "eager": True},
}
"""What a trouble needs of its storm."""


def main() -> int:
    """Run what was asked for; returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "what", nargs="*", default=["weather", "trouble", "around", "sqlite", "create", "commands"]
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--points", type=int, default=POINTS, help="of trouble and around")
    arguments = parser.parse_args()
    server = PostgresServer()
    folder = Path(tempfile.mkdtemp(prefix="orch-chaos-"))
    runs: dict[str, Any] = {
        "weather": lambda: [weather(server, folder, seed) for seed in range(1, arguments.seeds + 1)],
        "trouble": lambda: [trouble(server, folder, kind, arguments.points) for kind in TROUBLES[:2]],
        "around": lambda: [
            trouble(server, folder, kind, arguments.points)
            for kind in TROUBLES[2:]
            if PROGRAM or not kind.endswith("PgBouncer")
        ],
        "sqlite": lambda: [many_on_sqlite(folder, run) for run in range(3)],
        "create": lambda: [killed_creations(server, folder)],
        "commands": lambda: [two_coordinators(server, folder, 60), full_cache(server, folder)],
        "keras": lambda: [keras(server, folder)],
        "hosts": lambda: [three_hosts(folder, POINTS)],
    }
    try:
        server.start()
        results = [result for what in arguments.what for result in runs[what]()]
    finally:
        server.close()
    return 0 if all(result["ok"] for result in results) else 1


def weather(server: PostgresServer, folder: Path, seed: int) -> dict[str, Any]:
    """One run in bad weather; odd seeds train fold by fold."""
    url = server.copy_template(lambda fresh: open_database(fresh, create=True).close())
    schedule = "sequential" if seed % 2 else "lockstep"
    database = open_database(url)
    make_study(database, "storm", points=POINTS, **{"cv.schedule": schedule})
    database.close()
    storm = Storm(
        url,
        "storm",
        folder / f"weather-{seed}",
        workers=4,
        seconds=0.08,
        kill_every=(2, 5),
        server=server,
        restarts=3,
        freezes=1,
        seed=seed,
        limit=1200,
    )
    happened = storm.run()
    result = summarise(
        f"weather, seed {seed}, {schedule}", happened, account_for(url, "storm", folder / f"weather-{seed}")
    )
    server.drop_database(url)
    return result


def trouble(server: PostgresServer, folder: Path, kind: str, points: int) -> dict[str, Any]:
    """A world that misbehaves while a study runs: no attempt may fail because of it."""
    url = server.copy_template(lambda fresh: open_database(fresh, create=True).close())
    schedule = "sequential" if kind in ("bit flips", "checkpoints on a full disk") else "lockstep"
    database = open_database(url)
    make_study(database, "storm", points=points, **{"cv.schedule": schedule})
    database.close()
    artifacts, touched, passwords = folder / f"artifacts of {kind}", set[int](), folder / "passwords"
    storm = Storm(url, "storm", folder / kind, workers=4, seconds=0.08, limit=1200, **STORMS.get(kind, {}))
    nemesis: dict[str, Callable[[], contextlib.AbstractContextManager[list[int] | None]]] = {
        "disk full": lambda: nemeses.full_disk(server, url, lasts=8, every=10),
        "statement_timeout": lambda: nemeses.statement_timeout(server, url, limit="500ms", lasts=4, every=8),
        "frozen server": lambda: nemeses.frozen_server(server, lasts=8, every=8),
        "outside tools": lambda: nemeses.outside_tools(url, "storm", every=3, touched=touched),
        "newer orch": lambda: nemeses.newer_fleet(url, every=4),
        "clock set back": lambda: nemeses.clock_set_back(url, every=4),
        "bit flips": lambda: nemeses.bit_flips(artifacts, every=0.3),
        "checkpoints on a full disk": lambda: nemeses.full_folder(artifacts),
        "password changed": lambda: nemeses.changed_password(server, ROLE, passwords, lasts=8, every=5),
        "sessions cut": lambda: nemeses.cut_sessions(server, every=1.5),
        "sessions cut behind PgBouncer": lambda: nemeses.cut_sessions(server, every=1.5),
    }
    if storm.eager:
        storm.artifacts = str(artifacts)
    with contextlib.ExitStack() as stack:
        times = stack.enter_context(nemesis[kind]())
        if kind == "password changed":
            place = make_url(url)
            storm.url = f"postgresql://{ROLE}@{place.host}:{place.port}/{place.database}?passfile={passwords}"
        elif kind.endswith("PgBouncer"):
            storm.url = stack.enter_context(PgBouncer(server, "transaction", sessions=4)).url(url)
        happened = storm.run()
    account = account_for(url, "storm", folder / kind)
    theirs = [
        problem for problem in account["problems"] if touched & {int(n) for n in re.findall(r"\d+", problem)}
    ]
    account["problems"] = [problem for problem in account["problems"] if problem not in theirs]
    if account["attempts"]["failed"]:
        account["problems"].append(f"{account['attempts']['failed']} attempts failed because of {kind}")
    result = summarise(
        kind, {**happened, "times": times and times[0], "said_of_others": len(theirs)}, account
    )
    server.drop_database(url)
    return result


def many_on_sqlite(folder: Path, run: int) -> dict[str, Any]:
    """Eight processes on one SQLite file."""
    url = f"sqlite:///{folder / f'many-{run}.db'}"
    database = open_database(url, create=True)
    make_study(database, "storm", points=POINTS)
    database.close()
    logs = folder / f"sqlite-{run}"
    happened = Storm(url, "storm", logs, workers=8, seconds=0.02, limit=1200).run()
    locked = sum(path.read_text().lower().count("locked") for path in logs.glob("*.log"))
    account = account_for(url, "storm", logs)
    if locked:
        account["problems"].append(f"{locked} times 'database is locked'")
    return summarise(f"sqlite, 8 processes, run {run + 1}", {**happened, "locked": locked}, account)


def three_hosts(folder: Path, points: int) -> dict[str, Any]:
    """Three hosts, one of them cut off for longer than the lease."""
    happened, account = three_hosts_storm(folder / "hosts", points)
    return summarise("three hosts, one link cut past the lease", happened, account)


if __name__ == "__main__":
    sys.exit(main())

"""Many light workers on one PostgreSQL, directly and through PgBouncer: sessions, transactions, latency, what gives out.

A few processes hold the workers as threads, each a whole worker loop with its own pool of database sessions: its claims,
beats, epochs (six fold rows, a report, a pruning check) and finishes. Training is a sleep. Points take `--pace` seconds
per worker, at least 30 s, so that server and workers fit on one machine together; every epoch takes a twentieth of that.
Workers come, and leave, at `--per-second`: a thousand at the same instant on the server's own two cores measure these
cores. Each case is measured for `--window` seconds while every worker works; then all points that were begun are ended
early, and every one of them must have ended exactly once. The idle cases: workers with `--forever` and nothing left; workers without a point
while another one still works.

    python -m bench.fleet [--workers 50 200 500 1000] [--ways direct session transaction bare] [--pace 0.3]
                                [--window 30] [--memory 8192] [--idle 1000] [--per-second 15]

"session" and "transaction" are PgBouncer's pool modes; "bare" is transaction pooling by a PgBouncer that is not told
orch's time limits. Needs Linux. One JSON line per case; a case that would not fit into `--memory` MiB says so.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np

from bench.fleet_process import Orders, run
from bench.fleet_watch import Watch, latencies, make_watch
from bench.machine import available_mib, cpu_seconds, memory_mib
from bench.pgbouncer import PROGRAM, PgBouncer
from orchestrator.studies.verify import verify_study
from storage.database.opening import open_database
from storage.studies.points import claim_point, count_points
from storage.studies.study import StudyRecord, load_study
from tests.postgres import PostgresServer
from tests.studies import make_study, processes

EPOCHS, FOLDS = 20, 6
PROCESSES = 8
POOLED_SESSIONS = 20
SPARE_SESSIONS = 50
SHORTEST_POINT = 30.0
STUDY = "fleet"
REALISTIC = {"fsync": "on", "full_page_writes": "on", "autovacuum": "on", "shared_buffers": "256MB"}
GIVE_UP_OPEN_POINTS = "DELETE FROM orch_points WHERE state = 'open' RETURNING point"
BUSY = 0.85
"""Of all cores: more means that the machine is what gives out."""


def main() -> int:
    """Measure and print; returns 1 when a point did not end exactly once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, nargs="*", default=[50, 200, 500])
    parser.add_argument("--ways", nargs="*", default=["direct", "transaction"])
    parser.add_argument("--pace", type=float, default=0.3, help="seconds of a point per worker")
    parser.add_argument("--window", type=float, default=30.0, help="measured seconds per case")
    parser.add_argument("--memory", type=float, default=8192.0, help="MiB that all of it may take")
    parser.add_argument("--idle", type=int, nargs="*", default=[500], help="workers of the idle cases")
    parser.add_argument("--per-second", type=float, default=15.0, help="workers that come or leave")
    arguments = parser.parse_args()
    # Told to stop, take the workers and the server along; a shell's background ignores SIGINT.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    ok, mib_per_worker = True, 0.0
    for workers in arguments.workers:
        for way in arguments.ways:
            if not fits(workers, way, mib_per_worker, arguments.memory):
                continue
            case = Case(
                workers,
                way,
                max(SHORTEST_POINT, arguments.pace * workers),
                arguments.window,
                arguments.per_second,
            )
            result = case.run()
            ok = ok and result["ok"]
            if way == "direct":
                mib_per_worker = (result["server_mib"] + result["workers_mib"]) / workers
    for workers in arguments.idle:
        for what in ("nothing left", "others work"):
            if fits(workers, what, mib_per_worker, arguments.memory):
                Case(
                    workers, "direct", SHORTEST_POINT, arguments.window, arguments.per_second, idle=what
                ).run()
    return 0 if ok else 1


def fits(workers: int, way: str, mib_per_worker: float, limit: float) -> bool:
    """Whether the case is likely to fit into memory and its pooler is there; says so where not."""
    needed = workers * mib_per_worker
    if way in ("session", "transaction", "bare") and PROGRAM is None:
        show(workers=workers, way=way, left_out="PgBouncer is not installed (Debian: apt install pgbouncer)")
    elif needed > min(limit, 0.8 * available_mib()):
        show(
            workers=workers,
            way=way,
            left_out=f"would need some {needed:.0f} MiB, at {mib_per_worker:.1f} a worker",
        )
    else:
        return True
    return False


class Case:
    """So many workers in one way.

    Args:
        workers: how many.
        way: "direct", "session", "transaction" or "bare".
        seconds: of a point.
        window: seconds to measure.
        per_second: workers that come or leave.
        idle: "nothing left" or "others work"; empty for workers that work.
    """

    def __init__(
        self, workers: int, way: str, seconds: float, window: float, per_second: float, idle: str = ""
    ) -> None:
        self.workers, self.way, self.seconds, self.window, self.idle = workers, way, seconds, window, idle
        self.spread = workers / per_second
        self.most = workers * 2 + SPARE_SESSIONS
        # Each worker takes one, and those that end within the window and a slow start take another.
        self.points = 1 if idle else workers + int(2 * workers * (window + 60 + self.spread) / seconds) + 10

    def run(self) -> dict[str, Any]:
        """Run the case, print its line and return it."""
        server = PostgresServer(settings={**REALISTIC, "max_connections": str(self.most)})
        try:
            server.start()
            return self._run(server)
        finally:
            server.close()

    def _run(self, server: PostgresServer) -> dict[str, Any]:
        url = server.create_database()
        database = open_database(url, create=True)
        changes = {"training.epochs": EPOCHS, "cv.folds": FOLDS, "study.lease_seconds": 60}
        study = make_study(database, STUDY, points=self.points, pruner="halving", **changes)
        if self.idle == "nothing left":
            server.execute("UPDATE orch_points SET state = 'failed'", database=name_of(url))
        elif self.idle:
            claim_point(database, study, worker="another", token="bench")
            server.execute("UPDATE orch_points SET expires_at = expires_at + 3600", database=name_of(url))
        database.close()
        finish, answers = processes.Event(), processes.Queue()
        with closing(server.connect(name_of(url))) as looking, self._pooled(server) as pooler:
            watch = make_watch(looking)
            share = [len(part) for part in np.array_split(np.arange(self.workers), PROCESSES) if len(part)]
            reached = pooler.url(url) if pooler else url
            started = [
                processes.Process(
                    target=run,
                    args=(
                        Orders(reached, STUDY, EPOCHS, self.seconds, threads, bool(self.idle), self.spread),
                        finish,
                        answers,
                    ),
                )
                for threads in share
            ]
            began = time.monotonic()
            for process in started:
                process.start()
            try:
                self._wait_until_up(watch, began, started)
                result: dict[str, Any] = {"seconds_until_all_are_up": round(time.monotonic() - began, 1)}
                edges, measured = self._measure(
                    server, watch, url, pooler, [int(p.pid or 0) for p in started]
                )
                result |= measured
                ended = time.monotonic()
                # Else a thousand workers would begin hundreds of points more at the same instant.
                left = server.execute(GIVE_UP_OPEN_POINTS, database=name_of(url))
                finish.set()
                answered = [answers.get(timeout=900) for _ in started]
                for process in started:
                    process.join()
                result["seconds_until_all_have_left"] = round(time.monotonic() - ended, 1)
            finally:
                for process in started:
                    process.kill()
        result |= latencies([calls for calls, _ in answered], edges)
        result["errors"] = [error for _, errors in answered for error in errors][:3]
        return self._summarise(url, study, result, begun=self.points - len(left))

    @contextmanager
    def _pooled(self, server: PostgresServer) -> Iterator[PgBouncer | None]:
        if self.way == "direct":
            yield None
            return
        mode = "session" if self.way == "session" else "transaction"
        sessions = self.most - SPARE_SESSIONS if mode == "session" else POOLED_SESSIONS
        with PgBouncer(server, mode, sessions, limits=self.way != "bare") as pooler:
            yield pooler

    def _wait_until_up(self, watch: Watch, began: float, started: list[Any]) -> None:
        counted = (
            "orch_workers WHERE state = 'idle'"
            if self.idle
            else "orch_points WHERE state = 'claimed' AND trial_id IS NOT NULL"
        )
        while True:
            (up,) = watch(f"SELECT count(*) FROM {counted}")
            if up >= 0.99 * self.workers:
                return
            if time.monotonic() - began > 600 or not all(process.is_alive() for process in started):
                raise RuntimeError(f"only {up} of {self.workers} workers came up")
            time.sleep(1)

    def _measure(
        self, server: PostgresServer, watch: Watch, url: str, pooler: PgBouncer | None, workers: list[int]
    ) -> tuple[tuple[float, float], dict[str, Any]]:
        groups = {"server": [server.process_id], "workers": workers}
        if pooler:
            groups["pgbouncer"] = [pooler.process_id]
        name = name_of(url)
        committed = f"SELECT xact_commit FROM pg_stat_database WHERE datname = '{name}'"
        active = f"SELECT count(*), count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        before = {group: cpu_seconds(roots) for group, roots in groups.items()}
        (before_commits,), start = watch(committed), time.time()
        samples, waiting = [], []
        while time.time() < start + self.window:
            time.sleep(1)
            samples.append(watch(active))
            if pooler:
                waiting.append(pooler.pools()["cl_waiting"])
        end = time.time()
        commits = watch(committed)[0] - before_commits
        share = {
            group: (cpu_seconds(roots) - before[group]) / (end - start) for group, roots in groups.items()
        }
        facts: dict[str, Any] = {}
        if pooler:
            clients = pooler.pools()
            facts = {
                "pooler_clients": clients["cl_active"] + clients["cl_waiting"],
                "most_waiting": max(waiting),
            }
        if self.way in ("transaction", "bare") and pooler:
            facts["of_20_without_limits"] = pooler.count_unlimited(url)
        return (start, end), {
            "sessions": max(total for total, _ in samples),
            "active_sessions": {
                "median": float(np.median([busy for _, busy in samples])),
                "most": max(busy for _, busy in samples),
            },
            "transactions_per_s": round(commits / (end - start), 1),
            "cores": {group: round(cores, 2) for group, cores in share.items()},
            **facts,
            **{f"{group}_mib": round(memory_mib(roots)) for group, roots in groups.items()},
        }

    def _summarise(self, url: str, study: StudyRecord, result: dict[str, Any], begun: int) -> dict[str, Any]:
        database = open_database(url)
        try:
            counts = count_points(database, study.uuid)
            problems: list[str] = []
            if not self.idle:
                planned: list[dict[str, Any] | None] = [
                    {"batch_size": 16 + number} for number in range(begun)
                ]
                document = verify_study(database, load_study(database, STUDY), planned)
                problems = document["problems"]
                ended = document["trials"].get("COMPLETE", 0) + document["trials"].get("PRUNED", 0)
                if ended != begun or not counts.is_settled or counts.failed:
                    problems.append(f"{ended} trials ended for {begun} points: {counts}")
        finally:
            database.close()
        ok = not problems and not result["errors"]
        facts = {"workers": self.workers, "way": self.way, **({"idle": self.idle} if self.idle else {})}
        if not self.idle:
            facts |= {"seconds_per_point": self.seconds, "points": begun}
        result = {
            **facts,
            **result,
            "gives_out": self._name_bottleneck(result),
            "load": round(os.getloadavg()[0], 1),
        }
        result |= {"problems": problems[:3], "ok": ok}
        show(**result)
        return result

    def _name_bottleneck(self, result: dict[str, Any]) -> str:
        cores = len(os.sched_getaffinity(0))
        if sum(result["cores"].values()) > BUSY * cores:
            largest = max(result["cores"], key=lambda group: float(result["cores"][group]))
            return f"the {cores} cores of this machine, most of it the {largest}"
        if result.get("pgbouncer_mib") and result["cores"]["pgbouncer"] > BUSY:
            return "PgBouncer's one core"
        if result["sessions"] > 0.95 * self.most:
            return "sessions of the server"
        if (
            self.way in ("transaction", "bare")
            and result["active_sessions"]["median"] > BUSY * POOLED_SESSIONS
        ):
            return "the pooler's sessions"
        return "nothing yet"


def name_of(url: str) -> str:
    """The database in an address."""
    return url.rpartition("/")[2]


def show(**facts: Any) -> None:
    """Print one line."""
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    sys.exit(main())

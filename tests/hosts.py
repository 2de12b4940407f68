"""Three hosts in network namespaces: one database, two worker hosts; the link of one is cut and mended. Needs root."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from storage.database.address import parse_url
from storage.database.opening import open_database
from storage.studies.points import count_points
from storage.studies.study import load_study
from tests.history import keep_history
from tests.light_worker import enter_namespace, work
from tests.postgres import PostgresServer
from tests.storm import account_for
from tests.studies import make_study, processes

NETWORK = "10.77.31"
DATABASE_HOST, WORKER_HOSTS = "orch-db", ("orch-w1", "orch-w2")
BRIDGE = "orch-bridge"


def why_impossible() -> str:
    """Why this machine cannot have network namespaces; empty when it can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None:
        return "network namespaces need root and iproute2"
    try:
        with hosts():
            return ""
    except subprocess.CalledProcessError as error:
        return f"this kernel or container allows no network namespaces: {error.stderr.strip()}"


@contextmanager
def hosts() -> Iterator[None]:
    """Make a bridge and three namespaces on it."""
    _remove()
    try:
        _ip(f"link add {BRIDGE} type bridge")
        _ip(f"link set {BRIDGE} up")
        for number, name in enumerate((DATABASE_HOST, *WORKER_HOSTS), start=1):
            _ip(f"netns add {name}")
            _ip(f"link add {name} type veth peer name eth0 netns {name}")
            _ip(f"link set {name} master {BRIDGE} up")
            _ip(f"-n {name} addr add {NETWORK}.{number}/24 dev eth0")
            _ip(f"-n {name} link set eth0 up")
            _ip(f"-n {name} link set lo up")
        yield
    finally:
        _remove()


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Let this thread, and what it starts, live in a namespace for a while."""
    own = Path(f"/proc/self/task/{os.getpid()}/ns/net")
    descriptor = os.open(own, os.O_RDONLY)
    enter_namespace(Path("/run/netns") / name)
    try:
        yield
    finally:
        enter_namespace(Path(f"/proc/self/fd/{descriptor}"))
        os.close(descriptor)


def three_hosts_storm(
    folder: Path, points: int, seconds: float = 0.05
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a study on two worker hosts while one of them is cut off; returns what happened, and the account."""
    folder.mkdir(parents=True, exist_ok=True)
    server = PostgresServer(network=f"{NETWORK}.0/24")
    # Started within the namespace, the server of processes would leave every later test's processes there, without a network.
    forkserver.ensure_running()
    with hosts(), inside(DATABASE_HOST):
        try:
            server.start()
            url = server.create_database()
            database = open_database(url, create=True)
            study = make_study(database, "storm", points=points)
            keep_history(database)
            lease = study.spec.study.lease_seconds
            remote = parse_url(url).set(host=f"{NETWORK}.1").render_as_string(hide_password=False)
            workers = [
                processes.Process(target=work, args=(remote, "storm", seconds, str(folder), "", host))
                for host in WORKER_HOSTS
                for _ in range(2)
            ]
            began = time.monotonic()
            for worker in workers:
                worker.start()
            cut = 0.0
            while not (counts := count_points(database, study.uuid)).is_settled:
                assert time.monotonic() - began < 600, counts
                assert any(worker.is_alive() for worker in workers)
                if not cut and counts.open < 0.7 * points:
                    _ip(f"-n {WORKER_HOSTS[0]} link set eth0 down")
                    time.sleep(2 * lease)
                    _ip(f"-n {WORKER_HOSTS[0]} link set eth0 up")
                    cut = 2.0 * lease
                time.sleep(0.2)
            for worker in workers:
                worker.join(90)
            happened = {
                "seconds": round(time.monotonic() - began, 1),
                "cut_seconds": cut,
                "left_by_themselves": [worker.exitcode for worker in workers] == [0] * len(workers),
            }
            load_study(database, "storm")
            database.close()
            return happened, account_for(url, "storm", folder)
        finally:
            server.close()


def _remove() -> None:
    for name in (DATABASE_HOST, *WORKER_HOSTS):
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip(f"netns del {name}")
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip(f"link del {name}")
    with contextlib.suppress(subprocess.CalledProcessError):
        _ip(f"link del {BRIDGE}")


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True, text=True)

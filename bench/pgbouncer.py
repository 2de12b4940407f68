"""A PgBouncer in front of a test server, from the program that the system has."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg2
from sqlalchemy.engine import make_url

from tests.postgres import PostgresServer, free_port, unprivileged_account

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
LIMITS = "SET lock_timeout = 10000; SET idle_in_transaction_session_timeout = 5000"
"""What orch sets in each of its sessions; in transaction pooling the pooler must do it in each of its own."""


class PgBouncer:
    """One PgBouncer process; use it as a context manager.

    Args:
        server: what it stands before.
        mode: "session" or "transaction".
        sessions: how many sessions of the server it may take for one database.
        limits: whether it sets orch's time limits in each of them.
    """

    def __init__(self, server: PostgresServer, mode: str, sessions: int, *, limits: bool = True) -> None:
        assert PROGRAM is not None, "PgBouncer is not installed (Debian: apt install pgbouncer)"
        self._server, self._mode, self._sessions, self._limits = server, mode, sessions, limits
        self._port = free_port()
        self._url = make_url(server.url())

    def __enter__(self) -> PgBouncer:
        account = unprivileged_account() if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="orch-pgbouncer-", dir="/tmp"))
        query = f" connect_query='{LIMITS}'" if self._limits else ""
        (self._folder / "users").write_text(f'"{self._url.username}" "{self._url.password}"\n')
        (self._folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={self._server.port}{query}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self._port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {self._folder}/users\nadmin_users = {self._url.username}\n"
            f"pool_mode = {self._mode}\nmax_client_conn = 5000\ndefault_pool_size = {self._sessions}\n"
            "log_connections = 0\nlog_disconnections = 0\n"
        )
        identity: dict[str, Any] = {}
        if account is not None:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
            identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM), "-q", str(self._folder / "pgbouncer.ini")],
                stdout=log,
                stderr=log,
                start_new_session=True,
                **identity,
            )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(psycopg2.OperationalError):
                self.pools()
                return self
            time.sleep(0.05)
        raise RuntimeError(f"PgBouncer did not start:\n{(self._folder / 'log').read_text()[-2000:]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def process_id(self) -> int:
        """Of the pooler."""
        return self._process.pid

    def url(self, server_url: str) -> str:
        """The address of a database through the pooler instead of the server."""
        return make_url(server_url).set(port=self._port).render_as_string(hide_password=False)

    def pools(self) -> dict[str, int]:
        """Clients and sessions of the server now, as SHOW POOLS counts them, over all databases."""
        connection = self._connect("pgbouncer")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SHOW POOLS")
                names = [column.name for column in cursor.description or ()]
                rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        finally:
            connection.close()
        wanted = ("cl_active", "cl_waiting", "sv_active", "sv_idle", "maxwait")
        return {name: sum(row[name] for row in rows if row["database"] != "pgbouncer") for name in wanted}

    def count_unlimited(self, server_url: str, transactions: int = 20) -> int:
        """How many of so many transactions run without orch's limit on waiting for a lock."""
        connection = self._connect(str(make_url(server_url).database))
        unlimited = 0
        try:
            for _ in range(transactions):
                with connection, connection.cursor() as cursor:
                    cursor.execute("SHOW lock_timeout")
                    unlimited += (cursor.fetchone() or ("",))[0] == "0"
        finally:
            connection.close()
        return unlimited

    def _connect(self, database: str) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host="127.0.0.1",
            port=self._port,
            user=self._url.username,
            password=self._url.password,
            dbname=database,
            connect_timeout=5,
        )

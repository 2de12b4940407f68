"""What an error of the database means: whether it passes by itself, what it is called, and what a person can do.

SQLSTATEs are those of PostgreSQL's appendix "Error Codes"; SQLite's errors are known by its fixed English messages
(sqlite.org/rescode.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy.exc

from storage.errors import DatabaseAwayError, DatabaseRefusedError, StorageError


@dataclass(frozen=True)
class Trouble:
    """One kind of trouble that passes by itself, or as soon as somebody helps.

    Attributes:
        states: beginnings of the SQLSTATEs that mean it.
        words: what the message says, in lower case, where there is no SQLSTATE: on SQLite, and while a connection is made.
        what: begins the sentence; the database's own words follow.
        why: the likely cause.
        next_step: what a person can do.
    """

    states: tuple[str, ...]
    words: tuple[str, ...]
    what: str
    why: str
    next_step: str


READ_ONLY = Trouble(
    ("25006",),
    (
        *("attempt to write a readonly database", "read-only transaction"),
        *("session is read-only", "server is in hot standby mode"),
    ),
    "The database can only be read at the moment",
    "A PostgreSQL server that is a standby or set to read-only, or a SQLite file that you may not write to.",
    "Use the address of the primary server or make it writable; a SQLite file and its folder must be yours to write.",
)
NOT_ANSWERING = Trouble(
    ("08", "57"),
    ("server closed the connection",),
    "The database does not answer",
    "It may be stopped, restarting or unreachable from this machine.",
    "Start the server, or correct the address in --storage or ORCH_STORAGE.",
)
TROUBLES = (
    Trouble(
        ("53100",),
        ("database or disk is full", "no space left on device"),
        "The disk of the database is full",
        "The database answers, but it has no room to write.",
        "Make room on the disk that the database is on.",
    ),
    Trouble(
        ("53300",),
        (
            "too many clients",
            "remaining connection slots",
            "too many connections",
            "no more connections allowed",
            "query_wait_timeout",
        ),
        "The database has no free connection",
        "Workers, dashboards or other programs use all that the server allows.",
        "Close some of them, or raise max_connections on the server (docs/scaling.md).",
    ),
    Trouble(
        (),
        ("queuepool limit",),
        "This process has no free connection to the database",
        "All that it may open at once are in use: the database answers slowly, or much is asked for at once.",
        "Wait a moment; if it stays so, the server's log says what takes so long.",
    ),
    Trouble(
        ("53200",),
        (),
        "The database server is out of memory",
        "The server answers, but it has no memory for this request.",
        "See what uses the memory of the server's machine; its log says more.",
    ),
    READ_ONLY,
    Trouble(
        ("57P03",),
        (
            "system is starting up",
            "system is shutting down",
            "in recovery mode",
            "not yet accepting",
            "not accepting",
        ),
        "The database server is starting or stopping",
        "The server answers, but takes no connections yet or no longer.",
        "Wait a moment; if it stays so, look into the server's log.",
    ),
    Trouble(
        ("58",),
        ("disk i/o error",),
        "The database cannot read or write its files",
        "A disk or network folder of the database's machine fails, or is not there.",
        "Check that disk; the server's log and the system's log say more.",
    ),
    Trouble(
        (),
        ("unable to open database file",),
        "The SQLite file cannot be opened at the moment",
        "Its folder or network share is gone or may not be read, or this process may open no further file.",
        "Check the folder; `ulimit -n` says how many files a process may open.",
    ),
    Trouble(
        ("40", "55P03", "57014", "25P03", "25P04"),
        ("database is locked", "table is locked", "schema is locked", "locking protocol"),
        "The database is busy and ended the request",
        "Another program holds a lock for long, or a time limit of the server (statement_timeout) is short.",
        "End the program that holds the lock, or raise the time limit for this role.",
    ),
    Trouble(
        ("53", "54"),
        (),
        "The database server refuses the request at one of its limits",
        "The server answers, but a limit of its configuration is reached.",
        "The server's log says which limit; raise it.",
    ),
    NOT_ANSWERING,
)
"""The first that fits. A request that meets one of them is repeated until it works."""
TURNED_AWAY = Trouble(
    (),
    (),
    "The database server turns the connection away",
    "The server answers, but accepts no login at the moment.",
    "Its message says why; the server's log says more.",
)

FORBIDDEN = "42501"
"""PostgreSQL's SQLSTATE of a missing privilege."""
DAMAGED = ("XX001", "XX002")
DAMAGED_WORDS = ("malformed", "file is not a database")
"""PostgreSQL's SQLSTATEs and SQLite's words for bytes that are not what was written."""
OF_A_POOLER = "08P01"
"""The one SQLSTATE that PgBouncer has for whatever it says; its words say which trouble it is."""
LOST_IN_TRANSACTION = "8s2b"
"""SQLAlchemy's code of a transaction whose connection is gone; a failed flush has another one, and does not pass."""

REFUSALS = (
    (
        ("authentication failed", "no password supplied"),
        "The password is missing or wrong, or another user is meant.",
        "Set PGPASSWORD, or write a line for this server into ~/.pgpass (mode 600).",
    ),
    (
        (
            *(
                "does not support SSL",
                "certificate",
                "SSL negotiation",
                "invalid sslmode",
                "sslmode value",
                "alert",
            ),
            *("wrong version number", "unsupported protocol", "no protocols available"),
        ),
        "Server and address do not agree about encryption.",
        "Give the server a certificate that this machine trusts, or change sslmode in the address.",
    ),
    (
        (" does not exist",),
        "The database or the user of the address was not made on this server yet, or is spelled differently there.",
        "Make it on the server (createuser, createdb), or correct the address in --storage or ORCH_STORAGE.",
    ),
    (
        ("no pg_hba.conf entry",),
        "The server accepts no login from this machine, of this user, or without encryption.",
        "Add a line for it to the server's pg_hba.conf, or ?sslmode=require to the address.",
    ),
)
"""What looks like a server that is away, as libpq gives no code, and will hardly pass: words, cause, remedy.
Still waited for in the middle of a study, where somebody may be changing the password; not at the start of `orch worker`."""
QUOTED = re.compile('"[^"]*"')

DRIVERS = ("psycopg2", "sqlite3")
"""The modules whose errors reach orch as they are where SQLAlchemy had no hand in it, as while a connection is set up."""

NO_ANSWER = ("OperationalError", "InterfaceError", "DatabaseError")
"""What psycopg2 raises without a SQLSTATE of a connection that failed, of one with encryption the last; SQLAlchemy calls them so, too."""


def is_passing(error: BaseException) -> bool:
    """Whether this error says that the database is away, full or busy, rather than that the request is wrong."""
    if isinstance(error, DatabaseAwayError | sqlalchemy.exc.TimeoutError):
        return True
    if isinstance(error, sqlalchemy.exc.PendingRollbackError):
        # Optuna asked again in the transaction that a lost connection took along.
        return error.code == LOST_IN_TRANSACTION
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        if error.connection_invalidated or _find_trouble(error.orig) is not None:
            return True
        # Without a SQLSTATE, psycopg2 never reached the server; SQLite's other operational errors are final.
        is_sqlite = type(error.orig).__module__.startswith("sqlite3")
        return (
            type(error).__name__ in NO_ANSWER
            and getattr(error.orig, "pgcode", None) is None
            and not is_sqlite
        )
    if is_of_a_driver(error):
        is_answer = type(error).__name__ not in NO_ANSWER or getattr(error, "pgcode", "") is not None
        return _find_trouble(error) is not None or not is_answer
    cause = _unwrap(error)
    return cause is not error and is_passing(cause)


def find_database_error(error: BaseException) -> BaseException | None:
    """The error of the database that an error is or wraps (`links_of`); None for any other."""
    ours = (DatabaseAwayError, sqlalchemy.exc.SQLAlchemyError)
    return next((link for link in links_of(error) if isinstance(link, ours) or is_of_a_driver(link)), None)


def links_of(error: BaseException) -> Iterator[BaseException]:
    """An error, what it was raised from or while what was handled, and the members of groups, each with theirs.

    Followed where the context is suppressed, too: Keras raises what a layer raised again as a new error `from None`.
    """
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        members = link.exceptions if isinstance(link, BaseExceptionGroup) else ()
        waiting += [other for other in (link.__cause__, link.__context__, *members) if other is not None]


def is_of_a_driver(error: BaseException) -> bool:
    """Whether this is an error of a database driver as the driver raised it."""
    return any(
        kind.__name__ == "Error" and kind.__module__.startswith(DRIVERS) for kind in type(error).__mro__
    )


def away(error: BaseException) -> DatabaseAwayError:
    """Describe a passing error without its SQL, parameters or URL."""
    if isinstance(error, DatabaseAwayError):
        return type(error)(error.what, why=error.why, next_step=error.next_step)
    original = getattr(error, "orig", None) or error.__cause__ or error
    original = getattr(original, "orig", None) or original
    reason = say_reason(original)
    trouble = _find_trouble(original)
    if trouble is None:
        # A host or a database may be called "alerts".
        said = QUOTED.sub('""', reason)
        for words, why, next_step in REFUSALS:
            if any(word in said for word in words):
                return DatabaseRefusedError(
                    f"The database cannot be opened: {reason}.", why=why, next_step=next_step
                )
    if "could not translate host name" in reason:
        # A machine that is just starting cannot look names up yet.
        return DatabaseAwayError(
            f"The database cannot be found: {reason}.",
            why="The name of the host is misspelled, or this machine cannot look it up at the moment.",
            next_step="Correct the address in --storage or ORCH_STORAGE, or write the server's number into it.",
        )
    if trouble is None:
        trouble = TURNED_AWAY if "failed: FATAL:" in reason else NOT_ANSWERING
    return DatabaseAwayError(f"{trouble.what}: {reason}.", why=trouble.why, next_step=trouble.next_step)


def say_reason(original: object) -> str:
    """What the driver says, on one line and without libpq's question whether the server runs."""
    lines = (" ".join(line.split()) for line in str(original).splitlines())
    kept = [line for line in lines if line and not line.startswith("Is the server running")]
    return "; ".join(kept)[:300].rstrip(".?")


@contextmanager
def described() -> Iterator[None]:
    """Turn database errors of a single call into orch's own, those that Optuna wrapped as well.

    Raises:
        DatabaseAwayError: the database cannot be reached, or cannot serve at the moment.
        StorageError: the database refused, for instance for want of a privilege.
    """
    try:
        yield
    except Exception as error:
        if is_passing(error):
            raise away(error) from error
        refused = _as_refused(error)
        if refused is None:
            raise
        raise refusal(f"The database refused: {say_reason(refused.orig)}.", refused) from error


def refusal(what: str, error: BaseException) -> StorageError:
    """What the database refused, with what to do where a privilege is missing or its file is damaged."""
    if is_damaged(error):
        return damaged(what)
    if not is_forbidden(error):
        return StorageError(what)
    return StorageError(
        what,
        why="The role of the address may not do this: it may only read (`orch db grant-readonly`), or does not own the database.",
        next_step="Use the role that made the tables; a new database gets its role by `createdb --owner ROLE DATABASE`.",
    )


def damaged(what: str) -> StorageError:
    """What to do about a database whose own file is damaged."""
    return StorageError(
        what,
        why="The file of the database is damaged: its disk failed, or another program wrote into it.",
        next_step="Stop the workers and keep the file; `orch db restore` makes a database of the last backup (docs/backup.md). "
        "Without one, `sqlite3 FILE .recover` saves what can still be read of a SQLite file.",
    )


def is_damaged(error: BaseException) -> bool:
    """Whether the database says that its own bytes are damaged."""
    refused = _as_refused(error)
    original = (refused.orig if refused is not None else None) or error
    if state := getattr(original, "pgcode", None):
        return state in DAMAGED
    return is_of_a_driver(original) and any(words in str(original) for words in DAMAGED_WORDS)


def is_forbidden(error: BaseException) -> bool:
    """Whether the database refused for want of a privilege."""
    refused = _as_refused(error)
    return refused is not None and getattr(refused.orig, "pgcode", None) == FORBIDDEN


def may_only_read(error: BaseException) -> bool:
    """Whether the database refused to be changed: by this role, or at all (a standby, a file of somebody else)."""
    refused = _as_refused(error)
    return refused is not None and (is_forbidden(error) or _find_trouble(refused.orig) is READ_ONLY)


def _find_trouble(original: object) -> Trouble | None:
    state = str(getattr(original, "pgcode", None) or "")
    text = str(original).lower() if state in ("", OF_A_POOLER) else ""
    return next(
        (
            trouble
            for trouble in TROUBLES
            if state.startswith(trouble.states) or any(word in text for word in trouble.words)
        ),
        None,
    )


def _as_refused(error: BaseException) -> sqlalchemy.exc.DBAPIError | None:
    found = _unwrap(error)
    return found if isinstance(found, sqlalchemy.exc.DBAPIError) else None


def _unwrap(error: BaseException) -> BaseException:
    """What Optuna wrapped into an error of its own, known by its name so that Optuna need not be imported for it."""
    return error.__cause__ if type(error).__name__ == "StorageInternalError" and error.__cause__ else error

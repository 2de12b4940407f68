"""A database that is away is waited for: which errors pass by themselves, and how long to wait between tries."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import sqlalchemy.exc

from storage.errors import DatabaseAwayError, DatabaseRefusedError, StorageError
from storage.wording import say_duration

log = logging.getLogger(__name__)
Result = TypeVar("Result")

FIRST_DELAY = 0.2
LONGEST_DELAY = 15.0

# PostgreSQL SQLSTATEs that a second try can mend: connection trouble, shutdown and start-up, deadlock,
# serialisation, lock_timeout, idle-in-transaction, too many connections, and a standby that is being promoted.
PASSING_STATES = ("08", "57P", "40001", "40P01", "55P03", "25P03", "53300", "25006")
FORBIDDEN = "42501"
"""PostgreSQL's SQLSTATE of a missing privilege."""
LOST_IN_TRANSACTION = "8s2b"
"""SQLAlchemy's code of a transaction whose connection is gone; a failed flush has another one, and does not pass."""

REFUSALS = (
    (
        ("password authentication failed", "no password supplied"),
        "The password is missing or wrong, or another user is meant.",
        "Set PGPASSWORD, or write a line for this server into ~/.pgpass (mode 600).",
    ),
    (
        ("does not support SSL", "certificate"),
        "Server and address do not agree about encryption.",
        "Give the server a certificate that this machine trusts, or change sslmode in the address.",
    ),
    (
        (" does not exist",),
        "The database or the user of the address was not made on this server yet, or is spelled differently there.",
        "Make it on the server (createuser, createdb), or mend the address in --storage or ORCH_STORAGE.",
    ),
    (
        ("no pg_hba.conf entry",),
        "The server lets nobody in from this machine, as this user, or without encryption.",
        "Add a line for it to the server's pg_hba.conf, or ?sslmode=require to the address.",
    ),
)
"""What cannot be told from a server that is away by its code, as libpq gives none, and will hardly pass: words, cause, remedy.
Still waited for in the middle of a study, where somebody may be changing the password; not at the start of `orch worker`."""

PASSING_WORDS = ("database is locked", "database table is locked", "server closed the connection")


def is_passing(error: BaseException) -> bool:
    """Whether this error says that the database is away or busy, rather than that the request is wrong."""
    if isinstance(error, DatabaseAwayError):
        return True
    if isinstance(error, sqlalchemy.exc.TimeoutError):
        return True
    if isinstance(error, sqlalchemy.exc.PendingRollbackError):
        # Optuna asked again in the transaction that a lost connection took along.
        return error.code == LOST_IN_TRANSACTION
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        if error.connection_invalidated:
            return True
        state = getattr(error.orig, "pgcode", None)
        if state is not None:
            return str(state).startswith(PASSING_STATES)
        text = str(error.orig).lower()
        if any(word in text for word in PASSING_WORDS):
            return True
        # Without a SQLSTATE, psycopg2 never reached the server; SQLite's other operational errors are final.
        is_sqlite = type(error.orig).__module__.startswith("sqlite3")
        return (
            isinstance(error, sqlalchemy.exc.OperationalError | sqlalchemy.exc.InterfaceError)
            and not is_sqlite
        )
    cause = _unwrap(error)
    return cause is not error and is_passing(cause)


def wait_for(
    operation: Callable[[int], Result],
    *,
    give_up_after: float | None = None,
    stopped: Callable[[], bool] = lambda: False,
    refused_too: bool = True,
    sleep: Callable[[float], object] = time.sleep,
) -> Result:
    """Run an operation until the database answers.

    Args:
        operation: called with the number of the try, 0 first; a later try must settle what an earlier one,
            whose answer was lost, may already have done.
        give_up_after: seconds after which the error is raised; None waits for ever.
        stopped: asked before each new try; when true the error is raised.
        refused_too: wait for a server that refuses the login as well, as it did not before.
        sleep: how to wait, in seconds.

    Raises:
        DatabaseAwayError: the time is over or the caller was stopped.
        DatabaseRefusedError: the server refuses, and that is not waited for.
    """
    began = time.monotonic()
    delay = FIRST_DELAY
    tries = 0
    has_said = False
    while True:
        try:
            result = operation(tries)
            if has_said:
                log.warning("The database answers again, after %s.", say_duration(time.monotonic() - began))
            return result
        except Exception as error:
            if not is_passing(error):
                raise
            told = away(error)
            if isinstance(told, DatabaseRefusedError) and not refused_too:
                raise told from error
            waited = time.monotonic() - began
            if stopped() or (give_up_after is not None and waited >= give_up_after):
                raise told from error
            if delay > 1.0:
                has_said = True
                waits = say_duration(waited), say_duration(delay)
                log.warning("%s Waited %s so far; trying again in %s.", told.what, *waits)
        sleep(delay * random.uniform(0.5, 1.0))
        delay = min(delay * 2, LONGEST_DELAY)
        tries += 1


def away(error: BaseException) -> DatabaseAwayError:
    """Describe a passing error without its SQL, parameters or URL."""
    if isinstance(error, DatabaseAwayError):
        return type(error)(error.what, why=error.why, next_step=error.next_step)
    original = getattr(error, "orig", None) or error.__cause__ or error
    original = getattr(original, "orig", None) or original
    reason = say_reason(original)
    for words, why, next_step in REFUSALS:
        if any(word in reason for word in words):
            return DatabaseRefusedError(
                f"The database cannot be opened: {reason}.", why=why, next_step=next_step
            )
    if "could not translate host name" in reason:
        # A machine that is just starting cannot look names up yet.
        return DatabaseAwayError(
            f"The database cannot be found: {reason}.",
            why="The name of the host is misspelled, or this machine cannot look it up at the moment.",
            next_step="Mend the address in --storage or ORCH_STORAGE, or write the server's number into it.",
        )
    return DatabaseAwayError(
        f"The database does not answer: {reason}.",
        why="It may be stopped, restarting or unreachable from this machine.",
        next_step="Start the server, or mend the address in --storage or ORCH_STORAGE.",
    )


def say_reason(original: object) -> str:
    """What the driver says, on one line and without libpq's question whether the server runs."""
    lines = (" ".join(line.split()) for line in str(original).splitlines())
    kept = [line for line in lines if line and not line.startswith("Is the server running")]
    return "; ".join(kept)[:300].rstrip(".?")


@contextmanager
def described() -> Iterator[None]:
    """Turn database errors of a single call into orch's own, those that Optuna wrapped as well.

    Raises:
        DatabaseAwayError: the database cannot be reached.
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
    """What the database refused, with what to do where a privilege is missing."""
    if not is_forbidden(error):
        return StorageError(what)
    return StorageError(
        what,
        why="The role of the address may not do this: it only looks (`orch db grant-readonly`), or does not own the database.",
        next_step="Use the role that made the tables; a new database gets its role by `createdb --owner ROLE DATABASE`.",
    )


def is_forbidden(error: BaseException) -> bool:
    """Whether the database refused for want of a privilege."""
    refused = _as_refused(error)
    return refused is not None and getattr(refused.orig, "pgcode", None) == FORBIDDEN


def _as_refused(error: BaseException) -> sqlalchemy.exc.DBAPIError | None:
    found = _unwrap(error)
    return found if isinstance(found, sqlalchemy.exc.DBAPIError) else None


def _unwrap(error: BaseException) -> BaseException:
    """What Optuna wrapped into an error of its own, known by its name so that Optuna need not be imported for it."""
    return error.__cause__ if type(error).__name__ == "StorageInternalError" and error.__cause__ else error

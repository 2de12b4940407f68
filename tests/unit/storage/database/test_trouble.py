"""What an error of the database is called, what is waited for, and what never counts against a trial."""

import sqlite3

import psycopg2
import pytest
import sqlalchemy.exc

from storage.database.trouble import TROUBLES, away, find_database_error, is_passing
from storage.errors import DatabaseAwayError, DatabaseRefusedError, LeaseLostError, TrainingError


class ServerError(psycopg2.OperationalError):
    """What psycopg2 raises for an SQLSTATE; its own attribute cannot be set."""

    pgcode = ""


def of_server(state: str, text: str = "the server's words") -> sqlalchemy.exc.DBAPIError:
    original = type("Raised", (ServerError,), {"pgcode": state})(text)
    return sqlalchemy.exc.OperationalError("UPDATE secret", {}, original)


def of_connecting(text: str) -> sqlalchemy.exc.DBAPIError:
    return sqlalchemy.exc.OperationalError(None, None, psycopg2.OperationalError(text))


def of_sqlite(text: str) -> sqlalchemy.exc.DBAPIError:
    return sqlalchemy.exc.OperationalError("UPDATE secret", {}, sqlite3.OperationalError(text))


FATAL = 'connection to server at "db", port 5432 failed: FATAL:  '
NAMED = [
    (of_server("53100"), "disk of the database is full", "Make room"),
    (of_server("53300"), "no free connection", "max_connections"),
    (of_connecting(FATAL + "sorry, too many clients already"), "no free connection", "max_connections"),
    (of_connecting(FATAL + "remaining connection slots are reserved"), "no free connection", "Close some"),
    (of_connecting(FATAL + "the database system is starting up"), "starting or stopping", "Wait"),
    (of_connecting(FATAL + "something else"), "turns the connection away", "log"),
    (of_connecting("connection refused"), "does not answer", "Start the server"),
    (of_server("53200"), "out of memory", "memory"),
    (of_server("53400"), "at one of its limits", "limit"),
    (of_server("54000"), "at one of its limits", "limit"),
    (of_server("57014"), "busy and ended the request", "statement_timeout"),
    (of_server("25P04"), "busy and ended the request", "time limit"),
    (of_server("40001"), "busy and ended the request", "lock"),
    (of_server("58030"), "cannot read or write its files", "Check that disk"),
    (of_server("25006"), "can only be read", "primary"),
    (of_server("57P01"), "does not answer", "Start the server"),
    (of_connecting("session is read-only"), "can only be read", "primary"),
    (of_connecting("server is in hot standby mode"), "can only be read", "primary"),
    (
        of_connecting(FATAL + "no more connections allowed (max_client_conn)"),
        "no free connection",
        "Close some",
    ),
    (of_connecting(FATAL + "query_wait_timeout"), "database has no free connection", "Close some"),
    (
        of_server("08P01", "query_wait_timeout\nserver closed the connection"),
        "database has no free connection",
        "Close",
    ),
    (
        sqlalchemy.exc.TimeoutError("QueuePool limit of size 5 overflow 10 reached, connection timed out"),
        "This process has no free connection",
        "Wait",
    ),
    (
        of_connecting('connection to server at "alert.example.org" failed: refused'),
        "does not answer",
        "Start",
    ),
    (of_connecting('connection to server at "certificates" failed: timeout'), "does not answer", "Start"),
    (
        of_connecting(FATAL + "the database system is not accepting connections"),
        "starting or stopping",
        "Wait",
    ),
    (
        of_connecting('could not translate host name "db" to address: Try again'),
        "cannot be found",
        "look it up",
    ),
    (of_connecting("SSL SYSCALL error: EOF detected"), "does not answer", "Start the server"),
    (of_connecting("timeout expired"), "does not answer", "Start the server"),
    (of_server("08P01"), "does not answer", "Start the server"),
    (of_server("57P05"), "does not answer", "Start the server"),
    (of_server("55P03"), "busy and ended the request", "lock"),
    (of_sqlite("unable to open database file"), "SQLite file cannot be opened", "Check the folder"),
    (of_sqlite("database or disk is full"), "disk of the database is full", "Make room"),
    (of_sqlite("disk I/O error"), "cannot read or write its files", "Check that disk"),
    (of_sqlite("attempt to write a readonly database"), "can only be read", "yours to write"),
    (of_sqlite("database is locked"), "busy and ended the request", "lock"),
]


@pytest.mark.parametrize(("error", "what", "advice"), NAMED)
def test_each_trouble_is_waited_for_and_has_its_own_name_and_advice(
    error: sqlalchemy.exc.SQLAlchemyError, what: str, advice: str
) -> None:
    assert is_passing(error)
    told = away(error)
    assert type(told) is DatabaseAwayError
    assert what in told.what
    assert advice in f"{told.why} {told.next_step}"
    assert ("Start the server" in str(told)) == ("does not answer" in told.what)
    assert "secret" not in str(told)


@pytest.mark.parametrize(
    "error",
    [
        of_server("42501"),
        of_server("23505"),
        of_server("42P01"),
        of_server("XX001"),
        of_sqlite("no such table: t"),
    ],
)
def test_what_a_second_try_cannot_change_is_not_waited_for(error: sqlalchemy.exc.DBAPIError) -> None:
    assert not is_passing(error)
    assert find_database_error(error) is error, "and is of the database all the same"


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (FATAL + 'password authentication failed for user "orch"', "password"),
        (FATAL + "SASL authentication failed", "password"),
        ("fe_sendauth: no password supplied", "password"),
        ("SSL error: certificate verify failed", "encryption"),
        ('root certificate file "/nowhere/root.crt" does not exist', "encryption"),
        ("SSL error: tlsv1 alert protocol version", "encryption"),
        ("SSL error: wrong version number", "encryption"),
        ("received invalid response to SSL negotiation: H", "encryption"),
        ('invalid sslmode value: "on"', "encryption"),
        (FATAL + 'database "studies" does not exist', "not made on this server"),
    ],
)
def test_a_refused_login_stays_a_refusal_and_is_waited_for_at_work(words: str, cause: str) -> None:
    assert is_passing(of_connecting(words))
    told = away(of_connecting(words))
    assert isinstance(told, DatabaseRefusedError)
    assert cause in str(told)


def raised(original: Exception, *, as_cause: bool, hidden: bool = False) -> BaseException:
    try:
        try:
            raise original
        except Exception as error:
            if as_cause:
                raise RuntimeError("the callback failed") from error
            if hidden:
                raise TrainingError("of its own") from None
            raise ValueError("while it was handled")  # noqa: B904
    except Exception as error:
        return error


def test_an_error_of_the_database_is_found_whoever_wrapped_it() -> None:
    original = of_server("53100")
    assert find_database_error(raised(original, as_cause=True)) is original
    assert find_database_error(raised(original, as_cause=False)) is original
    hidden = raised(original, as_cause=False, hidden=True)
    assert find_database_error(hidden) is original, "as Keras does with what a layer raises"
    assert find_database_error(ExceptionGroup("two", [ValueError(), RuntimeError(), original])) is original
    circle = ValueError()
    circle.__cause__ = KeyError()
    circle.__cause__.__context__ = circle
    assert find_database_error(circle) is None


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (sqlite3.OperationalError("disk I/O error"), True),
        (sqlite3.OperationalError("no such column: x"), False),
        (sqlite3.IntegrityError("UNIQUE constraint failed"), False),
        (psycopg2.OperationalError("server closed the connection unexpectedly"), True),
        (psycopg2.InterfaceError("connection already closed"), True),
        (psycopg2.DatabaseError("SSL SYSCALL error: Connection timed out"), True),
        (psycopg2.ProgrammingError("no results to fetch"), False),
    ],
)
def test_what_a_driver_raised_without_sqlalchemy_is_of_the_database_too(
    error: Exception, passes: bool
) -> None:
    assert find_database_error(error) is error
    assert is_passing(error) is passes
    assert "secret" not in str(away(error))


def test_a_lost_lease_is_not_waited_for_because_the_database_was_away_before() -> None:
    lost = LeaseLostError()
    lost.__context__ = DatabaseAwayError()
    assert not is_passing(lost)


def test_every_trouble_has_a_name_of_its_own() -> None:
    assert len({trouble.what for trouble in TROUBLES}) == len(TROUBLES)

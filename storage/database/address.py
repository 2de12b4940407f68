"""The address of the study database: as users write it, and as it may be shown."""

from __future__ import annotations

from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from storage.errors import StorageNotFoundError

SECRET_OPTIONS = ("password", "sslpassword")
"""What libpq also takes after the question mark, and nobody may see."""
POSTGRESQL = ("postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg")
"""Another tool may connect with psycopg 3; the address is the same."""
HIDDEN = "***"


def parse_url(text: str) -> URL:
    """Read a storage URL as users write it; all that PostgreSQL is called there mean psycopg2, which orch connects with.

    Raises:
        StorageNotFoundError: it is no URL, or of a kind of database that orch does not keep studies in.
    """
    try:
        url = make_url(text)
    except (sa.exc.ArgumentError, ValueError):  # the second: a port that is no number
        # The text is not shown: what is no URL may still hold a password.
        raise StorageNotFoundError(
            "The storage is not a URL.",
            next_step="Write sqlite:///orch.db or postgresql://user@host/database.",
        ) from None
    if url.drivername in POSTGRESQL:
        if "@" in f"{url.host}{url.database}":
            # What follows the first @ of such a password is taken for the host, and errors would print it.
            raise StorageNotFoundError(
                "The storage has more than one @, so that it is not clear where its password ends.",
                next_step="Leave the password out and give it as PGPASSWORD or in ~/.pgpass; in an address @ is written %40.",
            )
        return url.set(drivername="postgresql+psycopg2")
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        if not url.database or url.database == ":memory:":
            raise StorageNotFoundError(
                "A SQLite storage must be a file: in memory, workers could not share it.",
                next_step="Write sqlite:///orch.db.",
            )
        return url.set(drivername="sqlite")
    raise StorageNotFoundError(
        f"orch keeps studies in PostgreSQL or SQLite, not in {url.drivername!r}.",
        next_step="Write sqlite:///orch.db or postgresql://user@host/database.",
    )


def without_password(url: URL) -> str:
    """The address for a file that others may read: the driver finds the password in PGPASSWORD or ~/.pgpass."""
    # Made without it: `URL.set(password=None)` would leave the password in.
    bare = URL.create(
        url.drivername.partition("+")[0], url.username, None, url.host, url.port, url.database, url.query
    )
    return bare.difference_update_query(SECRET_OPTIONS).render_as_string(hide_password=False)


def show_url(url: URL) -> str:
    """The address for messages and pages, without any password."""
    hidden = {name: HIDDEN for name in SECRET_OPTIONS if name in url.query}
    text = url.update_query_dict(hidden).render_as_string(hide_password=True)
    return text.replace(quote(HIDDEN), HIDDEN)

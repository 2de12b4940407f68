"""`orch db`: init, check, upgrade, grant-readonly, backup, restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.terminal import console
from orchestrator.terminal.help import CommandGroup
from orchestrator.terminal.opening import open_storage
from orchestrator.terminal.options import AsJson, Storage

app = CommandGroup(help="Prepare and check the study database.")


@app.command()
def init(storage: Storage = None) -> None:
    """Create the tables in a new database.

    Creates the SQLite file, if needed, and the tables of Optuna and orch. Safe to run again, and from several machines at once.
    A SQLite file that was moved from another machine is registered for this one.

    \b
    Example:
      orch db init --storage postgresql://orch@db.example.org/studies
    """
    from storage.database.access import find_obstacle
    from storage.database.address import parse_url
    from storage.database.engine import Database
    from storage.database.hosts import take_over
    from storage.database.schema import schema_version
    from storage.database.trouble import described
    from storage.settings import storage_url

    # Opened without the check of the machine, which would refuse the very database that this command repairs.
    found = Database(parse_url(storage_url(storage)))
    if found.is_sqlite and found.file.is_file() and found.file.stat().st_size:
        try:
            with described():
                if schema_version(found) is not None:
                    take_over(found)
        finally:
            found.close()
    with open_storage(storage, create=True) as database:
        obstacle = find_obstacle(database)
        if obstacle is None:
            console.say(f"Ready: {database.url_text}")
        else:
            console.warn(
                f"The tables are there, but this address can only read {database.url_text}: {obstacle}."
            )


@app.command()
def check(storage: Storage = None, as_json: AsJson = False) -> None:
    """Check connection, tables, and a SQLite file for damage.

    \b
    Example:
      orch db check
    """
    from storage.database.access import require_whole
    from storage.database.schema import schema_version
    from storage.studies.study import list_studies

    with open_storage(storage) as database:
        require_whole(database)
        document = {
            "storage": database.url_text,
            "schema": schema_version(database),
            "studies": len(list_studies(database)),
        }
    if as_json:
        console.print_json(document)
    else:
        console.print_facts(list(document.items()))


@app.command()
def upgrade(storage: Storage = None) -> None:
    """Upgrade older tables to this version.

    Stop the workers and make a backup first.

    \b
    Example:
      orch db upgrade
    """
    from storage.database import tables
    from storage.database.address import parse_url
    from storage.database.columns import list_missing
    from storage.database.engine import Database
    from storage.database.schema import schema_version
    from storage.database.schema import upgrade as upgrade_schema
    from storage.database.trouble import described
    from storage.errors import StorageNotFoundError
    from storage.settings import storage_url

    # Opened without the check of the tables, which would refuse the very database that this command upgrades.
    database = Database(parse_url(storage_url(storage)))
    if database.is_sqlite and not database.file.is_file():
        raise StorageNotFoundError(
            f"There is no study database at {database.file.absolute()}.",
            next_step="`orch db init` makes it; --storage URL or ORCH_STORAGE names another.",
        )
    try:
        with described():
            missing = []
            if schema_version(database):
                kept = (tables.epochs, tables.predictions)
                missing = [
                    f"{table.name}.{name}" for table in kept for name in sorted(list_missing(database, table))
                ]
            before, after = upgrade_schema(database)
    finally:
        database.close()
    if before == after and missing:
        console.say(f"Added to {database.url_text}: {', '.join(missing)}.")
    elif before == after:
        console.say(f"Nothing to do: {database.url_text} is at version {after}.")
    else:
        console.say(f"Upgraded {database.url_text} from version {before or 'none'} to {after}.")


@app.command("grant-readonly", short_help="Grant read-only access to a PostgreSQL role.")
def grant_readonly(
    role: Annotated[
        str, typer.Argument(metavar="ROLE", help="A role of the PostgreSQL server.", show_default=False)
    ],
    storage: Storage = None,
) -> None:
    """Grant read-only access to a PostgreSQL role.

    For dashboards and for readers: give them a storage URL with this role. Tables that orch creates later are included.

    \b
    Example:
      orch db grant-readonly viewer
    """
    from storage.database.access import grant_readonly as grant

    with open_storage(storage) as database:
        schema = grant(database, role)
    console.say(
        f"The role {role!r} may read the studies and change nothing (the tables are in the schema {schema})."
    )
    if schema != "public":
        console.say(
            f"If it cannot see them: ALTER ROLE {role} SET search_path = {schema} (in psql, as a role that may change roles)."
        )


@app.command()
def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A new file to write the backup to.", show_default=False)
    ],
    storage: Storage = None,
) -> None:
    """Write the whole study database to one file.

    Workers may go on meanwhile. PostgreSQL needs its program pg_dump on this machine.

    \b
    Example:
      orch db backup studies.backup
    """
    from storage.database.backup import back_up

    with open_storage(storage) as database:
        back_up(database, file)
        console.say(f"{database.url_text} is in {file}, which you alone can read.")


@app.command()
def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `orch db backup` wrote.", show_default=False)
    ],
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Make a study database from a backup.

    The database of --storage must be a new SQLite file, or a PostgreSQL database without orch's tables: nothing is replaced.

    \b
    Example:
      orch db restore studies.backup --storage sqlite:///restored.db
    """
    from dataclasses import asdict

    from storage.database.backup import restore as restore_database
    from storage.settings import storage_url

    found = restore_database(storage_url(storage), file)
    if as_json:
        console.print_json(asdict(found))
    else:
        states = ", ".join(f"{count} {state}" for state, count in found.points.items()) or "none"
        console.print_facts([("schema", found.schema), ("studies", found.studies), ("trials", states)])
    console.say("Next, for each study: orch study verify NAME")

"""`orch db`: init, check, upgrade."""

from __future__ import annotations

import typer

from orchestrator import console
from orchestrator.opening import open_storage
from orchestrator.options import AsJson, Storage

app = typer.Typer(help="Prepare and check the study database.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def init(storage: Storage = None) -> None:
    """Make the tables in a new database.

    Makes the SQLite file too, Optuna's tables and orch's. Safe to run again, and from several machines at once.

    \b
    Example:
      orch db init --storage postgresql://orch@db.example.org/studies
    """
    with open_storage(storage, create=True) as database:
        console.say(f"Ready: {database.url_text}")


@app.command()
def check(storage: Storage = None, as_json: AsJson = False) -> None:
    """Reach the database and check its tables.

    \b
    Example:
      orch db check
    """
    from storage.schema import schema_version
    from storage.studies import list_studies

    with open_storage(storage) as database:
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
    """Bring older tables to this version.

    Stop the workers and make a backup first.

    \b
    Example:
      orch db upgrade
    """
    from storage.engine import Database, parse_url
    from storage.errors import StorageNotFoundError
    from storage.schema import upgrade as upgrade_schema
    from storage.settings import storage_url
    from storage.waiting import described

    # Opened without the check of the tables, which would refuse exactly what is to be mended.
    database = Database(parse_url(storage_url(storage)))
    if database.is_sqlite and not database.file.is_file():
        raise StorageNotFoundError(
            f"There is no study database at {database.file.absolute()}.",
            next_step="`orch db init` makes it; --storage URL or ORCH_STORAGE names another.",
        )
    try:
        with described():
            before, after = upgrade_schema(database)
    finally:
        database.close()
    if before == after:
        console.say(f"Nothing to do: {database.url_text} is at version {after}.")
    else:
        console.say(f"Upgraded {database.url_text} from version {before or 'none'} to {after}.")

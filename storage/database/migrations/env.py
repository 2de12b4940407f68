"""Alembic's entry: runs on the connection that `storage.database.schema` hands over, in its own version table."""

from alembic import context

from storage.database.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    include_name=lambda name, kind, _: kind != "table" or str(name).startswith("orch_"),
)
context.run_migrations()

"""Alembic migrations of our own tables.

- `env`: Alembic's entry: runs on the connection that `storage.database.schema` hands over
"""

"""How the tables of orch came to be: Alembic, with a version table of its own."""

"""Evaluations of a study's models, on the hold-out, on other data and out of fold."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; an older orch does not look at it."""
    op.create_table(
        "orch_evaluations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_uuid", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("evaluated_at", sa.Double(), nullable=False),
        sa.Column("evaluated_by", sa.String(length=200), nullable=False),
        sa.Column("orch", sa.String(length=64), nullable=False),
        sa.Column("trial_number", sa.Integer(), nullable=True),
        sa.Column("model_sha256", sa.String(length=80), nullable=True),
        sa.Column("fingerprint", sa.String(length=80), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_orch_evaluations_study_uuid"), "orch_evaluations", ["study_uuid"], unique=False)

"""The first tables: studies, points, epochs, predictions, workers and the sealed hold-out."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "orch_epochs",
        sa.Column("study_uuid", sa.String(length=36), nullable=False),
        sa.Column("point", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_key", sa.String(length=32), nullable=False),
        sa.Column("fold", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("train_loss", sa.Double(), nullable=True),
        sa.Column("train_auc", sa.Double(), nullable=True),
        sa.Column("train_precision", sa.Double(), nullable=True),
        sa.Column("train_recall", sa.Double(), nullable=True),
        sa.Column("train_f1", sa.Double(), nullable=True),
        sa.Column("val_loss", sa.Double(), nullable=True),
        sa.Column("val_auc", sa.Double(), nullable=True),
        sa.Column("val_precision", sa.Double(), nullable=True),
        sa.Column("val_recall", sa.Double(), nullable=True),
        sa.Column("val_f1", sa.Double(), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("labels_left_out", sa.Integer(), nullable=False),
        sa.Column("learning_rate", sa.Double(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("val_micro_auc", sa.Double(), nullable=True),
        sa.Column("val_pr_auc", sa.Double(), nullable=True),
        sa.Column("val_sensitivity", sa.Double(), nullable=True),
        sa.Column("val_specificity", sa.Double(), nullable=True),
        sa.Column("val_balanced_accuracy", sa.Double(), nullable=True),
        sa.Column("val_ppv", sa.Double(), nullable=True),
        sa.Column("val_npv", sa.Double(), nullable=True),
        sa.Column("val_lr_positive", sa.Double(), nullable=True),
        sa.Column("val_lr_negative", sa.Double(), nullable=True),
        sa.Column("val_accuracy", sa.Double(), nullable=True),
        sa.Column("val_brier", sa.Double(), nullable=True),
        sa.Column("val_calibration_error", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("study_uuid", "point", "run_key", "fold", "epoch"),
    )
    op.create_index("orch_epochs_by_epoch", "orch_epochs", ["study_uuid", "epoch"], unique=False)
    op.create_table(
        "orch_facts",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "orch_holdout_openings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=80), nullable=False),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("opened_by", sa.String(length=200), nullable=False),
        sa.Column("model_sha256", sa.String(length=80), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("study_uuid", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_orch_holdout_openings_fingerprint"), "orch_holdout_openings", ["fingerprint"], unique=False
    )
    op.create_table(
        "orch_points",
        sa.Column("study_uuid", sa.String(length=36), nullable=False),
        sa.Column("point", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("params", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=True),
        sa.Column("token", sa.String(length=36), nullable=True),
        sa.Column("claimed_at", sa.Double(), nullable=True),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("trial_id", sa.Integer(), nullable=True),
        sa.Column("trial_number", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("study_uuid", "point"),
    )
    op.create_index(op.f("ix_orch_points_token"), "orch_points", ["token"], unique=False)
    op.create_index("orch_points_by_state", "orch_points", ["study_uuid", "state", "point"], unique=False)
    op.create_table(
        "orch_predictions",
        sa.Column("study_uuid", sa.String(length=36), nullable=False),
        sa.Column("point", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fold", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_key", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("target_count", sa.Integer(), nullable=False),
        sa.Column("indices", sa.LargeBinary(), nullable=False),
        sa.Column("values", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("study_uuid", "point", "fold"),
    )
    op.create_table(
        "orch_sealed_images",
        sa.Column("fingerprint", sa.String(length=80), nullable=False),
        sa.Column("sha256", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "sha256"),
    )
    op.create_index(op.f("ix_orch_sealed_images_sha256"), "orch_sealed_images", ["sha256"], unique=False)
    op.create_table(
        "orch_studies",
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("optuna_study_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("spec_hash", sa.String(length=80), nullable=False),
        sa.Column("fingerprint", sa.String(length=80), nullable=False),
        sa.Column("data_folder", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("features_digest", sa.String(length=80), nullable=True),
        sa.Column("features_sample", sa.Text(), nullable=True),
        sa.Column("canary", sa.Text(), nullable=True),
        sa.Column("publish_after", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("uuid"),
        sa.UniqueConstraint("name"),
    )
    op.create_index(op.f("ix_orch_studies_fingerprint"), "orch_studies", ["fingerprint"], unique=False)
    op.create_table(
        "orch_workers",
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("study_uuid", sa.String(length=36), nullable=True),
        sa.Column("point", sa.Integer(), nullable=True),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("last_seen", sa.Double(), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("worker"),
    )

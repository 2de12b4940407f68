"""Our own tables, beside Optuna's in the same database; every name begins with `orch_`.

No foreign key points at Optuna's tables: on PostgreSQL it would make Optuna's own delete a silent no-op.
Times are seconds since 1970 by the clock of the database, so that hosts need not agree on the time.
"""

from __future__ import annotations

import sqlalchemy as sa

from storage.metrics.recorded import LATER, SCORED

SCHEMA_VERSION = "0002"
READABLE_FROM = "0001"
"""The oldest version whose orch may go on working with these tables. A migration that only adds (tables, columns that may be
null) leaves it; one that changes what older workers read or write raises it to its own version."""
READABLE_KEY = "readable_from"
"""The key of the fact that keeps READABLE_FROM in the database, for orchs that are older than its tables."""
VERSION_TABLE = "orch_alembic_version"

metadata = sa.MetaData()

studies = sa.Table(
    "orch_studies",
    metadata,
    sa.Column("uuid", sa.String(36), primary_key=True),
    sa.Column("optuna_study_id", sa.Integer, nullable=False),
    sa.Column("name", sa.String(512), nullable=False, unique=True),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("spec_hash", sa.String(80), nullable=False),
    sa.Column("fingerprint", sa.String(80), nullable=False, index=True),
    sa.Column("data_folder", sa.Text, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("features_digest", sa.String(80)),
    sa.Column("features_sample", sa.Text),
    sa.Column("canary", sa.Text),
    sa.Column("publish_after", sa.Double),
)

points = sa.Table(
    "orch_points",
    metadata,
    sa.Column("study_uuid", sa.String(36), primary_key=True),
    sa.Column("point", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("params", sa.Text),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("losses", sa.Integer, nullable=False, default=0),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    sa.Column("worker", sa.String(200)),
    sa.Column("token", sa.String(36), index=True),
    sa.Column("claimed_at", sa.Double),
    sa.Column("expires_at", sa.Double),
    sa.Column("finished_at", sa.Double),
    sa.Column("epoch", sa.Integer, nullable=False, default=0),
    sa.Column("trial_id", sa.Integer),
    sa.Column("trial_number", sa.Integer),
    sa.Column("outcome", sa.String(16)),
    sa.Column("value", sa.Double),
    sa.Column("error", sa.Text),
    sa.Index("orch_points_by_state", "study_uuid", "state", "point"),
)

epochs = sa.Table(
    "orch_epochs",
    metadata,
    sa.Column("study_uuid", sa.String(36), primary_key=True),
    sa.Column("point", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run_key", sa.String(32), primary_key=True),
    sa.Column("fold", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    *(sa.Column(name, sa.Double) for name in SCORED),
    sa.Column("steps", sa.Integer, nullable=False),
    sa.Column("samples", sa.Integer, nullable=False),
    sa.Column("labels_left_out", sa.Integer, nullable=False),
    sa.Column("learning_rate", sa.Double),
    sa.Column("seconds", sa.Double, nullable=False),
    *(sa.Column(name, sa.Double) for name in LATER),
    sa.Index("orch_epochs_by_epoch", "study_uuid", "epoch"),
)

predictions = sa.Table(
    "orch_predictions",
    metadata,
    sa.Column("study_uuid", sa.String(36), primary_key=True),
    sa.Column("point", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("fold", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run_key", sa.String(32), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("target_count", sa.Integer, nullable=False),
    sa.Column("indices", sa.LargeBinary, nullable=False),
    sa.Column("values", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.String(64)),
)

workers = sa.Table(
    "orch_workers",
    metadata,
    sa.Column("worker", sa.String(200), primary_key=True),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("device", sa.String(200), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("study_uuid", sa.String(36)),
    sa.Column("point", sa.Integer),
    sa.Column("started_at", sa.Double, nullable=False),
    sa.Column("last_seen", sa.Double, nullable=False),
    sa.Column("versions", sa.Text, nullable=False),
)

holdout_openings = sa.Table(
    "orch_holdout_openings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("fingerprint", sa.String(80), nullable=False, index=True),
    sa.Column("opened_at", sa.Double, nullable=False),
    sa.Column("opened_by", sa.String(200), nullable=False),
    sa.Column("model_sha256", sa.String(80), nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("study_uuid", sa.String(36)),
)

sealed_images = sa.Table(
    "orch_sealed_images",
    metadata,
    sa.Column("fingerprint", sa.String(80), primary_key=True),
    sa.Column("sha256", sa.String(80), primary_key=True, index=True),
)

evaluations = sa.Table(
    "orch_evaluations",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_uuid", sa.String(36), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("evaluated_at", sa.Double, nullable=False),
    sa.Column("evaluated_by", sa.String(200), nullable=False),
    sa.Column("orch", sa.String(64), nullable=False),
    sa.Column("trial_number", sa.Integer),
    sa.Column("model_sha256", sa.String(80)),
    sa.Column("fingerprint", sa.String(80), nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)

facts = sa.Table(
    "orch_facts",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


def turn_key(study_uuid: str) -> str:
    """The key of the fact that says when an idle worker last swept a study."""
    return f"sweep:{study_uuid}"


def inputs_key(study_uuid: str, inputs: str) -> str:
    """The key of the fact that says which features of this name a study is computed on."""
    return f"features:{study_uuid}:{inputs}"


def link_key(study_uuid: str, number: int | str) -> str:
    """The key of the fact that is a link of a study's chain; keys are in the order of the links."""
    return f"chain:{study_uuid}:{number:06d}" if isinstance(number, int) else f"chain:{study_uuid}:{number}"


def linked_key(study_uuid: str, point: int | str) -> str:
    """The key of the fact that says which link a settled trial has."""
    return f"linked:{study_uuid}:{point}"


def evidence_key(study_uuid: str, number: int | str) -> str:
    """The key of the fact that holds the trials of a study made elsewhere; keys are in the order in which they came."""
    return (
        f"evidence:{study_uuid}:{number:04d}"
        if isinstance(number, int)
        else f"evidence:{study_uuid}:{number}"
    )

-- What the upgrade of 0001.sql to tables of version 0002 added, and an evaluation.
BEGIN TRANSACTION;
UPDATE "orch_alembic_version" SET version_num = '0002';
INSERT INTO "orch_facts" VALUES('readable_from','{"version": "0002", "from": "0001"}');
ALTER TABLE orch_epochs ADD COLUMN val_grade_error DOUBLE;
ALTER TABLE orch_epochs ADD COLUMN val_icc DOUBLE;
ALTER TABLE orch_epochs ADD COLUMN val_kappa DOUBLE;
ALTER TABLE orch_epochs ADD COLUMN val_mae DOUBLE;
ALTER TABLE orch_epochs ADD COLUMN val_mcc DOUBLE;
ALTER TABLE orch_epochs ADD COLUMN val_pearson DOUBLE;
ALTER TABLE orch_epochs ADD COLUMN val_quadratic_kappa DOUBLE;
ALTER TABLE orch_epochs ADD COLUMN val_r2 DOUBLE;
ALTER TABLE orch_epochs ADD COLUMN val_rmse DOUBLE;
ALTER TABLE orch_predictions ADD COLUMN digest VARCHAR(64);
CREATE TABLE orch_evaluations (
	id INTEGER NOT NULL, 
	study_uuid VARCHAR(36) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	evaluated_at DOUBLE NOT NULL, 
	evaluated_by VARCHAR(200) NOT NULL, 
	orch VARCHAR(64) NOT NULL, 
	trial_number INTEGER, 
	model_sha256 VARCHAR(80), 
	fingerprint VARCHAR(80) NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "orch_evaluations" VALUES(1,'9d82fb61-b2e3-43fa-9979-6efb6bbac42a','hold-out',1764200000.0,'user@host','0.1.0',NULL,'0000000000000000000000000000000000000000000000000000000000000000','sha256:0000000000000000000000000000000000000000000000000000000000000000','{"schema": "orch.evaluation/1", "model": {"file": "best.keras", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "study": "kept", "kind": "one"}, "data": {"fingerprint": "sha256:0000000000000000000000000000000000000000000000000000000000000000", "part": "hold-out", "images": 60, "groups": 40}, "targets": ["finding"], "task": "labels", "results": {"raw": {"images": 60, "groups": 40, "level": 0.95, "resamples": 1000, "labels": {"finding": {"assessed": 60, "positive": 20, "negative": 40, "positive_groups": 12, "negative_groups": 28, "threshold": 0.5, "metrics": {"auc": {"value": 0.8, "low": 0.66, "high": 0.9}}}}, "macro": {"metrics": {"auc": {"value": 0.8, "low": 0.66, "high": 0.9}}}, "micro": {"metrics": {"auc": {"value": 0.8, "low": 0.66, "high": 0.9}}}, "warnings": []}}, "practice": {}, "curves": {}, "versions": {}, "warnings": []}');
CREATE INDEX ix_orch_evaluations_study_uuid ON orch_evaluations (study_uuid);
COMMIT;

BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE orch_alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT orch_alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "orch_alembic_version" VALUES('0002');
CREATE TABLE orch_epochs (
	study_uuid VARCHAR(36) NOT NULL, 
	point INTEGER NOT NULL, 
	run_key VARCHAR(32) NOT NULL, 
	fold INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	train_loss DOUBLE, 
	train_auc DOUBLE, 
	train_precision DOUBLE, 
	train_recall DOUBLE, 
	train_f1 DOUBLE, 
	val_loss DOUBLE, 
	val_auc DOUBLE, 
	val_precision DOUBLE, 
	val_recall DOUBLE, 
	val_f1 DOUBLE, 
	steps INTEGER NOT NULL, 
	samples INTEGER NOT NULL, 
	labels_left_out INTEGER NOT NULL, 
	learning_rate DOUBLE, 
	seconds DOUBLE NOT NULL, 
	val_micro_auc DOUBLE, 
	val_pr_auc DOUBLE, 
	val_sensitivity DOUBLE, 
	val_specificity DOUBLE, 
	val_balanced_accuracy DOUBLE, 
	val_ppv DOUBLE, 
	val_npv DOUBLE, 
	val_lr_positive DOUBLE, 
	val_lr_negative DOUBLE, 
	val_accuracy DOUBLE, 
	val_brier DOUBLE, 
	val_calibration_error DOUBLE, val_grade_error DOUBLE, val_icc DOUBLE, val_kappa DOUBLE, val_mae DOUBLE, val_mcc DOUBLE, val_pearson DOUBLE, val_quadratic_kappa DOUBLE, val_r2 DOUBLE, val_rmse DOUBLE, 
	PRIMARY KEY (study_uuid, point, run_key, fold, epoch)
);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,'62d7746ff2e40b280060447072ba5dc5',0,1,0.5,0.5,0.5,0.5,0.5,0.5,0.51,0.5,0.5,0.5,7,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,'62d7746ff2e40b280060447072ba5dc5',1,1,0.5,0.5,0.5,0.5,0.5,0.5,0.513,0.5,0.5,0.5,7,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,'62d7746ff2e40b280060447072ba5dc5',2,1,0.5,0.5,0.5,0.5,0.5,0.5,0.516,0.5,0.5,0.5,7,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,'62d7746ff2e40b280060447072ba5dc5',0,2,0.5,0.5,0.5,0.5,0.5,0.5,0.52,0.5,0.5,0.5,7,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,'62d7746ff2e40b280060447072ba5dc5',1,2,0.5,0.5,0.5,0.5,0.5,0.5,0.523,0.5,0.5,0.5,7,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,'62d7746ff2e40b280060447072ba5dc5',2,2,0.5,0.5,0.5,0.5,0.5,0.5,0.526,0.5,0.5,0.5,7,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,'62d7746ff2e40b280060447072ba5dc5',0,3,0.5,0.5,0.5,0.5,0.5,0.5,0.53,0.5,0.5,0.5,7,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,'62d7746ff2e40b280060447072ba5dc5',1,3,0.5,0.5,0.5,0.5,0.5,0.5,0.533,0.5,0.5,0.5,7,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,'62d7746ff2e40b280060447072ba5dc5',2,3,0.5,0.5,0.5,0.5,0.5,0.5,0.536,0.5,0.5,0.5,7,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,'62d7746ff2e40b280060447072ba5dc5',0,4,0.5,0.5,0.5,0.5,0.5,0.5,0.526,0.5,0.5,0.5,7,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,'62d7746ff2e40b280060447072ba5dc5',1,4,0.5,0.5,0.5,0.5,0.5,0.5,0.529,0.5,0.5,0.5,7,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,'62d7746ff2e40b280060447072ba5dc5',2,4,0.5,0.5,0.5,0.5,0.5,0.5,0.532,0.5,0.5,0.5,7,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,'bdd45100d131e4fa4230d208ddb3aa02',0,1,0.5,0.5,0.5,0.5,0.5,0.5,5.70000000000000062172e-01,0.5,0.5,0.5,6,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,'bdd45100d131e4fa4230d208ddb3aa02',1,1,0.5,0.5,0.5,0.5,0.5,0.5,5.73000000000000064837e-01,0.5,0.5,0.5,6,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,'bdd45100d131e4fa4230d208ddb3aa02',2,1,0.5,0.5,0.5,0.5,0.5,0.5,5.76000000000000067501e-01,0.5,0.5,0.5,6,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,'bdd45100d131e4fa4230d208ddb3aa02',0,2,0.5,0.5,0.5,0.5,0.5,0.5,5.80000000000000071054e-01,0.5,0.5,0.5,6,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,'bdd45100d131e4fa4230d208ddb3aa02',1,2,0.5,0.5,0.5,0.5,0.5,0.5,5.83000000000000073718e-01,0.5,0.5,0.5,6,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,'bdd45100d131e4fa4230d208ddb3aa02',2,2,0.5,0.5,0.5,0.5,0.5,0.5,5.86000000000000076383e-01,0.5,0.5,0.5,6,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,'bdd45100d131e4fa4230d208ddb3aa02',0,3,0.5,0.5,0.5,0.5,0.5,0.5,5.90000000000000079936e-01,0.5,0.5,0.5,6,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,'bdd45100d131e4fa4230d208ddb3aa02',1,3,0.5,0.5,0.5,0.5,0.5,0.5,5.930000000000000826e-01,0.5,0.5,0.5,6,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,'bdd45100d131e4fa4230d208ddb3aa02',2,3,0.5,0.5,0.5,0.5,0.5,0.5,5.96000000000000085265e-01,0.5,0.5,0.5,6,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,'bdd45100d131e4fa4230d208ddb3aa02',0,4,0.5,0.5,0.5,0.5,0.5,0.5,5.86000000000000076383e-01,0.5,0.5,0.5,6,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,'bdd45100d131e4fa4230d208ddb3aa02',1,4,0.5,0.5,0.5,0.5,0.5,0.5,5.89000000000000079047e-01,0.5,0.5,0.5,6,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_epochs" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,'bdd45100d131e4fa4230d208ddb3aa02',2,4,0.5,0.5,0.5,0.5,0.5,0.5,5.92000000000000081712e-01,0.5,0.5,0.5,6,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
CREATE TABLE orch_facts (
	"key" VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "orch_facts" VALUES('readable_from','{"version": "0002", "from": "0001"}');
CREATE TABLE orch_holdout_openings (
	id INTEGER NOT NULL, 
	fingerprint VARCHAR(80) NOT NULL, 
	opened_at DOUBLE NOT NULL, 
	opened_by VARCHAR(200) NOT NULL, 
	model_sha256 VARCHAR(80) NOT NULL, 
	purpose TEXT NOT NULL, 
	study_uuid VARCHAR(36), 
	PRIMARY KEY (id)
);
CREATE TABLE orch_points (
	study_uuid VARCHAR(36) NOT NULL, 
	point INTEGER NOT NULL, 
	params TEXT, 
	state VARCHAR(16) NOT NULL, 
	attempt INTEGER NOT NULL, 
	losses INTEGER NOT NULL, 
	failures INTEGER NOT NULL, 
	worker VARCHAR(200), 
	token VARCHAR(36), 
	claimed_at DOUBLE, 
	expires_at DOUBLE, 
	finished_at DOUBLE, 
	epoch INTEGER NOT NULL, 
	trial_id INTEGER, 
	trial_number INTEGER, 
	outcome VARCHAR(16), 
	value DOUBLE, 
	error TEXT, 
	PRIMARY KEY (study_uuid, point)
);
INSERT INTO "orch_points" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,'{"batch_size": 16}','done',1,0,0,'worker-of-the-release','ccfe5d01-f23e-4272-85d6-257c863625ba',1.79572188175200366973e+09,NULL,1.79572188178801250453e+09,4,1,0,'COMPLETE',0.533,NULL);
INSERT INTO "orch_points" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',1,'{"batch_size": 17}','failed',1,0,1,'worker-of-the-release','ecc7f327-7568-44a3-a134-3c9c24a03752',1.79572188179199552539e+09,NULL,1.7957218818030192852e+09,0,2,1,NULL,NULL,'ValueError: an objective that failed');
INSERT INTO "orch_points" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,'{"batch_size": 18}','done',1,0,0,'worker-of-the-release','3597abc7-1adf-4c00-be10-7da20423ccaa',1.79572188180700254437e+09,NULL,1.79572188183198714261e+09,4,3,2,'COMPLETE',5.930000000000000826e-01,NULL);
INSERT INTO "orch_points" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',3,'{"batch_size": 19}','claimed',2,0,0,'worker-that-was-killed','e6193eb1-fbde-4934-a8f9-6fca36aa810d',1.79572188184900569923e+09,1.7957218868490056992e+09,NULL,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_points" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',4,'{"batch_size": 20}','open',0,0,0,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE orch_predictions (
	study_uuid VARCHAR(36) NOT NULL, 
	point INTEGER NOT NULL, 
	fold INTEGER NOT NULL, 
	run_key VARCHAR(32) NOT NULL, 
	epoch INTEGER NOT NULL, 
	target_count INTEGER NOT NULL, 
	indices BLOB NOT NULL, 
	"values" BLOB NOT NULL, digest VARCHAR(64), 
	PRIMARY KEY (study_uuid, point, fold)
);
INSERT INTO "orch_predictions" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,0,'62d7746ff2e40b280060447072ba5dc5',3,2,X'00000000010000000200000003000000040000000500000006000000070000000800000009000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27',NULL);
INSERT INTO "orch_predictions" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,1,'62d7746ff2e40b280060447072ba5dc5',3,2,X'0A0000000B0000000C0000000D0000000E0000000F00000010000000110000001200000013000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27',NULL);
INSERT INTO "orch_predictions" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',0,2,'62d7746ff2e40b280060447072ba5dc5',3,2,X'1400000015000000160000001700000018000000190000001A0000001B0000001C0000001D000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27',NULL);
INSERT INTO "orch_predictions" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,0,'bdd45100d131e4fa4230d208ddb3aa02',3,2,X'00000000010000000200000003000000040000000500000006000000070000000800000009000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27',NULL);
INSERT INTO "orch_predictions" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,1,'bdd45100d131e4fa4230d208ddb3aa02',3,2,X'0A0000000B0000000C0000000D0000000E0000000F00000010000000110000001200000013000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27',NULL);
INSERT INTO "orch_predictions" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',2,2,'bdd45100d131e4fa4230d208ddb3aa02',3,2,X'1400000015000000160000001700000018000000190000001A0000001B0000001C0000001D000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27',NULL);
CREATE TABLE orch_sealed_images (
	fingerprint VARCHAR(80) NOT NULL, 
	sha256 VARCHAR(80) NOT NULL, 
	PRIMARY KEY (fingerprint, sha256)
);
CREATE TABLE orch_studies (
	uuid VARCHAR(36) NOT NULL, 
	optuna_study_id INTEGER NOT NULL, 
	name VARCHAR(512) NOT NULL, 
	spec TEXT NOT NULL, 
	spec_hash VARCHAR(80) NOT NULL, 
	fingerprint VARCHAR(80) NOT NULL, 
	data_folder TEXT NOT NULL, 
	facts TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	features_digest VARCHAR(80), 
	features_sample TEXT, 
	canary TEXT, 
	publish_after DOUBLE, 
	PRIMARY KEY (uuid), 
	UNIQUE (name)
);
INSERT INTO "orch_studies" VALUES('9d82fb61-b2e3-43fa-9979-6efb6bbac42a',1,'kept','{"augmentation":{"channel_shift":0.0,"rotation":0.0,"shear":0.0,"shift":0.0,"zoom":0.0},"cv":{"folds":3,"schedule":"auto"},"data":{"fingerprint":"sha256:0000000000000000000000000000000000000000000000000000000000000000","targets":[]},"model":{"backbone":"InceptionV3","dropout_rate":0.0,"extraction_batch":32,"extraction_precision":"float32","head":[1024,512,256],"head_normalization":false,"image_size":[299,299],"kind":"transfer","pooling":"max","scale":"auto","trainable":"head","weights":"imagenet","weights_seed":0,"weights_sha256":""},"pruner":{"confidence":2.0,"confidence_growth":0.0,"min_resource":1,"name":"none","prior_sd":0.01,"reduction_factor":2,"remaining_gain":0.0,"startup_trials":5,"warmup_steps":1},"sampler":{"name":"random","points":[]},"search":{"batch_size":{"high":2048.0,"log":false,"low":16.0,"type":"int","values":null}},"study":{"lease_seconds":5,"metric":"val_auc","name":"kept","objective":"max_of_mean","regime":"custom","repeats_of":"","retries":0,"seed":7,"trials":5},"training":{"augmentation":"flip","batch_size":128,"beta_1":0.9,"beta_2":0.999,"cycle_epochs":10,"cycle_growth":2.0,"cycles":0,"epochs":4,"epsilon":1e-07,"label_smoothing":0.0,"learning_rate":0.001,"momentum":0.9,"optimizer":"adam","oversampled":[],"oversampling":1.0,"patience":0,"positive_weight":"none","precision":"float32","rate_schedule":"constant","threads":2,"weight_decay":0.004}}','sha256:387c7a4688bf3dd247ca5750624960b4e1c2d110a5809c12e70d0f80f2fea599','sha256:0000000000000000000000000000000000000000000000000000000000000000','','{}','open',1.79572188174299144747e+09,NULL,NULL,NULL,NULL);
CREATE TABLE orch_workers (
	worker VARCHAR(200) NOT NULL, 
	host VARCHAR(200) NOT NULL, 
	pid INTEGER NOT NULL, 
	device VARCHAR(200) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	study_uuid VARCHAR(36), 
	point INTEGER, 
	started_at DOUBLE NOT NULL, 
	last_seen DOUBLE NOT NULL, 
	versions TEXT NOT NULL, 
	PRIMARY KEY (worker)
);
INSERT INTO "orch_workers" VALUES('worker-of-the-release','host',22562,'CPU','gone',NULL,NULL,1.79572188174701476096e+09,1.79572188184699416159e+09,'{"orch": "0.1.0", "optuna": "5.0.0", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'kept');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MAXIMIZE',1,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_system_attributes" VALUES(1,1,'study:metric_names','["val_auc"]');
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,1,1,0.513,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,1,2,0.523,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,1,3,0.533,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,1,4,0.529,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,3,1,5.73000000000000064837e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,3,2,5.83000000000000073718e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,3,3,5.930000000000000826e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(8,3,4,5.89000000000000079047e-01,'FINITE');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'batch_size',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO "trial_params" VALUES(2,2,'batch_size',17.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO "trial_params" VALUES(3,3,'batch_size',18.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO "trial_params" VALUES(4,4,'batch_size',19.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO "trial_params" VALUES(5,5,'batch_size',19.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'point','0');
INSERT INTO "trial_user_attributes" VALUES(2,1,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(3,1,'token','"ccfe5d01-f23e-4272-85d6-257c863625ba"');
INSERT INTO "trial_user_attributes" VALUES(4,1,'worker','"worker-of-the-release"');
INSERT INTO "trial_user_attributes" VALUES(5,1,'best_epoch','3');
INSERT INTO "trial_user_attributes" VALUES(6,1,'fold_values','[0.53, 0.533, 0.536]');
INSERT INTO "trial_user_attributes" VALUES(7,1,'details','{"schedule": "lockstep", "steps_per_epoch": [7, 7, 7], "train_images": [100, 100, 100], "labels_left_out": [0, 0, 0], "best_epoch_is_last": false, "device": "CPU", "versions": {"orch": "0.1.0", "optuna": "5.0.0", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}}');
INSERT INTO "trial_user_attributes" VALUES(8,2,'point','1');
INSERT INTO "trial_user_attributes" VALUES(9,2,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(10,2,'token','"ecc7f327-7568-44a3-a134-3c9c24a03752"');
INSERT INTO "trial_user_attributes" VALUES(11,2,'worker','"worker-of-the-release"');
INSERT INTO "trial_user_attributes" VALUES(12,2,'error','"ValueError: an objective that failed"');
INSERT INTO "trial_user_attributes" VALUES(13,2,'orch_outcome','"failed"');
INSERT INTO "trial_user_attributes" VALUES(14,3,'point','2');
INSERT INTO "trial_user_attributes" VALUES(15,3,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(16,3,'token','"3597abc7-1adf-4c00-be10-7da20423ccaa"');
INSERT INTO "trial_user_attributes" VALUES(17,3,'worker','"worker-of-the-release"');
INSERT INTO "trial_user_attributes" VALUES(18,3,'best_epoch','3');
INSERT INTO "trial_user_attributes" VALUES(19,3,'fold_values','[0.5900000000000001, 0.5930000000000001, 0.5960000000000001]');
INSERT INTO "trial_user_attributes" VALUES(20,3,'details','{"schedule": "lockstep", "steps_per_epoch": [6, 6, 6], "train_images": [100, 100, 100], "labels_left_out": [0, 0, 0], "best_epoch_is_last": false, "device": "CPU", "versions": {"orch": "0.1.0", "optuna": "5.0.0", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}}');
INSERT INTO "trial_user_attributes" VALUES(21,4,'point','3');
INSERT INTO "trial_user_attributes" VALUES(22,4,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(23,4,'token','"1e6203ce-2d60-4ada-9a8c-0f9e9a66be22"');
INSERT INTO "trial_user_attributes" VALUES(24,4,'worker','"worker-of-the-release"');
INSERT INTO "trial_user_attributes" VALUES(25,4,'orch_outcome','"stopped"');
INSERT INTO "trial_user_attributes" VALUES(26,5,'point','3');
INSERT INTO "trial_user_attributes" VALUES(27,5,'attempt','2');
INSERT INTO "trial_user_attributes" VALUES(28,5,'token','"e6193eb1-fbde-4934-a8f9-6fca36aa810d"');
INSERT INTO "trial_user_attributes" VALUES(29,5,'worker','"worker-that-was-killed"');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,0.533,'FINITE');
INSERT INTO "trial_values" VALUES(2,3,0,5.930000000000000826e-01,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-26 19:38:01.754799','2026-11-26 19:38:01.789860');
INSERT INTO "trials" VALUES(2,1,1,'FAIL','2026-11-26 19:38:01.794430','2026-11-26 19:38:01.805004');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-26 19:38:01.808486','2026-11-26 19:38:01.832903');
INSERT INTO "trials" VALUES(4,3,1,'FAIL','2026-11-26 19:38:01.836823','2026-11-26 19:38:01.847296');
INSERT INTO "trials" VALUES(5,4,1,'RUNNING','2026-11-26 19:38:01.850358',NULL);
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
CREATE INDEX orch_epochs_by_epoch ON orch_epochs (study_uuid, epoch);
CREATE INDEX ix_orch_holdout_openings_fingerprint ON orch_holdout_openings (fingerprint);
CREATE INDEX ix_orch_points_token ON orch_points (token);
CREATE INDEX orch_points_by_state ON orch_points (study_uuid, state, point);
CREATE INDEX ix_orch_sealed_images_sha256 ON orch_sealed_images (sha256);
CREATE INDEX ix_orch_studies_fingerprint ON orch_studies (fingerprint);
CREATE INDEX ix_orch_evaluations_study_uuid ON orch_evaluations (study_uuid);
COMMIT;

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
INSERT INTO "orch_alembic_version" VALUES('0001');
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
	val_calibration_error DOUBLE, 
	PRIMARY KEY (study_uuid, point, run_key, fold, epoch)
);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,'a6d43293fa43935c81a1062d27e09a08',0,1,0.5,0.5,0.5,0.5,0.5,0.5,0.51,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,'a6d43293fa43935c81a1062d27e09a08',1,1,0.5,0.5,0.5,0.5,0.5,0.5,0.513,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,'a6d43293fa43935c81a1062d27e09a08',2,1,0.5,0.5,0.5,0.5,0.5,0.5,0.516,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,'a6d43293fa43935c81a1062d27e09a08',0,2,0.5,0.5,0.5,0.5,0.5,0.5,0.52,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,'a6d43293fa43935c81a1062d27e09a08',1,2,0.5,0.5,0.5,0.5,0.5,0.5,0.523,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,'a6d43293fa43935c81a1062d27e09a08',2,2,0.5,0.5,0.5,0.5,0.5,0.5,0.526,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,'a6d43293fa43935c81a1062d27e09a08',0,3,0.5,0.5,0.5,0.5,0.5,0.5,0.53,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,'a6d43293fa43935c81a1062d27e09a08',1,3,0.5,0.5,0.5,0.5,0.5,0.5,0.533,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,'a6d43293fa43935c81a1062d27e09a08',2,3,0.5,0.5,0.5,0.5,0.5,0.5,0.536,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,'a6d43293fa43935c81a1062d27e09a08',0,4,0.5,0.5,0.5,0.5,0.5,0.5,0.526,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,'a6d43293fa43935c81a1062d27e09a08',1,4,0.5,0.5,0.5,0.5,0.5,0.5,0.529,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,'a6d43293fa43935c81a1062d27e09a08',2,4,0.5,0.5,0.5,0.5,0.5,0.5,0.532,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'83b64921b54f06eb27010dde813b8be2',0,1,0.5,0.5,0.5,0.5,0.5,0.5,0.65,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'83b64921b54f06eb27010dde813b8be2',1,1,0.5,0.5,0.5,0.5,0.5,0.5,0.653,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'83b64921b54f06eb27010dde813b8be2',2,1,0.5,0.5,0.5,0.5,0.5,0.5,0.656,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'83b64921b54f06eb27010dde813b8be2',0,2,0.5,0.5,0.5,0.5,0.5,0.5,0.66,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'83b64921b54f06eb27010dde813b8be2',1,2,0.5,0.5,0.5,0.5,0.5,0.5,0.663,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'83b64921b54f06eb27010dde813b8be2',2,2,0.5,0.5,0.5,0.5,0.5,0.5,0.666,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'83b64921b54f06eb27010dde813b8be2',0,3,0.5,0.5,0.5,0.5,0.5,0.5,0.67,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'83b64921b54f06eb27010dde813b8be2',1,3,0.5,0.5,0.5,0.5,0.5,0.5,0.673,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'83b64921b54f06eb27010dde813b8be2',2,3,0.5,0.5,0.5,0.5,0.5,0.5,0.676,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'83b64921b54f06eb27010dde813b8be2',0,4,0.5,0.5,0.5,0.5,0.5,0.5,0.666,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'83b64921b54f06eb27010dde813b8be2',1,4,0.5,0.5,0.5,0.5,0.5,0.5,0.669,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'83b64921b54f06eb27010dde813b8be2',2,4,0.5,0.5,0.5,0.5,0.5,0.5,0.672,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',2,'61048235d7aed8e3b880001bd9cc3c35',0,1,0.5,0.5,0.5,0.5,0.5,0.5,5.70000000000000062172e-01,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',2,'61048235d7aed8e3b880001bd9cc3c35',1,1,0.5,0.5,0.5,0.5,0.5,0.5,5.73000000000000064837e-01,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',2,'61048235d7aed8e3b880001bd9cc3c35',2,1,0.5,0.5,0.5,0.5,0.5,0.5,5.76000000000000067501e-01,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,'30ef94544487682352bf1ad1f40e1c2a',0,1,0.5,0.5,0.5,0.5,0.5,0.5,0.71,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,'30ef94544487682352bf1ad1f40e1c2a',1,1,0.5,0.5,0.5,0.5,0.5,0.5,0.713,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,'30ef94544487682352bf1ad1f40e1c2a',2,1,0.5,0.5,0.5,0.5,0.5,0.5,0.716,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,'30ef94544487682352bf1ad1f40e1c2a',0,2,0.5,0.5,0.5,0.5,0.5,0.5,0.72,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,'30ef94544487682352bf1ad1f40e1c2a',1,2,0.5,0.5,0.5,0.5,0.5,0.5,0.723,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,'30ef94544487682352bf1ad1f40e1c2a',2,2,0.5,0.5,0.5,0.5,0.5,0.5,0.726,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,'30ef94544487682352bf1ad1f40e1c2a',0,3,0.5,0.5,0.5,0.5,0.5,0.5,0.73,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,'30ef94544487682352bf1ad1f40e1c2a',1,3,0.5,0.5,0.5,0.5,0.5,0.5,0.733,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,'30ef94544487682352bf1ad1f40e1c2a',2,3,0.5,0.5,0.5,0.5,0.5,0.5,0.736,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,'30ef94544487682352bf1ad1f40e1c2a',0,4,0.5,0.5,0.5,0.5,0.5,0.5,0.726,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,'30ef94544487682352bf1ad1f40e1c2a',1,4,0.5,0.5,0.5,0.5,0.5,0.5,0.729,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,'30ef94544487682352bf1ad1f40e1c2a',2,4,0.5,0.5,0.5,0.5,0.5,0.5,0.732,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',4,'e2ec72aa5501a38c663880a87b339e5f',0,1,0.5,0.5,0.5,0.5,0.5,0.5,0.63,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',4,'e2ec72aa5501a38c663880a87b339e5f',1,1,0.5,0.5,0.5,0.5,0.5,0.5,0.633,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',4,'e2ec72aa5501a38c663880a87b339e5f',2,1,0.5,0.5,0.5,0.5,0.5,0.5,0.636,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',5,'a1be0e5b08088e2b6458339eb84d3c00',0,1,0.5,0.5,0.5,0.5,0.5,0.5,0.55,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',5,'a1be0e5b08088e2b6458339eb84d3c00',1,1,0.5,0.5,0.5,0.5,0.5,0.5,0.553,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',5,'a1be0e5b08088e2b6458339eb84d3c00',2,1,0.5,0.5,0.5,0.5,0.5,0.5,0.556,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,'826aa62a41c9fab2223be51f0dd3d0cf',0,1,0.5,0.5,0.5,0.5,0.5,0.5,0.69,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,'826aa62a41c9fab2223be51f0dd3d0cf',1,1,0.5,0.5,0.5,0.5,0.5,0.5,0.693,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,'826aa62a41c9fab2223be51f0dd3d0cf',2,1,0.5,0.5,0.5,0.5,0.5,0.5,0.696,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,'826aa62a41c9fab2223be51f0dd3d0cf',0,2,0.5,0.5,0.5,0.5,0.5,0.5,0.7,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,'826aa62a41c9fab2223be51f0dd3d0cf',1,2,0.5,0.5,0.5,0.5,0.5,0.5,0.703,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,'826aa62a41c9fab2223be51f0dd3d0cf',2,2,0.5,0.5,0.5,0.5,0.5,0.5,0.706,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,'826aa62a41c9fab2223be51f0dd3d0cf',0,3,0.5,0.5,0.5,0.5,0.5,0.5,0.71,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,'826aa62a41c9fab2223be51f0dd3d0cf',1,3,0.5,0.5,0.5,0.5,0.5,0.5,0.713,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,'826aa62a41c9fab2223be51f0dd3d0cf',2,3,0.5,0.5,0.5,0.5,0.5,0.5,0.716,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,'826aa62a41c9fab2223be51f0dd3d0cf',0,4,0.5,0.5,0.5,0.5,0.5,0.5,0.706,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,'826aa62a41c9fab2223be51f0dd3d0cf',1,4,0.5,0.5,0.5,0.5,0.5,0.5,0.709,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,'826aa62a41c9fab2223be51f0dd3d0cf',2,4,0.5,0.5,0.5,0.5,0.5,0.5,0.712,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',7,'1453004c97221345debcb2a6534ac979',0,1,0.5,0.5,0.5,0.5,0.5,0.5,0.61,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',7,'1453004c97221345debcb2a6534ac979',1,1,0.5,0.5,0.5,0.5,0.5,0.5,0.613,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
INSERT INTO "orch_epochs" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',7,'1453004c97221345debcb2a6534ac979',2,1,0.5,0.5,0.5,0.5,0.5,0.5,0.616,0.5,0.5,0.5,1,100,0,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
CREATE TABLE orch_facts (
	"key" VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
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
INSERT INTO "orch_points" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,'{"batch_size": 1444}','done',1,0,0,'vm-1821-5a4e73','d4f1d531-c4b7-4495-ba82-a4b03090a240',1.79572440332798671726e+09,NULL,1.79572440350098896022e+09,4,1,0,'COMPLETE',0.533,NULL);
INSERT INTO "orch_points" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'{"batch_size": 1974}','done',1,0,0,'vm-1821-5a4e73','2000fa8f-1b7f-4ab6-ad32-950c53c5f401',1.79572440350601816175e+09,NULL,1.79572440353800344466e+09,4,2,1,'COMPLETE',0.673,NULL);
INSERT INTO "orch_points" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',2,'{"batch_size": 1524}','done',1,0,0,'vm-1821-5a4e73','10c55627-038b-4fc4-82a9-410c2717bb4a',1.79572440354500412942e+09,NULL,1.79572440356600570676e+09,1,3,2,'PRUNED',5.73000000000000064837e-01,NULL);
INSERT INTO "orch_points" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,'{"batch_size": 1197}','done',1,0,0,'vm-1821-5a4e73','062bd849-6ff9-4b6a-a722-81465a2611b7',1.79572440356898307802e+09,NULL,1.79572440360499167443e+09,4,4,3,'COMPLETE',0.733,NULL);
INSERT INTO "orch_points" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',4,'{"batch_size": 173}','done',1,0,0,'vm-1821-5a4e73','b666b05a-7722-43aa-8b8b-7a1a5b821193',1.79572440360800933837e+09,NULL,1.79572440362100458144e+09,1,5,4,'PRUNED',0.633,NULL);
INSERT INTO "orch_points" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',5,'{"batch_size": 366}','done',1,0,0,'vm-1821-5a4e73','b4afb604-3476-441e-800b-74de3348badb',1.79572440362398171422e+09,NULL,1.79572440365298986435e+09,1,6,5,'PRUNED',0.553,NULL);
INSERT INTO "orch_points" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,'{"batch_size": 594}','done',1,0,0,'vm-1821-5a4e73','42e0a6a7-82e9-4f80-8cb5-79d15964d22e',1.79572440366799688342e+09,NULL,1.79572440369901657102e+09,4,7,6,'COMPLETE',7.13000000000000078159e-01,NULL);
INSERT INTO "orch_points" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',7,'{"batch_size": 1523}','done',1,0,0,'vm-1821-5a4e73','5a625344-0c7a-424b-a588-7d67a7001da9',1.79572440371301770209e+09,NULL,1.79572440373699665069e+09,1,8,7,'PRUNED',0.613,NULL);
INSERT INTO "orch_points" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',8,'{"batch_size": 633}','open',0,0,0,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_points" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',9,'{"batch_size": 1974}','open',0,0,0,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_points" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',10,'{"batch_size": 785}','open',0,0,0,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "orch_points" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',11,'{"batch_size": 1649}','open',0,0,0,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE orch_predictions (
	study_uuid VARCHAR(36) NOT NULL, 
	point INTEGER NOT NULL, 
	fold INTEGER NOT NULL, 
	run_key VARCHAR(32) NOT NULL, 
	epoch INTEGER NOT NULL, 
	target_count INTEGER NOT NULL, 
	indices BLOB NOT NULL, 
	"values" BLOB NOT NULL, 
	PRIMARY KEY (study_uuid, point, fold)
);
INSERT INTO "orch_predictions" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,0,'a6d43293fa43935c81a1062d27e09a08',3,2,X'00000000010000000200000003000000040000000500000006000000070000000800000009000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27');
INSERT INTO "orch_predictions" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,1,'a6d43293fa43935c81a1062d27e09a08',3,2,X'0A0000000B0000000C0000000D0000000E0000000F00000010000000110000001200000013000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27');
INSERT INTO "orch_predictions" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',0,2,'a6d43293fa43935c81a1062d27e09a08',3,2,X'1400000015000000160000001700000018000000190000001A0000001B0000001C0000001D000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27');
INSERT INTO "orch_predictions" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,0,'83b64921b54f06eb27010dde813b8be2',3,2,X'00000000010000000200000003000000040000000500000006000000070000000800000009000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27');
INSERT INTO "orch_predictions" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,1,'83b64921b54f06eb27010dde813b8be2',3,2,X'0A0000000B0000000C0000000D0000000E0000000F00000010000000110000001200000013000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27');
INSERT INTO "orch_predictions" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,2,'83b64921b54f06eb27010dde813b8be2',3,2,X'1400000015000000160000001700000018000000190000001A0000001B0000001C0000001D000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27');
INSERT INTO "orch_predictions" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,0,'30ef94544487682352bf1ad1f40e1c2a',3,2,X'00000000010000000200000003000000040000000500000006000000070000000800000009000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27');
INSERT INTO "orch_predictions" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,1,'30ef94544487682352bf1ad1f40e1c2a',3,2,X'0A0000000B0000000C0000000D0000000E0000000F00000010000000110000001200000013000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27');
INSERT INTO "orch_predictions" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',3,2,'30ef94544487682352bf1ad1f40e1c2a',3,2,X'1400000015000000160000001700000018000000190000001A0000001B0000001C0000001D000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27');
INSERT INTO "orch_predictions" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,0,'826aa62a41c9fab2223be51f0dd3d0cf',3,2,X'00000000010000000200000003000000040000000500000006000000070000000800000009000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27');
INSERT INTO "orch_predictions" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,1,'826aa62a41c9fab2223be51f0dd3d0cf',3,2,X'0A0000000B0000000C0000000D0000000E0000000F00000010000000110000001200000013000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27');
INSERT INTO "orch_predictions" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',6,2,'826aa62a41c9fab2223be51f0dd3d0cf',3,2,X'1400000015000000160000001700000018000000190000001A0000001B0000001C0000001D000000',X'AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27AE27');
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
INSERT INTO "orch_studies" VALUES('59bbe281-0c56-4a39-acfc-3aee68d4d5c6',1,'before','{"augmentation":{"channel_shift":0.0,"rotation":0.0,"shear":0.0,"shift":0.0,"zoom":0.0},"cv":{"folds":3,"schedule":"auto"},"data":{"fingerprint":"sha256:0000000000000000000000000000000000000000000000000000000000000000","targets":[]},"model":{"backbone":"InceptionV3","dropout_rate":0.0,"extraction_batch":32,"extraction_precision":"float32","head":[1024,512,256],"head_normalization":false,"image_size":[299,299],"kind":"transfer","pooling":"max","scale":"auto","trainable":"head","weights":"imagenet","weights_seed":0,"weights_sha256":""},"pruner":{"confidence":2.0,"confidence_growth":0.0,"min_resource":1,"name":"halving","prior_sd":0.01,"reduction_factor":2,"remaining_gain":0.0,"startup_trials":5,"warmup_steps":1},"sampler":{"name":"random","points":[]},"search":{"batch_size":{"high":2048.0,"log":false,"low":16.0,"type":"int","values":null}},"study":{"lease_seconds":5,"metric":"val_auc","name":"before","objective":"max_of_mean","regime":"custom","repeats_of":"","retries":2,"seed":1337,"trials":12},"training":{"augmentation":"flip","batch_size":128,"beta_1":0.9,"beta_2":0.999,"cycle_epochs":10,"cycle_growth":2.0,"cycles":0,"epochs":4,"epsilon":1e-07,"label_smoothing":0.0,"learning_rate":0.001,"momentum":0.9,"optimizer":"adam","oversampled":[],"oversampling":1.0,"patience":0,"positive_weight":"none","precision":"float32","rate_schedule":"constant","threads":2,"weight_decay":0.004}}','sha256:49a61f55eedaa969060ce3183d47d51f522d1d51fa6853caf1faf11ee67f4e34','sha256:0000000000000000000000000000000000000000000000000000000000000000','','{"images": 120, "groups": 100, "warnings": []}','open',1.7957244032939896584e+09,NULL,NULL,NULL,NULL);
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
INSERT INTO "orch_workers" VALUES('vm-1821-5a4e73','vm',1821,'CPU','gone',NULL,NULL,1.79572440330300188071e+09,1.79572440374399709705e+09,'{"orch": "0.1.0", "optuna": "5.0.0", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'before');
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
INSERT INTO "trial_intermediate_values" VALUES(5,2,1,0.653,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,2,2,6.62999999999999922728e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,2,3,0.673,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(8,2,4,0.669,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(9,3,1,5.73000000000000064837e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(10,4,1,7.13000000000000078159e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(11,4,2,0.723,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(12,4,3,0.733,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(13,4,4,7.2900000000000009237e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(14,5,1,0.633,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(15,6,1,0.553,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(16,7,1,0.693,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(17,7,2,0.703,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(18,7,3,7.13000000000000078159e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(19,7,4,0.709,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(20,8,1,0.613,'FINITE');
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
INSERT INTO "trial_params" VALUES(1,1,'batch_size',1444.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO "trial_params" VALUES(2,2,'batch_size',1974.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO "trial_params" VALUES(3,3,'batch_size',1524.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO "trial_params" VALUES(4,4,'batch_size',1197.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO "trial_params" VALUES(5,5,'batch_size',173.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO "trial_params" VALUES(6,6,'batch_size',366.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO "trial_params" VALUES(7,7,'batch_size',594.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO "trial_params" VALUES(8,8,'batch_size',1523.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
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
INSERT INTO "trial_user_attributes" VALUES(3,1,'token','"d4f1d531-c4b7-4495-ba82-a4b03090a240"');
INSERT INTO "trial_user_attributes" VALUES(4,1,'worker','"vm-1821-5a4e73"');
INSERT INTO "trial_user_attributes" VALUES(5,1,'best_epoch','3');
INSERT INTO "trial_user_attributes" VALUES(6,1,'fold_values','[0.53, 0.533, 0.536]');
INSERT INTO "trial_user_attributes" VALUES(7,1,'details','{"schedule": "lockstep", "steps_per_epoch": [1, 1, 1], "train_images": [100, 100, 100], "labels_left_out": [0, 0, 0], "best_epoch_is_last": false, "device": "CPU", "versions": {"orch": "0.1.0", "optuna": "5.0.0", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}}');
INSERT INTO "trial_user_attributes" VALUES(8,2,'point','1');
INSERT INTO "trial_user_attributes" VALUES(9,2,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(10,2,'token','"2000fa8f-1b7f-4ab6-ad32-950c53c5f401"');
INSERT INTO "trial_user_attributes" VALUES(11,2,'worker','"vm-1821-5a4e73"');
INSERT INTO "trial_user_attributes" VALUES(12,2,'best_epoch','3');
INSERT INTO "trial_user_attributes" VALUES(13,2,'fold_values','[0.67, 0.673, 0.676]');
INSERT INTO "trial_user_attributes" VALUES(14,2,'details','{"schedule": "lockstep", "steps_per_epoch": [1, 1, 1], "train_images": [100, 100, 100], "labels_left_out": [0, 0, 0], "best_epoch_is_last": false, "device": "CPU", "versions": {"orch": "0.1.0", "optuna": "5.0.0", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}}');
INSERT INTO "trial_user_attributes" VALUES(15,3,'point','2');
INSERT INTO "trial_user_attributes" VALUES(16,3,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(17,3,'token','"10c55627-038b-4fc4-82a9-410c2717bb4a"');
INSERT INTO "trial_user_attributes" VALUES(18,3,'worker','"vm-1821-5a4e73"');
INSERT INTO "trial_user_attributes" VALUES(19,4,'point','3');
INSERT INTO "trial_user_attributes" VALUES(20,4,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(21,4,'token','"062bd849-6ff9-4b6a-a722-81465a2611b7"');
INSERT INTO "trial_user_attributes" VALUES(22,4,'worker','"vm-1821-5a4e73"');
INSERT INTO "trial_user_attributes" VALUES(23,4,'best_epoch','3');
INSERT INTO "trial_user_attributes" VALUES(24,4,'fold_values','[0.73, 0.733, 0.736]');
INSERT INTO "trial_user_attributes" VALUES(25,4,'details','{"schedule": "lockstep", "steps_per_epoch": [1, 1, 1], "train_images": [100, 100, 100], "labels_left_out": [0, 0, 0], "best_epoch_is_last": false, "device": "CPU", "versions": {"orch": "0.1.0", "optuna": "5.0.0", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}}');
INSERT INTO "trial_user_attributes" VALUES(26,5,'point','4');
INSERT INTO "trial_user_attributes" VALUES(27,5,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(28,5,'token','"b666b05a-7722-43aa-8b8b-7a1a5b821193"');
INSERT INTO "trial_user_attributes" VALUES(29,5,'worker','"vm-1821-5a4e73"');
INSERT INTO "trial_user_attributes" VALUES(30,6,'point','5');
INSERT INTO "trial_user_attributes" VALUES(31,6,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(32,6,'token','"b4afb604-3476-441e-800b-74de3348badb"');
INSERT INTO "trial_user_attributes" VALUES(33,6,'worker','"vm-1821-5a4e73"');
INSERT INTO "trial_user_attributes" VALUES(34,7,'point','6');
INSERT INTO "trial_user_attributes" VALUES(35,7,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(36,7,'token','"42e0a6a7-82e9-4f80-8cb5-79d15964d22e"');
INSERT INTO "trial_user_attributes" VALUES(37,7,'worker','"vm-1821-5a4e73"');
INSERT INTO "trial_user_attributes" VALUES(38,7,'best_epoch','3');
INSERT INTO "trial_user_attributes" VALUES(39,7,'fold_values','[0.71, 0.713, 0.716]');
INSERT INTO "trial_user_attributes" VALUES(40,7,'details','{"schedule": "lockstep", "steps_per_epoch": [1, 1, 1], "train_images": [100, 100, 100], "labels_left_out": [0, 0, 0], "best_epoch_is_last": false, "device": "CPU", "versions": {"orch": "0.1.0", "optuna": "5.0.0", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}}');
INSERT INTO "trial_user_attributes" VALUES(41,8,'point','7');
INSERT INTO "trial_user_attributes" VALUES(42,8,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(43,8,'token','"5a625344-0c7a-424b-a588-7d67a7001da9"');
INSERT INTO "trial_user_attributes" VALUES(44,8,'worker','"vm-1821-5a4e73"');
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
INSERT INTO "trial_values" VALUES(2,2,0,0.673,'FINITE');
INSERT INTO "trial_values" VALUES(3,3,0,5.73000000000000064837e-01,'FINITE');
INSERT INTO "trial_values" VALUES(4,4,0,0.733,'FINITE');
INSERT INTO "trial_values" VALUES(5,5,0,0.633,'FINITE');
INSERT INTO "trial_values" VALUES(6,6,0,0.553,'FINITE');
INSERT INTO "trial_values" VALUES(7,7,0,7.13000000000000078159e-01,'FINITE');
INSERT INTO "trial_values" VALUES(8,8,0,0.613,'FINITE');
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
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-26 20:20:03.340096','2026-11-26 20:20:03.503469');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-26 20:20:03.511631','2026-11-26 20:20:03.539184');
INSERT INTO "trials" VALUES(3,2,1,'PRUNED','2026-11-26 20:20:03.547382','2026-11-26 20:20:03.566812');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-11-26 20:20:03.572118','2026-11-26 20:20:03.605903');
INSERT INTO "trials" VALUES(5,4,1,'PRUNED','2026-11-26 20:20:03.609844','2026-11-26 20:20:03.622409');
INSERT INTO "trials" VALUES(6,5,1,'PRUNED','2026-11-26 20:20:03.626215','2026-11-26 20:20:03.654321');
INSERT INTO "trials" VALUES(7,6,1,'COMPLETE','2026-11-26 20:20:03.670654','2026-11-26 20:20:03.704654');
INSERT INTO "trials" VALUES(8,7,1,'PRUNED','2026-11-26 20:20:03.715530','2026-11-26 20:20:03.738553');
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
COMMIT;

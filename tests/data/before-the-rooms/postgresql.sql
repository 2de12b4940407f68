SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE TYPE public.studydirection AS ENUM (
    'NOT_SET',
    'MINIMIZE',
    'MAXIMIZE'
);
CREATE TYPE public.trialintermediatevaluetype AS ENUM (
    'FINITE',
    'INF_POS',
    'INF_NEG',
    'NAN'
);
CREATE TYPE public.trialstate AS ENUM (
    'RUNNING',
    'COMPLETE',
    'PRUNED',
    'FAIL',
    'WAITING'
);
CREATE TYPE public.trialvaluetype AS ENUM (
    'FINITE',
    'INF_POS',
    'INF_NEG'
);
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.orch_alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.orch_epochs (
    study_uuid character varying(36) NOT NULL,
    point integer NOT NULL,
    run_key character varying(32) NOT NULL,
    fold integer NOT NULL,
    epoch integer NOT NULL,
    train_loss double precision,
    train_auc double precision,
    train_precision double precision,
    train_recall double precision,
    train_f1 double precision,
    val_loss double precision,
    val_auc double precision,
    val_precision double precision,
    val_recall double precision,
    val_f1 double precision,
    steps integer NOT NULL,
    samples integer NOT NULL,
    labels_left_out integer NOT NULL,
    learning_rate double precision,
    seconds double precision NOT NULL,
    val_micro_auc double precision,
    val_pr_auc double precision,
    val_sensitivity double precision,
    val_specificity double precision,
    val_balanced_accuracy double precision,
    val_ppv double precision,
    val_npv double precision,
    val_lr_positive double precision,
    val_lr_negative double precision,
    val_accuracy double precision,
    val_brier double precision,
    val_calibration_error double precision
);
CREATE TABLE public.orch_facts (
    key character varying(64) NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.orch_holdout_openings (
    id integer NOT NULL,
    fingerprint character varying(80) NOT NULL,
    opened_at double precision NOT NULL,
    opened_by character varying(200) NOT NULL,
    model_sha256 character varying(80) NOT NULL,
    purpose text NOT NULL,
    study_uuid character varying(36)
);
CREATE SEQUENCE public.orch_holdout_openings_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.orch_holdout_openings_id_seq OWNED BY public.orch_holdout_openings.id;
CREATE TABLE public.orch_points (
    study_uuid character varying(36) NOT NULL,
    point integer NOT NULL,
    params text,
    state character varying(16) NOT NULL,
    attempt integer NOT NULL,
    losses integer NOT NULL,
    failures integer NOT NULL,
    worker character varying(200),
    token character varying(36),
    claimed_at double precision,
    expires_at double precision,
    finished_at double precision,
    epoch integer NOT NULL,
    trial_id integer,
    trial_number integer,
    outcome character varying(16),
    value double precision,
    error text
);
CREATE TABLE public.orch_predictions (
    study_uuid character varying(36) NOT NULL,
    point integer NOT NULL,
    fold integer NOT NULL,
    run_key character varying(32) NOT NULL,
    epoch integer NOT NULL,
    target_count integer NOT NULL,
    indices bytea NOT NULL,
    "values" bytea NOT NULL
);
CREATE TABLE public.orch_sealed_images (
    fingerprint character varying(80) NOT NULL,
    sha256 character varying(80) NOT NULL
);
CREATE TABLE public.orch_studies (
    uuid character varying(36) NOT NULL,
    optuna_study_id integer NOT NULL,
    name character varying(512) NOT NULL,
    spec text NOT NULL,
    spec_hash character varying(80) NOT NULL,
    fingerprint character varying(80) NOT NULL,
    data_folder text NOT NULL,
    facts text NOT NULL,
    state character varying(16) NOT NULL,
    created_at double precision NOT NULL,
    features_digest character varying(80),
    features_sample text,
    canary text,
    publish_after double precision
);
CREATE TABLE public.orch_workers (
    worker character varying(200) NOT NULL,
    host character varying(200) NOT NULL,
    pid integer NOT NULL,
    device character varying(200) NOT NULL,
    state character varying(16) NOT NULL,
    study_uuid character varying(36),
    point integer,
    started_at double precision NOT NULL,
    last_seen double precision NOT NULL,
    versions text NOT NULL
);
CREATE TABLE public.studies (
    study_id integer NOT NULL,
    study_name character varying(512) NOT NULL
);
CREATE SEQUENCE public.studies_study_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.studies_study_id_seq OWNED BY public.studies.study_id;
CREATE TABLE public.study_directions (
    study_direction_id integer NOT NULL,
    direction public.studydirection NOT NULL,
    study_id integer NOT NULL,
    objective integer NOT NULL
);
CREATE SEQUENCE public.study_directions_study_direction_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_directions_study_direction_id_seq OWNED BY public.study_directions.study_direction_id;
CREATE TABLE public.study_system_attributes (
    study_system_attribute_id integer NOT NULL,
    study_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.study_system_attributes_study_system_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_system_attributes_study_system_attribute_id_seq OWNED BY public.study_system_attributes.study_system_attribute_id;
CREATE TABLE public.study_user_attributes (
    study_user_attribute_id integer NOT NULL,
    study_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.study_user_attributes_study_user_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_user_attributes_study_user_attribute_id_seq OWNED BY public.study_user_attributes.study_user_attribute_id;
CREATE TABLE public.trial_heartbeats (
    trial_heartbeat_id integer NOT NULL,
    trial_id integer NOT NULL,
    heartbeat timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.trial_heartbeats_trial_heartbeat_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_heartbeats_trial_heartbeat_id_seq OWNED BY public.trial_heartbeats.trial_heartbeat_id;
CREATE TABLE public.trial_intermediate_values (
    trial_intermediate_value_id integer NOT NULL,
    trial_id integer NOT NULL,
    step integer NOT NULL,
    intermediate_value double precision,
    intermediate_value_type public.trialintermediatevaluetype NOT NULL
);
CREATE SEQUENCE public.trial_intermediate_values_trial_intermediate_value_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_intermediate_values_trial_intermediate_value_id_seq OWNED BY public.trial_intermediate_values.trial_intermediate_value_id;
CREATE TABLE public.trial_params (
    param_id integer NOT NULL,
    trial_id integer,
    param_name character varying(512),
    param_value double precision,
    distribution_json text
);
CREATE SEQUENCE public.trial_params_param_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_params_param_id_seq OWNED BY public.trial_params.param_id;
CREATE TABLE public.trial_system_attributes (
    trial_system_attribute_id integer NOT NULL,
    trial_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.trial_system_attributes_trial_system_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_system_attributes_trial_system_attribute_id_seq OWNED BY public.trial_system_attributes.trial_system_attribute_id;
CREATE TABLE public.trial_user_attributes (
    trial_user_attribute_id integer NOT NULL,
    trial_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.trial_user_attributes_trial_user_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_user_attributes_trial_user_attribute_id_seq OWNED BY public.trial_user_attributes.trial_user_attribute_id;
CREATE TABLE public.trial_values (
    trial_value_id integer NOT NULL,
    trial_id integer NOT NULL,
    objective integer NOT NULL,
    value double precision,
    value_type public.trialvaluetype NOT NULL
);
CREATE SEQUENCE public.trial_values_trial_value_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_values_trial_value_id_seq OWNED BY public.trial_values.trial_value_id;
CREATE TABLE public.trials (
    trial_id integer NOT NULL,
    number integer,
    study_id integer,
    state public.trialstate NOT NULL,
    datetime_start timestamp without time zone,
    datetime_complete timestamp without time zone
);
CREATE SEQUENCE public.trials_trial_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trials_trial_id_seq OWNED BY public.trials.trial_id;
CREATE TABLE public.version_info (
    version_info_id integer NOT NULL,
    schema_version integer,
    library_version character varying(256),
    CONSTRAINT version_info_version_info_id_check CHECK ((version_info_id = 1))
);
ALTER TABLE ONLY public.orch_holdout_openings ALTER COLUMN id SET DEFAULT nextval('public.orch_holdout_openings_id_seq'::regclass);
ALTER TABLE ONLY public.studies ALTER COLUMN study_id SET DEFAULT nextval('public.studies_study_id_seq'::regclass);
ALTER TABLE ONLY public.study_directions ALTER COLUMN study_direction_id SET DEFAULT nextval('public.study_directions_study_direction_id_seq'::regclass);
ALTER TABLE ONLY public.study_system_attributes ALTER COLUMN study_system_attribute_id SET DEFAULT nextval('public.study_system_attributes_study_system_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.study_user_attributes ALTER COLUMN study_user_attribute_id SET DEFAULT nextval('public.study_user_attributes_study_user_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_heartbeats ALTER COLUMN trial_heartbeat_id SET DEFAULT nextval('public.trial_heartbeats_trial_heartbeat_id_seq'::regclass);
ALTER TABLE ONLY public.trial_intermediate_values ALTER COLUMN trial_intermediate_value_id SET DEFAULT nextval('public.trial_intermediate_values_trial_intermediate_value_id_seq'::regclass);
ALTER TABLE ONLY public.trial_params ALTER COLUMN param_id SET DEFAULT nextval('public.trial_params_param_id_seq'::regclass);
ALTER TABLE ONLY public.trial_system_attributes ALTER COLUMN trial_system_attribute_id SET DEFAULT nextval('public.trial_system_attributes_trial_system_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_user_attributes ALTER COLUMN trial_user_attribute_id SET DEFAULT nextval('public.trial_user_attributes_trial_user_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_values ALTER COLUMN trial_value_id SET DEFAULT nextval('public.trial_values_trial_value_id_seq'::regclass);
ALTER TABLE ONLY public.trials ALTER COLUMN trial_id SET DEFAULT nextval('public.trials_trial_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('v3.2.0.a');
INSERT INTO public.orch_alembic_version VALUES ('0001');
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 'a6d43293fa43935c81a1062d27e09a08', 0, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.51, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 'a6d43293fa43935c81a1062d27e09a08', 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.513, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 'a6d43293fa43935c81a1062d27e09a08', 2, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.516, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 'a6d43293fa43935c81a1062d27e09a08', 0, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.52, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 'a6d43293fa43935c81a1062d27e09a08', 1, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.523, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 'a6d43293fa43935c81a1062d27e09a08', 2, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.526, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 'a6d43293fa43935c81a1062d27e09a08', 0, 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.53, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 'a6d43293fa43935c81a1062d27e09a08', 1, 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.533, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 'a6d43293fa43935c81a1062d27e09a08', 2, 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.536, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 'a6d43293fa43935c81a1062d27e09a08', 0, 4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.526, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 'a6d43293fa43935c81a1062d27e09a08', 1, 4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.529, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 'a6d43293fa43935c81a1062d27e09a08', 2, 4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.532, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, '83b64921b54f06eb27010dde813b8be2', 0, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.65, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, '83b64921b54f06eb27010dde813b8be2', 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.653, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, '83b64921b54f06eb27010dde813b8be2', 2, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.656, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, '83b64921b54f06eb27010dde813b8be2', 0, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.66, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, '83b64921b54f06eb27010dde813b8be2', 1, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.663, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, '83b64921b54f06eb27010dde813b8be2', 2, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.666, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, '83b64921b54f06eb27010dde813b8be2', 0, 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.67, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, '83b64921b54f06eb27010dde813b8be2', 1, 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.673, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, '83b64921b54f06eb27010dde813b8be2', 2, 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.676, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, '83b64921b54f06eb27010dde813b8be2', 0, 4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.666, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, '83b64921b54f06eb27010dde813b8be2', 1, 4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.669, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, '83b64921b54f06eb27010dde813b8be2', 2, 4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.672, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 2, '61048235d7aed8e3b880001bd9cc3c35', 0, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5700000000000001, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 2, '61048235d7aed8e3b880001bd9cc3c35', 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5730000000000001, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 2, '61048235d7aed8e3b880001bd9cc3c35', 2, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5760000000000001, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, '30ef94544487682352bf1ad1f40e1c2a', 0, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.71, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, '30ef94544487682352bf1ad1f40e1c2a', 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.713, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, '30ef94544487682352bf1ad1f40e1c2a', 2, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.716, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, '30ef94544487682352bf1ad1f40e1c2a', 0, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.72, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, '30ef94544487682352bf1ad1f40e1c2a', 1, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.723, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, '30ef94544487682352bf1ad1f40e1c2a', 2, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.726, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, '30ef94544487682352bf1ad1f40e1c2a', 0, 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.73, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, '30ef94544487682352bf1ad1f40e1c2a', 1, 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.733, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, '30ef94544487682352bf1ad1f40e1c2a', 2, 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.736, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, '30ef94544487682352bf1ad1f40e1c2a', 0, 4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.726, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, '30ef94544487682352bf1ad1f40e1c2a', 1, 4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.729, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, '30ef94544487682352bf1ad1f40e1c2a', 2, 4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.732, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 4, 'e2ec72aa5501a38c663880a87b339e5f', 0, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.63, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 4, 'e2ec72aa5501a38c663880a87b339e5f', 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.633, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 4, 'e2ec72aa5501a38c663880a87b339e5f', 2, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.636, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 5, 'a1be0e5b08088e2b6458339eb84d3c00', 0, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.55, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 5, 'a1be0e5b08088e2b6458339eb84d3c00', 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.553, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 5, 'a1be0e5b08088e2b6458339eb84d3c00', 2, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.556, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, '826aa62a41c9fab2223be51f0dd3d0cf', 0, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.69, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, '826aa62a41c9fab2223be51f0dd3d0cf', 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.693, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, '826aa62a41c9fab2223be51f0dd3d0cf', 2, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.696, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, '826aa62a41c9fab2223be51f0dd3d0cf', 0, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.7, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, '826aa62a41c9fab2223be51f0dd3d0cf', 1, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.703, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, '826aa62a41c9fab2223be51f0dd3d0cf', 2, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.706, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, '826aa62a41c9fab2223be51f0dd3d0cf', 0, 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.71, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, '826aa62a41c9fab2223be51f0dd3d0cf', 1, 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.713, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, '826aa62a41c9fab2223be51f0dd3d0cf', 2, 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.716, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, '826aa62a41c9fab2223be51f0dd3d0cf', 0, 4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.706, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, '826aa62a41c9fab2223be51f0dd3d0cf', 1, 4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.709, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, '826aa62a41c9fab2223be51f0dd3d0cf', 2, 4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.712, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 7, '1453004c97221345debcb2a6534ac979', 0, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.61, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 7, '1453004c97221345debcb2a6534ac979', 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.613, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_epochs VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 7, '1453004c97221345debcb2a6534ac979', 2, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.616, 0.5, 0.5, 0.5, 1, 100, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
INSERT INTO public.orch_points VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 8, '{"batch_size": 633}', 'open', 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.orch_points VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 9, '{"batch_size": 1974}', 'open', 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.orch_points VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 10, '{"batch_size": 785}', 'open', 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.orch_points VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 11, '{"batch_size": 1649}', 'open', 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.orch_points VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 4, '{"batch_size": 173}', 'done', 1, 0, 0, 'vm-1821-396570', '16983682-0efa-4e51-bdf8-5677179642c9', 1795724406.096035, NULL, 1795724406.153494, 1, 5, 4, 'PRUNED', 0.633, NULL);
INSERT INTO public.orch_points VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 5, '{"batch_size": 366}', 'done', 1, 0, 0, 'vm-1821-396570', '1da5aca1-a92f-4d52-adb8-79861fa9d608', 1795724406.169628, NULL, 1795724406.222407, 1, 6, 5, 'PRUNED', 0.553, NULL);
INSERT INTO public.orch_points VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, '{"batch_size": 1444}', 'done', 1, 0, 0, 'vm-1821-396570', '4d6651f9-ba29-4d3d-aebd-a2239fc21e1d', 1795724405.624844, NULL, 1795724405.761609, 4, 1, 0, 'COMPLETE', 0.533, NULL);
INSERT INTO public.orch_points VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, '{"batch_size": 1974}', 'done', 1, 0, 0, 'vm-1821-396570', '1e9c2184-cb8a-4321-b68d-97cbb0edad53', 1795724405.777829, NULL, 1795724405.883508, 4, 2, 1, 'COMPLETE', 0.673, NULL);
INSERT INTO public.orch_points VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, '{"batch_size": 594}', 'done', 1, 0, 0, 'vm-1821-396570', '4d01071b-1933-4de1-9d99-52bbf1a4ac6e', 1795724406.237949, NULL, 1795724406.328575, 4, 7, 6, 'COMPLETE', 0.7130000000000001, NULL);
INSERT INTO public.orch_points VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 2, '{"batch_size": 1524}', 'done', 1, 0, 0, 'vm-1821-396570', 'eeeb1a6b-9b8a-4842-9349-600ca52aa757', 1795724405.897358, NULL, 1795724405.955282, 1, 3, 2, 'PRUNED', 0.5730000000000001, NULL);
INSERT INTO public.orch_points VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 7, '{"batch_size": 1523}', 'done', 1, 0, 0, 'vm-1821-396570', '1a519cc4-942a-4d1f-8081-7edf3f8c2977', 1795724406.341017, NULL, 1795724406.405174, 1, 8, 7, 'PRUNED', 0.613, NULL);
INSERT INTO public.orch_points VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, '{"batch_size": 1197}', 'done', 1, 0, 0, 'vm-1821-396570', 'd93ad12f-4d52-4ec8-a247-e5f2795e9483', 1795724405.96902, NULL, 1795724406.084806, 4, 4, 3, 'COMPLETE', 0.733, NULL);
INSERT INTO public.orch_predictions VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 0, 'a6d43293fa43935c81a1062d27e09a08', 3, 2, '\x00000000010000000200000003000000040000000500000006000000070000000800000009000000', '\xae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27');
INSERT INTO public.orch_predictions VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 1, 'a6d43293fa43935c81a1062d27e09a08', 3, 2, '\x0a0000000b0000000c0000000d0000000e0000000f00000010000000110000001200000013000000', '\xae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27');
INSERT INTO public.orch_predictions VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 0, 2, 'a6d43293fa43935c81a1062d27e09a08', 3, 2, '\x1400000015000000160000001700000018000000190000001a0000001b0000001c0000001d000000', '\xae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27');
INSERT INTO public.orch_predictions VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, 0, '83b64921b54f06eb27010dde813b8be2', 3, 2, '\x00000000010000000200000003000000040000000500000006000000070000000800000009000000', '\xae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27');
INSERT INTO public.orch_predictions VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, 1, '83b64921b54f06eb27010dde813b8be2', 3, 2, '\x0a0000000b0000000c0000000d0000000e0000000f00000010000000110000001200000013000000', '\xae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27');
INSERT INTO public.orch_predictions VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, 2, '83b64921b54f06eb27010dde813b8be2', 3, 2, '\x1400000015000000160000001700000018000000190000001a0000001b0000001c0000001d000000', '\xae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27');
INSERT INTO public.orch_predictions VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, 0, '30ef94544487682352bf1ad1f40e1c2a', 3, 2, '\x00000000010000000200000003000000040000000500000006000000070000000800000009000000', '\xae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27');
INSERT INTO public.orch_predictions VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, 1, '30ef94544487682352bf1ad1f40e1c2a', 3, 2, '\x0a0000000b0000000c0000000d0000000e0000000f00000010000000110000001200000013000000', '\xae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27');
INSERT INTO public.orch_predictions VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 3, 2, '30ef94544487682352bf1ad1f40e1c2a', 3, 2, '\x1400000015000000160000001700000018000000190000001a0000001b0000001c0000001d000000', '\xae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27');
INSERT INTO public.orch_predictions VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, 0, '826aa62a41c9fab2223be51f0dd3d0cf', 3, 2, '\x00000000010000000200000003000000040000000500000006000000070000000800000009000000', '\xae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27');
INSERT INTO public.orch_predictions VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, 1, '826aa62a41c9fab2223be51f0dd3d0cf', 3, 2, '\x0a0000000b0000000c0000000d0000000e0000000f00000010000000110000001200000013000000', '\xae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27');
INSERT INTO public.orch_predictions VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 6, 2, '826aa62a41c9fab2223be51f0dd3d0cf', 3, 2, '\x1400000015000000160000001700000018000000190000001a0000001b0000001c0000001d000000', '\xae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27ae27');
INSERT INTO public.orch_studies VALUES ('e11b2619-9f5f-43d1-a259-f8472415daef', 1, 'before', '{"augmentation":{"channel_shift":0.0,"rotation":0.0,"shear":0.0,"shift":0.0,"zoom":0.0},"cv":{"folds":3,"schedule":"auto"},"data":{"fingerprint":"sha256:0000000000000000000000000000000000000000000000000000000000000000","targets":[]},"model":{"backbone":"InceptionV3","dropout_rate":0.0,"extraction_batch":32,"extraction_precision":"float32","head":[1024,512,256],"head_normalization":false,"image_size":[299,299],"kind":"transfer","pooling":"max","scale":"auto","trainable":"head","weights":"imagenet","weights_seed":0,"weights_sha256":""},"pruner":{"confidence":2.0,"confidence_growth":0.0,"min_resource":1,"name":"halving","prior_sd":0.01,"reduction_factor":2,"remaining_gain":0.0,"startup_trials":5,"warmup_steps":1},"sampler":{"name":"random","points":[]},"search":{"batch_size":{"high":2048.0,"log":false,"low":16.0,"type":"int","values":null}},"study":{"lease_seconds":5,"metric":"val_auc","name":"before","objective":"max_of_mean","regime":"custom","repeats_of":"","retries":2,"seed":1337,"trials":12},"training":{"augmentation":"flip","batch_size":128,"beta_1":0.9,"beta_2":0.999,"cycle_epochs":10,"cycle_growth":2.0,"cycles":0,"epochs":4,"epsilon":1e-07,"label_smoothing":0.0,"learning_rate":0.001,"momentum":0.9,"optimizer":"adam","oversampled":[],"oversampling":1.0,"patience":0,"positive_weight":"none","precision":"float32","rate_schedule":"constant","threads":2,"weight_decay":0.004}}', 'sha256:49a61f55eedaa969060ce3183d47d51f522d1d51fa6853caf1faf11ee67f4e34', 'sha256:0000000000000000000000000000000000000000000000000000000000000000', '', '{"images": 120, "groups": 100, "warnings": []}', 'open', 1795724405.596861, NULL, NULL, NULL, NULL);
INSERT INTO public.orch_workers VALUES ('vm-1821-396570', 'vm', 1821, 'CPU', 'gone', NULL, NULL, 1795724405.608498, 1795724406.41007, '{"orch": "0.1.0", "optuna": "5.0.0", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}');
INSERT INTO public.studies VALUES (1, 'before');
INSERT INTO public.study_directions VALUES (1, 'MAXIMIZE', 1, 0);
INSERT INTO public.study_system_attributes VALUES (1, 1, 'study:metric_names', '["val_auc"]');
INSERT INTO public.trial_intermediate_values VALUES (1, 1, 1, 0.513, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (2, 1, 2, 0.523, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (3, 1, 3, 0.533, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (4, 1, 4, 0.529, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (5, 2, 1, 0.653, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (6, 2, 2, 0.6629999999999999, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (7, 2, 3, 0.673, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (8, 2, 4, 0.669, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (9, 3, 1, 0.5730000000000001, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (10, 4, 1, 0.7130000000000001, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (11, 4, 2, 0.723, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (12, 4, 3, 0.733, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (13, 4, 4, 0.7290000000000001, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (14, 5, 1, 0.633, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (15, 6, 1, 0.553, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (16, 7, 1, 0.693, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (17, 7, 2, 0.703, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (18, 7, 3, 0.7130000000000001, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (19, 7, 4, 0.709, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (20, 8, 1, 0.613, 'FINITE');
INSERT INTO public.trial_params VALUES (1, 1, 'batch_size', 1444, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO public.trial_params VALUES (2, 2, 'batch_size', 1974, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO public.trial_params VALUES (3, 3, 'batch_size', 1524, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO public.trial_params VALUES (4, 4, 'batch_size', 1197, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO public.trial_params VALUES (5, 5, 'batch_size', 173, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO public.trial_params VALUES (6, 6, 'batch_size', 366, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO public.trial_params VALUES (7, 7, 'batch_size', 594, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO public.trial_params VALUES (8, 8, 'batch_size', 1523, '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 16, "high": 2048}}');
INSERT INTO public.trial_user_attributes VALUES (1, 1, 'point', '0');
INSERT INTO public.trial_user_attributes VALUES (2, 1, 'attempt', '1');
INSERT INTO public.trial_user_attributes VALUES (3, 1, 'token', '"4d6651f9-ba29-4d3d-aebd-a2239fc21e1d"');
INSERT INTO public.trial_user_attributes VALUES (4, 1, 'worker', '"vm-1821-396570"');
INSERT INTO public.trial_user_attributes VALUES (5, 1, 'best_epoch', '3');
INSERT INTO public.trial_user_attributes VALUES (6, 1, 'fold_values', '[0.53, 0.533, 0.536]');
INSERT INTO public.trial_user_attributes VALUES (7, 1, 'details', '{"schedule": "lockstep", "steps_per_epoch": [1, 1, 1], "train_images": [100, 100, 100], "labels_left_out": [0, 0, 0], "best_epoch_is_last": false, "device": "CPU", "versions": {"orch": "0.1.0", "optuna": "5.0.0", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}}');
INSERT INTO public.trial_user_attributes VALUES (8, 2, 'point', '1');
INSERT INTO public.trial_user_attributes VALUES (9, 2, 'attempt', '1');
INSERT INTO public.trial_user_attributes VALUES (10, 2, 'token', '"1e9c2184-cb8a-4321-b68d-97cbb0edad53"');
INSERT INTO public.trial_user_attributes VALUES (11, 2, 'worker', '"vm-1821-396570"');
INSERT INTO public.trial_user_attributes VALUES (12, 2, 'best_epoch', '3');
INSERT INTO public.trial_user_attributes VALUES (13, 2, 'fold_values', '[0.67, 0.673, 0.676]');
INSERT INTO public.trial_user_attributes VALUES (14, 2, 'details', '{"schedule": "lockstep", "steps_per_epoch": [1, 1, 1], "train_images": [100, 100, 100], "labels_left_out": [0, 0, 0], "best_epoch_is_last": false, "device": "CPU", "versions": {"orch": "0.1.0", "optuna": "5.0.0", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}}');
INSERT INTO public.trial_user_attributes VALUES (15, 3, 'point', '2');
INSERT INTO public.trial_user_attributes VALUES (16, 3, 'attempt', '1');
INSERT INTO public.trial_user_attributes VALUES (17, 3, 'token', '"eeeb1a6b-9b8a-4842-9349-600ca52aa757"');
INSERT INTO public.trial_user_attributes VALUES (18, 3, 'worker', '"vm-1821-396570"');
INSERT INTO public.trial_user_attributes VALUES (19, 4, 'point', '3');
INSERT INTO public.trial_user_attributes VALUES (20, 4, 'attempt', '1');
INSERT INTO public.trial_user_attributes VALUES (21, 4, 'token', '"d93ad12f-4d52-4ec8-a247-e5f2795e9483"');
INSERT INTO public.trial_user_attributes VALUES (22, 4, 'worker', '"vm-1821-396570"');
INSERT INTO public.trial_user_attributes VALUES (23, 4, 'best_epoch', '3');
INSERT INTO public.trial_user_attributes VALUES (24, 4, 'fold_values', '[0.73, 0.733, 0.736]');
INSERT INTO public.trial_user_attributes VALUES (25, 4, 'details', '{"schedule": "lockstep", "steps_per_epoch": [1, 1, 1], "train_images": [100, 100, 100], "labels_left_out": [0, 0, 0], "best_epoch_is_last": false, "device": "CPU", "versions": {"orch": "0.1.0", "optuna": "5.0.0", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}}');
INSERT INTO public.trial_user_attributes VALUES (26, 5, 'point', '4');
INSERT INTO public.trial_user_attributes VALUES (27, 5, 'attempt', '1');
INSERT INTO public.trial_user_attributes VALUES (28, 5, 'token', '"16983682-0efa-4e51-bdf8-5677179642c9"');
INSERT INTO public.trial_user_attributes VALUES (29, 5, 'worker', '"vm-1821-396570"');
INSERT INTO public.trial_user_attributes VALUES (30, 6, 'point', '5');
INSERT INTO public.trial_user_attributes VALUES (31, 6, 'attempt', '1');
INSERT INTO public.trial_user_attributes VALUES (32, 6, 'token', '"1da5aca1-a92f-4d52-adb8-79861fa9d608"');
INSERT INTO public.trial_user_attributes VALUES (33, 6, 'worker', '"vm-1821-396570"');
INSERT INTO public.trial_user_attributes VALUES (34, 7, 'point', '6');
INSERT INTO public.trial_user_attributes VALUES (35, 7, 'attempt', '1');
INSERT INTO public.trial_user_attributes VALUES (36, 7, 'token', '"4d01071b-1933-4de1-9d99-52bbf1a4ac6e"');
INSERT INTO public.trial_user_attributes VALUES (37, 7, 'worker', '"vm-1821-396570"');
INSERT INTO public.trial_user_attributes VALUES (38, 7, 'best_epoch', '3');
INSERT INTO public.trial_user_attributes VALUES (39, 7, 'fold_values', '[0.71, 0.713, 0.716]');
INSERT INTO public.trial_user_attributes VALUES (40, 7, 'details', '{"schedule": "lockstep", "steps_per_epoch": [1, 1, 1], "train_images": [100, 100, 100], "labels_left_out": [0, 0, 0], "best_epoch_is_last": false, "device": "CPU", "versions": {"orch": "0.1.0", "optuna": "5.0.0", "keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}}');
INSERT INTO public.trial_user_attributes VALUES (41, 8, 'point', '7');
INSERT INTO public.trial_user_attributes VALUES (42, 8, 'attempt', '1');
INSERT INTO public.trial_user_attributes VALUES (43, 8, 'token', '"1a519cc4-942a-4d1f-8081-7edf3f8c2977"');
INSERT INTO public.trial_user_attributes VALUES (44, 8, 'worker', '"vm-1821-396570"');
INSERT INTO public.trial_values VALUES (1, 1, 0, 0.533, 'FINITE');
INSERT INTO public.trial_values VALUES (2, 2, 0, 0.673, 'FINITE');
INSERT INTO public.trial_values VALUES (3, 3, 0, 0.5730000000000001, 'FINITE');
INSERT INTO public.trial_values VALUES (4, 4, 0, 0.733, 'FINITE');
INSERT INTO public.trial_values VALUES (5, 5, 0, 0.633, 'FINITE');
INSERT INTO public.trial_values VALUES (6, 6, 0, 0.553, 'FINITE');
INSERT INTO public.trial_values VALUES (7, 7, 0, 0.7130000000000001, 'FINITE');
INSERT INTO public.trial_values VALUES (8, 8, 0, 0.613, 'FINITE');
INSERT INTO public.trials VALUES (1, 0, 1, 'COMPLETE', '2026-11-26 20:20:05.632166', '2026-11-26 20:20:05.768476');
INSERT INTO public.trials VALUES (2, 1, 1, 'COMPLETE', '2026-11-26 20:20:05.785549', '2026-11-26 20:20:05.889978');
INSERT INTO public.trials VALUES (3, 2, 1, 'PRUNED', '2026-11-26 20:20:05.903507', '2026-11-26 20:20:05.960629');
INSERT INTO public.trials VALUES (4, 3, 1, 'COMPLETE', '2026-11-26 20:20:05.978272', '2026-11-26 20:20:06.086229');
INSERT INTO public.trials VALUES (5, 4, 1, 'PRUNED', '2026-11-26 20:20:06.101251', '2026-11-26 20:20:06.155122');
INSERT INTO public.trials VALUES (6, 5, 1, 'PRUNED', '2026-11-26 20:20:06.172585', '2026-11-26 20:20:06.228203');
INSERT INTO public.trials VALUES (7, 6, 1, 'COMPLETE', '2026-11-26 20:20:06.246015', '2026-11-26 20:20:06.329748');
INSERT INTO public.trials VALUES (8, 7, 1, 'PRUNED', '2026-11-26 20:20:06.35203', '2026-11-26 20:20:06.406343');
INSERT INTO public.version_info VALUES (1, 12, '5.0.0');
SELECT pg_catalog.setval('public.orch_holdout_openings_id_seq', 1, false);
SELECT pg_catalog.setval('public.studies_study_id_seq', 1, true);
SELECT pg_catalog.setval('public.study_directions_study_direction_id_seq', 1, true);
SELECT pg_catalog.setval('public.study_system_attributes_study_system_attribute_id_seq', 1, true);
SELECT pg_catalog.setval('public.study_user_attributes_study_user_attribute_id_seq', 1, false);
SELECT pg_catalog.setval('public.trial_heartbeats_trial_heartbeat_id_seq', 1, false);
SELECT pg_catalog.setval('public.trial_intermediate_values_trial_intermediate_value_id_seq', 20, true);
SELECT pg_catalog.setval('public.trial_params_param_id_seq', 8, true);
SELECT pg_catalog.setval('public.trial_system_attributes_trial_system_attribute_id_seq', 1, false);
SELECT pg_catalog.setval('public.trial_user_attributes_trial_user_attribute_id_seq', 44, true);
SELECT pg_catalog.setval('public.trial_values_trial_value_id_seq', 8, true);
SELECT pg_catalog.setval('public.trials_trial_id_seq', 8, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.orch_alembic_version
    ADD CONSTRAINT orch_alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.orch_epochs
    ADD CONSTRAINT orch_epochs_pkey PRIMARY KEY (study_uuid, point, run_key, fold, epoch);
ALTER TABLE ONLY public.orch_facts
    ADD CONSTRAINT orch_facts_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.orch_holdout_openings
    ADD CONSTRAINT orch_holdout_openings_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.orch_points
    ADD CONSTRAINT orch_points_pkey PRIMARY KEY (study_uuid, point);
ALTER TABLE ONLY public.orch_predictions
    ADD CONSTRAINT orch_predictions_pkey PRIMARY KEY (study_uuid, point, fold);
ALTER TABLE ONLY public.orch_sealed_images
    ADD CONSTRAINT orch_sealed_images_pkey PRIMARY KEY (fingerprint, sha256);
ALTER TABLE ONLY public.orch_studies
    ADD CONSTRAINT orch_studies_name_key UNIQUE (name);
ALTER TABLE ONLY public.orch_studies
    ADD CONSTRAINT orch_studies_pkey PRIMARY KEY (uuid);
ALTER TABLE ONLY public.orch_workers
    ADD CONSTRAINT orch_workers_pkey PRIMARY KEY (worker);
ALTER TABLE ONLY public.studies
    ADD CONSTRAINT studies_pkey PRIMARY KEY (study_id);
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_pkey PRIMARY KEY (study_direction_id);
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_study_id_objective_key UNIQUE (study_id, objective);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_pkey PRIMARY KEY (study_system_attribute_id);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_study_id_key_key UNIQUE (study_id, key);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_pkey PRIMARY KEY (study_user_attribute_id);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_study_id_key_key UNIQUE (study_id, key);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_pkey PRIMARY KEY (trial_heartbeat_id);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_trial_id_key UNIQUE (trial_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_pkey PRIMARY KEY (trial_intermediate_value_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_trial_id_step_key UNIQUE (trial_id, step);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_pkey PRIMARY KEY (param_id);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_trial_id_param_name_key UNIQUE (trial_id, param_name);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_pkey PRIMARY KEY (trial_system_attribute_id);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_trial_id_key_key UNIQUE (trial_id, key);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_pkey PRIMARY KEY (trial_user_attribute_id);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_trial_id_key_key UNIQUE (trial_id, key);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_pkey PRIMARY KEY (trial_value_id);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_trial_id_objective_key UNIQUE (trial_id, objective);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_pkey PRIMARY KEY (trial_id);
ALTER TABLE ONLY public.version_info
    ADD CONSTRAINT version_info_pkey PRIMARY KEY (version_info_id);
CREATE INDEX ix_orch_holdout_openings_fingerprint ON public.orch_holdout_openings USING btree (fingerprint);
CREATE INDEX ix_orch_points_token ON public.orch_points USING btree (token);
CREATE INDEX ix_orch_sealed_images_sha256 ON public.orch_sealed_images USING btree (sha256);
CREATE INDEX ix_orch_studies_fingerprint ON public.orch_studies USING btree (fingerprint);
CREATE UNIQUE INDEX ix_studies_study_name ON public.studies USING btree (study_name);
CREATE INDEX ix_trials_study_id ON public.trials USING btree (study_id);
CREATE INDEX orch_epochs_by_epoch ON public.orch_epochs USING btree (study_uuid, epoch);
CREATE INDEX orch_points_by_state ON public.orch_points USING btree (study_uuid, state, point);
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);

-- The tables of an export as they are now, for BigQuery. It was made to gs://BUCKET/FOLDER: say where.
-- All is made in a dataset `refrain`. A file counts where the manifest names it; of one key the latest run's
-- version does, unless it is gone. Written by docs/sql_views.py.

CREATE OR REPLACE EXTERNAL TABLE refrain.export_manifest
(run INT64, exported_at FLOAT64, files ARRAY<STRUCT<file STRING>>)
OPTIONS (format = 'JSON', ignore_unknown_values = TRUE, uris = ['gs://BUCKET/FOLDER/manifest.json']);

CREATE OR REPLACE VIEW refrain.export_run AS
SELECT run, TIMESTAMP_MICROS(CAST(1e6 * exported_at AS INT64)) AS exported_at
FROM refrain.export_manifest;

CREATE OR REPLACE VIEW refrain.export_files AS
SELECT named.file
FROM refrain.export_manifest, UNNEST(files) AS named;

CREATE OR REPLACE EXTERNAL TABLE refrain.listeners_parquet
OPTIONS (format = 'PARQUET', uris = ['gs://BUCKET/FOLDER/listeners/*.parquet']);

CREATE OR REPLACE VIEW refrain.listener_versions AS
SELECT user_id, cohort_id, cohort_since, clicks, first_seen, last_seen, bot, opted_out, gone, run, exported_at
FROM refrain.listeners_parquet
WHERE REGEXP_EXTRACT(_FILE_NAME, r'[^/]+/[^/]+$') IN (SELECT file FROM refrain.export_files);

CREATE OR REPLACE VIEW refrain.listeners AS
SELECT * FROM refrain.listener_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE EXTERNAL TABLE refrain.traits_parquet
OPTIONS (format = 'PARQUET', uris = ['gs://BUCKET/FOLDER/traits/*.parquet']);

CREATE OR REPLACE VIEW refrain.trait_versions AS
SELECT user_id, stage, stage_since, zero_week, expected_week, churn, segments, gone, run, exported_at
FROM refrain.traits_parquet
WHERE REGEXP_EXTRACT(_FILE_NAME, r'[^/]+/[^/]+$') IN (SELECT file FROM refrain.export_files);

CREATE OR REPLACE VIEW refrain.traits AS
SELECT * FROM refrain.trait_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE EXTERNAL TABLE refrain.stages_parquet
OPTIONS (format = 'PARQUET', uris = ['gs://BUCKET/FOLDER/stages/*.parquet']);

CREATE OR REPLACE VIEW refrain.stage_versions AS
SELECT user_id, week, stage, gone, run, exported_at
FROM refrain.stages_parquet
WHERE REGEXP_EXTRACT(_FILE_NAME, r'[^/]+/[^/]+$') IN (SELECT file FROM refrain.export_files);

CREATE OR REPLACE VIEW refrain.stages AS
SELECT * FROM refrain.stage_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY user_id, week ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE EXTERNAL TABLE refrain.activity_parquet
OPTIONS (format = 'PARQUET', uris = ['gs://BUCKET/FOLDER/activity/*.parquet']);

CREATE OR REPLACE VIEW refrain.activity_versions AS
SELECT user_id, week, days, plays, actions, gone, run, exported_at
FROM refrain.activity_parquet
WHERE REGEXP_EXTRACT(_FILE_NAME, r'[^/]+/[^/]+$') IN (SELECT file FROM refrain.export_files);

CREATE OR REPLACE VIEW refrain.activity AS
SELECT * FROM refrain.activity_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY user_id, week ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE EXTERNAL TABLE refrain.cohorts_parquet
OPTIONS (format = 'PARQUET', uris = ['gs://BUCKET/FOLDER/cohorts/*.parquet']);

CREATE OR REPLACE VIEW refrain.cohort_versions AS
SELECT cohort_id, label, size, born, parent, sent, clicked, opted_out, gone, run, exported_at
FROM refrain.cohorts_parquet
WHERE REGEXP_EXTRACT(_FILE_NAME, r'[^/]+/[^/]+$') IN (SELECT file FROM refrain.export_files);

CREATE OR REPLACE VIEW refrain.cohorts AS
SELECT * FROM refrain.cohort_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY cohort_id ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE EXTERNAL TABLE refrain.cohort_history_parquet
OPTIONS (format = 'PARQUET', uris = ['gs://BUCKET/FOLDER/cohort_history/*.parquet']);

CREATE OR REPLACE VIEW refrain.cohort_history_versions AS
SELECT cohort_id, noted_at, model_version, event, others, size, label, gone, run, exported_at
FROM refrain.cohort_history_parquet
WHERE REGEXP_EXTRACT(_FILE_NAME, r'[^/]+/[^/]+$') IN (SELECT file FROM refrain.export_files);

CREATE OR REPLACE VIEW refrain.cohort_history AS
SELECT * FROM refrain.cohort_history_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY cohort_id, model_version, event ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE EXTERNAL TABLE refrain.memberships_parquet
OPTIONS (format = 'PARQUET', uris = ['gs://BUCKET/FOLDER/memberships/*.parquet']);

CREATE OR REPLACE VIEW refrain.membership_versions AS
SELECT user_id, moved_at, from_cohort, to_cohort, reason, model_version, gone, run, exported_at
FROM refrain.memberships_parquet
WHERE REGEXP_EXTRACT(_FILE_NAME, r'[^/]+/[^/]+$') IN (SELECT file FROM refrain.export_files);

CREATE OR REPLACE VIEW refrain.memberships AS
SELECT * FROM refrain.membership_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY user_id, moved_at, to_cohort ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE EXTERNAL TABLE refrain.releases_parquet
OPTIONS (format = 'PARQUET', uris = ['gs://BUCKET/FOLDER/releases/*.parquet']);

CREATE OR REPLACE VIEW refrain.release_versions AS
SELECT release_id, title, artist_ids, song_id, state, reason, planned_at, audience, expected_ctr, random_ctr, sent, not_sent, opened, clicked, dismissed, opted_out, played, gone, run, exported_at
FROM refrain.releases_parquet
WHERE REGEXP_EXTRACT(_FILE_NAME, r'[^/]+/[^/]+$') IN (SELECT file FROM refrain.export_files);

CREATE OR REPLACE VIEW refrain.releases AS
SELECT * FROM refrain.release_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY release_id ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE EXTERNAL TABLE refrain.impressions_parquet
OPTIONS (format = 'PARQUET', uris = ['gs://BUCKET/FOLDER/impressions/*.parquet']);

CREATE OR REPLACE VIEW refrain.impression_versions AS
SELECT release_id, user_id, cohort_id, part, control, gone, run, exported_at
FROM refrain.impressions_parquet
WHERE REGEXP_EXTRACT(_FILE_NAME, r'[^/]+/[^/]+$') IN (SELECT file FROM refrain.export_files);

CREATE OR REPLACE VIEW refrain.impressions AS
SELECT * FROM refrain.impression_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY release_id, user_id ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE EXTERNAL TABLE refrain.feedback_parquet
OPTIONS (format = 'PARQUET', uris = ['gs://BUCKET/FOLDER/feedback/*.parquet']);

CREATE OR REPLACE VIEW refrain.feedback_versions AS
SELECT release_id, user_id, kind, implied, gone, run, exported_at
FROM refrain.feedback_parquet
WHERE REGEXP_EXTRACT(_FILE_NAME, r'[^/]+/[^/]+$') IN (SELECT file FROM refrain.export_files);

CREATE OR REPLACE VIEW refrain.feedback AS
SELECT * FROM refrain.feedback_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY release_id, user_id, kind ORDER BY run DESC) = 1 AND NOT gone;

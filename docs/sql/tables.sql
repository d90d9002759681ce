-- The tables of an export as they are now, for DuckDB. First say where it is:
--     SET VARIABLE export = 'warehouse';
-- A file counts where the manifest names it; of one key the latest run's version does, unless it is gone.
-- Written by docs/sql_views.py.

CREATE OR REPLACE VIEW export_run AS
SELECT run, to_timestamp(exported_at) AS exported_at
FROM read_json(getvariable('export') || '/manifest.json');

CREATE OR REPLACE VIEW export_files AS
SELECT unnest(files).file AS file
FROM read_json(getvariable('export') || '/manifest.json');

CREATE OR REPLACE VIEW listener_versions AS
SELECT user_id, cohort_id, cohort_since, clicks, first_seen, last_seen, bot, opted_out, gone, run, exported_at
FROM read_parquet(getvariable('export') || '/listeners/*.parquet', filename = true, union_by_name = true)
WHERE 'listeners/' || parse_filename(filename) IN (SELECT file FROM export_files);

CREATE OR REPLACE VIEW listeners AS
SELECT * FROM listener_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE VIEW trait_versions AS
SELECT user_id, stage, stage_since, zero_week, expected_week, churn, segments, gone, run, exported_at
FROM read_parquet(getvariable('export') || '/traits/*.parquet', filename = true, union_by_name = true)
WHERE 'traits/' || parse_filename(filename) IN (SELECT file FROM export_files);

CREATE OR REPLACE VIEW traits AS
SELECT * FROM trait_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE VIEW stage_versions AS
SELECT user_id, week, stage, gone, run, exported_at
FROM read_parquet(getvariable('export') || '/stages/*.parquet', filename = true, union_by_name = true)
WHERE 'stages/' || parse_filename(filename) IN (SELECT file FROM export_files);

CREATE OR REPLACE VIEW stages AS
SELECT * FROM stage_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY user_id, week ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE VIEW activity_versions AS
SELECT user_id, week, days, plays, actions, gone, run, exported_at
FROM read_parquet(getvariable('export') || '/activity/*.parquet', filename = true, union_by_name = true)
WHERE 'activity/' || parse_filename(filename) IN (SELECT file FROM export_files);

CREATE OR REPLACE VIEW activity AS
SELECT * FROM activity_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY user_id, week ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE VIEW cohort_versions AS
SELECT cohort_id, label, size, born, parent, sent, clicked, opted_out, gone, run, exported_at
FROM read_parquet(getvariable('export') || '/cohorts/*.parquet', filename = true, union_by_name = true)
WHERE 'cohorts/' || parse_filename(filename) IN (SELECT file FROM export_files);

CREATE OR REPLACE VIEW cohorts AS
SELECT * FROM cohort_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY cohort_id ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE VIEW cohort_history_versions AS
SELECT cohort_id, noted_at, model_version, event, others, size, label, gone, run, exported_at
FROM read_parquet(getvariable('export') || '/cohort_history/*.parquet', filename = true, union_by_name = true)
WHERE 'cohort_history/' || parse_filename(filename) IN (SELECT file FROM export_files);

CREATE OR REPLACE VIEW cohort_history AS
SELECT * FROM cohort_history_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY cohort_id, model_version, event ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE VIEW membership_versions AS
SELECT user_id, moved_at, from_cohort, to_cohort, reason, model_version, gone, run, exported_at
FROM read_parquet(getvariable('export') || '/memberships/*.parquet', filename = true, union_by_name = true)
WHERE 'memberships/' || parse_filename(filename) IN (SELECT file FROM export_files);

CREATE OR REPLACE VIEW memberships AS
SELECT * FROM membership_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY user_id, moved_at, to_cohort ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE VIEW release_versions AS
SELECT release_id, title, artist_ids, song_id, state, reason, planned_at, audience, expected_ctr, random_ctr, sent, not_sent, opened, clicked, dismissed, opted_out, played, gone, run, exported_at
FROM read_parquet(getvariable('export') || '/releases/*.parquet', filename = true, union_by_name = true)
WHERE 'releases/' || parse_filename(filename) IN (SELECT file FROM export_files);

CREATE OR REPLACE VIEW releases AS
SELECT * FROM release_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY release_id ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE VIEW impression_versions AS
SELECT release_id, user_id, cohort_id, part, control, gone, run, exported_at
FROM read_parquet(getvariable('export') || '/impressions/*.parquet', filename = true, union_by_name = true)
WHERE 'impressions/' || parse_filename(filename) IN (SELECT file FROM export_files);

CREATE OR REPLACE VIEW impressions AS
SELECT * FROM impression_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY release_id, user_id ORDER BY run DESC) = 1 AND NOT gone;

CREATE OR REPLACE VIEW feedback_versions AS
SELECT release_id, user_id, kind, implied, gone, run, exported_at
FROM read_parquet(getvariable('export') || '/feedback/*.parquet', filename = true, union_by_name = true)
WHERE 'feedback/' || parse_filename(filename) IN (SELECT file FROM export_files);

CREATE OR REPLACE VIEW feedback AS
SELECT * FROM feedback_versions
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY release_id, user_id, kind ORDER BY run DESC) = 1 AND NOT gone;

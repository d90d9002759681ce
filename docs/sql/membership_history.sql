-- In which cohort each listener was from when to when; until is empty where they still are.
CREATE OR REPLACE VIEW membership_history AS
SELECT
  user_id, to_cohort AS cohort_id, reason, model_version, moved_at AS since,
  lead(moved_at) OVER (PARTITION BY user_id ORDER BY moved_at, run, model_version) AS until
FROM memberships;

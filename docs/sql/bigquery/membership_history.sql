-- In which cohort each listener was from when to when; until is empty where they still are.
CREATE OR REPLACE VIEW refrain.membership_history AS
SELECT
  user_id,
  to_cohort AS cohort_id,
  reason,
  model_version,
  moved_at AS since,
  LEAD(moved_at) OVER (
    PARTITION BY user_id
    ORDER BY moved_at NULLS LAST, run NULLS LAST, model_version NULLS LAST
  ) AS until
FROM refrain.memberships AS memberships;

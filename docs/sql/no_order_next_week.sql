-- Who will do nothing in the next seven days: how likely that is of each listener, the likeliest first.
CREATE OR REPLACE VIEW no_order_next_week AS
SELECT
  traits.user_id, listeners.cohort_id, traits.stage, listeners.last_seen, listeners.opted_out,
  traits.zero_week, traits.expected_week, traits.zero_week >= 0.5 AS likely
FROM traits
JOIN listeners ON listeners.user_id = traits.user_id
WHERE traits.zero_week IS NOT NULL AND NOT listeners.bot
ORDER BY traits.zero_week DESC, traits.user_id;

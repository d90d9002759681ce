-- From which stage to which listeners went between the beginnings of two weeks (Mondays, UTC).
CREATE OR REPLACE VIEW refrain.stage_transitions AS
WITH pairs AS (
  SELECT
    week AS from_week,
    stage AS from_stage,
    LEAD(stage) OVER (PARTITION BY user_id ORDER BY week NULLS LAST) AS to_stage,
    LEAD(week) OVER (PARTITION BY user_id ORDER BY week NULLS LAST) AS to_week
  FROM refrain.stages AS stages
)
SELECT
  from_week,
  from_stage,
  to_stage,
  COUNT(*) AS listeners,
  COUNT(*) / SUM(COUNT(*)) OVER (PARTITION BY from_week, from_stage) AS share
FROM pairs
WHERE
  DATE_DIFF(to_week, from_week, DAY) = 7
GROUP BY
  from_week,
  from_stage,
  to_stage;

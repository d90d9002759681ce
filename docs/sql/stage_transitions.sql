-- From which stage to which listeners went between the beginnings of two weeks (Mondays, UTC).
CREATE OR REPLACE VIEW stage_transitions AS
WITH pairs AS (
  SELECT
    week AS from_week, stage AS from_stage,
    lead(stage) OVER (PARTITION BY user_id ORDER BY week) AS to_stage,
    lead(week) OVER (PARTITION BY user_id ORDER BY week) AS to_week
  FROM stages
)
SELECT
  from_week, from_stage, to_stage, count(*) AS listeners,
  count(*) / sum(count(*)) OVER (PARTITION BY from_week, from_stage) AS share
FROM pairs
WHERE date_diff('day', from_week, to_week) = 7
GROUP BY from_week, from_stage, to_stage;

-- Of the listeners who came in a week (Monday, UTC), how many were active so many weeks later. Whole weeks alone.
CREATE OR REPLACE VIEW refrain.retention AS
WITH came AS (
  SELECT
    user_id,
    CAST(TIMESTAMP_TRUNC(MIN(first_seen), ISOWEEK) AS DATE) AS came_week
  FROM refrain.listener_versions AS listener_versions
  WHERE
    NOT gone AND NOT bot AND NOT first_seen IS NULL
  GROUP BY
    1
), sizes AS (
  SELECT
    came_week,
    COUNT(*) AS came
  FROM came
  GROUP BY
    1
), weeks AS (
  SELECT DISTINCT
    activity.week
  FROM refrain.activity AS activity
  CROSS JOIN refrain.export_run AS export_run
  WHERE
    DATE_DIFF(CAST(export_run.exported_at AS DATE), activity.week, DAY) >= 7
), active AS (
  SELECT
    came.came_week,
    activity.week,
    COUNT(*) AS active
  FROM refrain.activity AS activity
  JOIN came
    ON came.user_id = activity.user_id
  GROUP BY
    1,
    2
)
SELECT
  sizes.came_week,
  CAST(DATE_DIFF(weeks.week, sizes.came_week, DAY) / 7 AS INT64) AS weeks_later,
  sizes.came,
  COALESCE(active.active, 0) AS active,
  COALESCE(active.active, 0) / sizes.came AS share
FROM sizes
JOIN weeks
  ON weeks.week >= sizes.came_week
LEFT JOIN active
  ON active.came_week = sizes.came_week AND active.week = weeks.week;

-- Of the listeners who came in a week (Monday, UTC), how many were active so many weeks later. Whole weeks alone.
CREATE OR REPLACE VIEW retention AS
WITH came AS (
  SELECT user_id, CAST(date_trunc('week', min(first_seen)) AS DATE) AS came_week
  FROM listener_versions
  WHERE NOT gone AND NOT bot AND first_seen IS NOT NULL
  GROUP BY 1
), sizes AS (
  SELECT came_week, count(*) AS came FROM came GROUP BY 1
), weeks AS (
  SELECT DISTINCT activity.week
  FROM activity
  CROSS JOIN export_run
  WHERE date_diff('day', activity.week, CAST(export_run.exported_at AS DATE)) >= 7
), active AS (
  SELECT came.came_week, activity.week, count(*) AS active
  FROM activity
  JOIN came ON came.user_id = activity.user_id
  GROUP BY 1, 2
)
SELECT
  sizes.came_week,
  CAST(date_diff('day', sizes.came_week, weeks.week) / 7 AS BIGINT) AS weeks_later,
  sizes.came,
  coalesce(active.active, 0) AS active,
  coalesce(active.active, 0) / sizes.came AS share
FROM sizes
JOIN weeks ON weeks.week >= sizes.came_week
LEFT JOIN active ON active.came_week = sizes.came_week AND active.week = weeks.week;

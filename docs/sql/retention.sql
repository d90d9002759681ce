-- Of the listeners who came in a week (from Monday), how many were active so many weeks later. Whole weeks alone.
-- Weeks of activity are by each listener's own clock, first_seen is UTC. By a clock behind UTC, who came on Monday may
-- have come on Sunday; by one ahead, who came on Sunday on Monday. The latter is believed where the week of that Sunday
-- would have been exported: 60 days up to the latest are on record.
-- Ids that are part of another listener are left out: they are known by weeks that ended when they themselves did.
CREATE OR REPLACE VIEW retention AS
WITH latest AS (
  SELECT user_id, max(run) AS run FROM listener_versions GROUP BY 1
), merged AS (
  SELECT user_id, run FROM stage_versions WHERE gone
  UNION
  SELECT user_id, run FROM activity_versions WHERE gone
), part_of_another AS (
  SELECT latest.user_id FROM latest JOIN merged ON merged.user_id = latest.user_id AND merged.run = latest.run
), seen AS (
  SELECT
    user_id,
    CAST(date_trunc('week', min(first_seen)) AS DATE) AS week,
    CAST(min(first_seen) AS DATE) AS day,
    CAST(min(exported_at) AS DATE) AS exported
  FROM listener_versions
  WHERE NOT gone AND NOT bot AND first_seen IS NOT NULL
    AND user_id NOT IN (SELECT user_id FROM part_of_another)
  GROUP BY 1
), begins AS (
  SELECT user_id, min(week) AS week FROM activity GROUP BY 1
), came AS (
  SELECT
    seen.user_id,
    CASE
      WHEN date_diff('day', begins.week, seen.day) = 7 THEN begins.week
      WHEN date_diff('day', begins.week, seen.day) = -1 AND date_diff('day', seen.day, seen.exported) < 53
        THEN begins.week
      ELSE seen.week
    END AS came_week
  FROM seen
  LEFT JOIN begins ON begins.user_id = seen.user_id
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

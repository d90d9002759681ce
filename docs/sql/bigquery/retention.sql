-- Of the listeners who came in a week (from Monday), how many were active so many weeks later. Whole weeks alone.
-- Weeks of activity are by each listener's own clock, first_seen is UTC. By a clock behind UTC, who came on Monday may
-- have come on Sunday; by one ahead, who came on Sunday on Monday. The latter is believed where the week of that Sunday
-- would have been exported: 60 days up to the latest are on record.
-- Ids that are part of another listener are left out: they are known by weeks that ended when they themselves did.
CREATE OR REPLACE VIEW refrain.retention AS
WITH latest AS (
  SELECT
    user_id,
    MAX(run) AS run
  FROM refrain.listener_versions AS listener_versions
  GROUP BY
    1
), merged AS (
  SELECT
    user_id,
    run
  FROM refrain.stage_versions AS stage_versions
  WHERE
    gone
  UNION DISTINCT
  SELECT
    user_id,
    run
  FROM refrain.activity_versions AS activity_versions
  WHERE
    gone
), part_of_another AS (
  SELECT
    latest.user_id
  FROM latest
  JOIN merged
    ON merged.user_id = latest.user_id AND merged.run = latest.run
), seen AS (
  SELECT
    user_id,
    CAST(TIMESTAMP_TRUNC(MIN(first_seen), ISOWEEK) AS DATE) AS week,
    CAST(MIN(first_seen) AS DATE) AS day,
    CAST(MIN(exported_at) AS DATE) AS exported
  FROM refrain.listener_versions AS listener_versions
  WHERE
    NOT gone
    AND NOT bot
    AND NOT first_seen IS NULL
    AND NOT user_id IN (
      SELECT
        user_id
      FROM part_of_another
    )
  GROUP BY
    1
), begins AS (
  SELECT
    user_id,
    MIN(week) AS week
  FROM refrain.activity AS activity
  GROUP BY
    1
), came AS (
  SELECT
    seen.user_id,
    CASE
      WHEN DATE_DIFF(seen.day, begins.week, DAY) = 7
      THEN begins.week
      WHEN DATE_DIFF(seen.day, begins.week, DAY) = -1
      AND DATE_DIFF(seen.exported, seen.day, DAY) < 53
      THEN begins.week
      ELSE seen.week
    END AS came_week
  FROM seen
  LEFT JOIN begins
    ON begins.user_id = seen.user_id
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

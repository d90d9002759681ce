-- Of what was sent to each cohort in a week (Monday, UTC, by when the release was planned), how much was clicked;
-- with Wilson's 95 % interval. Control groups are left out.
CREATE OR REPLACE VIEW ctr_by_cohort_and_week AS
WITH counted AS (
  SELECT
    CAST(date_trunc('week', releases.planned_at) AS DATE) AS week,
    impressions.cohort_id,
    count(DISTINCT releases.release_id) AS releases,
    count(*) AS told,
    count(sent.user_id) AS sent,
    count(clicked.user_id) AS clicked
  FROM impressions
  JOIN releases ON releases.release_id = impressions.release_id
  LEFT JOIN feedback AS sent
    ON sent.release_id = impressions.release_id AND sent.user_id = impressions.user_id AND sent.kind = 'sent'
  LEFT JOIN feedback AS clicked
    ON clicked.release_id = impressions.release_id AND clicked.user_id = impressions.user_id
    AND clicked.kind = 'clicked'
  WHERE NOT impressions.control
  GROUP BY 1, 2
), rated AS (
  SELECT *, clicked / sent AS ctr, 3.841458820694124 / sent AS z2
  FROM counted
  WHERE sent > 0
)
SELECT
  week, cohort_id, releases, told, sent, clicked, ctr,
  (ctr + z2 / 2 - sqrt(z2 * (ctr * (1 - ctr) + z2 / 4))) / (1 + z2) AS ctr_low,
  (ctr + z2 / 2 + sqrt(z2 * (ctr * (1 - ctr) + z2 / 4))) / (1 + z2) AS ctr_high
FROM rated;

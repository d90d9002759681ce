-- How large each cohort was at the end of each day (UTC) on which anything was noted of any.
CREATE OR REPLACE VIEW refrain.cohort_sizes AS
WITH days AS (
  SELECT DISTINCT
    CAST(noted_at AS DATE) AS day
  FROM refrain.cohort_history AS cohort_history
), spans AS (
  SELECT
    cohort_id,
    label,
    size,
    event,
    CAST(noted_at AS DATE) AS first_day,
    LEAD(CAST(noted_at AS DATE)) OVER (
      PARTITION BY cohort_id
      ORDER BY noted_at NULLS LAST, model_version NULLS LAST, event = 'died' NULLS LAST
    ) AS next_day
  FROM refrain.cohort_history AS cohort_history
)
SELECT
  days.day,
  spans.cohort_id,
  spans.label,
  spans.size
FROM days
JOIN spans
  ON spans.first_day <= days.day
  AND (
    spans.next_day IS NULL OR spans.next_day > days.day
  )
WHERE
  spans.event <> 'died';

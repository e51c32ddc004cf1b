WITH jetstream_raw_enrollments AS (
  SELECT
    analysis_id,
    branch,
    day AS enrollment_date,
    num_enrollment_events
  FROM "slices"."jetstream"."enrollment_events/reader-mode@2024-01-01,2024-01-02,2024-01-03,2024-01-04,2024-01-05,2024-01-06,2024-01-07,2024-01-08"
  WHERE
    day BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
), jetstream_unit_branches AS (
  SELECT
    TO_STRING(raw.analysis_id) AS analysis_id,
    TO_STRING(raw.branch) AS branch,
    MIN(CAST(raw.enrollment_date AS DATE)) AS enrollment_date,
    TO_INT64(SUM(raw.num_enrollment_events)) AS num_enrollment_events
  FROM jetstream_raw_enrollments AS raw
  WHERE
    NOT raw.analysis_id IS NULL AND NOT raw.branch IS NULL
  GROUP BY
    TO_STRING(raw.analysis_id),
    TO_STRING(raw.branch)
  HAVING
    MIN(CAST(raw.enrollment_date AS DATE)) BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
), jetstream_enrolled AS (
  SELECT
    analysis_id,
    branch,
    enrollment_date,
    num_enrollment_events,
    num_branches
  FROM (
    SELECT
      analysis_id,
      branch,
      enrollment_date,
      num_enrollment_events,
      COUNT(*) OVER (PARTITION BY analysis_id) AS num_branches,
      ROW_NUMBER() OVER (PARTITION BY analysis_id ORDER BY enrollment_date, branch) AS branch_order
    FROM jetstream_unit_branches
  ) AS ranked
  WHERE
    branch_order = 1
)
SELECT
  e.analysis_id,
  e.branch,
  e.enrollment_date,
  e.num_enrollment_events,
  e.num_branches,
  e.num_branches > 1 AS is_excluded,
  exposures.exposure_date,
  COALESCE(exposures.num_exposure_events, 0) AS num_exposure_events
FROM jetstream_enrolled AS e
LEFT JOIN (
  SELECT
    e.analysis_id,
    MIN(x.exposure_date) AS exposure_date,
    TO_INT64(SUM(x.num_exposure_events)) AS num_exposure_events
  FROM jetstream_enrolled AS e
  JOIN (
    SELECT
      analysis_id,
      branch,
      day AS exposure_date,
      num_exposure_events
    FROM "slices"."jetstream"."exposure_events/reader-mode@2024-01-01,2024-01-02,2024-01-03,2024-01-04,2024-01-05,2024-01-06,2024-01-07,2024-01-08"
    WHERE
      day BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
  ) AS x
    ON TO_STRING(x.analysis_id) = e.analysis_id AND x.exposure_date >= e.enrollment_date
  GROUP BY
    e.analysis_id
) AS exposures
  ON exposures.analysis_id = e.analysis_id
ORDER BY
  e.analysis_id

WITH jetstream_raw_enrollments AS (
  SELECT
    client_id AS analysis_id,
    mozfun.map.get_key(event_map_values, 'branch') AS branch,
    submission_date AS enrollment_date,
    1 AS num_enrollment_events
  FROM `moz-fx-data-shared-prod`.`telemetry`.`events`
  WHERE
    submission_date BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
    AND event_category = 'normandy'
    AND event_method = 'enroll'
    AND event_string_value = 'reader-mode'
), jetstream_unit_branches AS (
  SELECT
    CAST(raw.analysis_id AS STRING) AS analysis_id,
    CAST(raw.branch AS STRING) AS branch,
    MIN(CAST(raw.enrollment_date AS DATE)) AS enrollment_date,
    CAST(SUM(raw.num_enrollment_events) AS INT64) AS num_enrollment_events
  FROM jetstream_raw_enrollments AS raw
  WHERE
    NOT raw.analysis_id IS NULL AND NOT raw.branch IS NULL
  GROUP BY
    CAST(raw.analysis_id AS STRING),
    CAST(raw.branch AS STRING)
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
  exposures.num_exposure_events AS num_exposure_events
FROM jetstream_enrolled AS e
LEFT JOIN (
  SELECT
    e.analysis_id,
    MIN(x.exposure_date) AS exposure_date,
    CAST(SUM(x.num_exposure_events) AS INT64) AS num_exposure_events
  FROM jetstream_enrolled AS e
  JOIN (
    SELECT
      client_id AS analysis_id,
      mozfun.map.get_key(event_map_values, 'branchSlug') AS branch,
      submission_date AS exposure_date,
      1 AS num_exposure_events
    FROM `moz-fx-data-shared-prod`.`telemetry`.`events`
    WHERE
      submission_date BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
      AND event_category = 'normandy'
      AND event_method IN ('exposure', 'expose')
      AND event_string_value = 'reader-mode'
  ) AS x
    ON CAST(x.analysis_id AS STRING) = e.analysis_id
    AND x.exposure_date >= e.enrollment_date
    AND x.branch = e.branch
  GROUP BY
    e.analysis_id
) AS exposures
  ON exposures.analysis_id = e.analysis_id
ORDER BY
  e.analysis_id

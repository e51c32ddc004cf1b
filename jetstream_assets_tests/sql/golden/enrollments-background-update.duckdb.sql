WITH jetstream_raw_enrollments AS (
  SELECT
    JSON_SCALAR(metrics, '$.uuid.background_update_client_id') AS analysis_id,
    JSON_SCALAR(event_extra, '$.branch') AS branch,
    CAST(submission_timestamp AS DATE) AS enrollment_date,
    1 AS num_enrollment_events
  FROM "moz-fx-data-shared-prod"."firefox_desktop_background_update"."events_stream"
  WHERE
    CAST(submission_timestamp AS DATE) BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
    AND event_category = 'nimbus_events'
    AND event_name = 'enrollment'
    AND JSON_SCALAR(event_extra, '$.experiment') = 'reader-mode'
  UNION ALL
  SELECT
    metrics.uuid.background_update_client_id AS analysis_id,
    MOZFUN_MAP_GET_KEY(ping_info.experiments, 'reader-mode').branch AS branch,
    MIN(CAST(submission_timestamp AS DATE)) AS enrollment_date,
    1 AS num_enrollment_events
  FROM "mozdata"."firefox_desktop_background_update"."background_update"
  WHERE
    CAST(submission_timestamp AS DATE) BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
  GROUP BY
    metrics.uuid.background_update_client_id,
    MOZFUN_MAP_GET_KEY(ping_info.experiments, 'reader-mode').branch
  UNION ALL
  SELECT
    client_id AS analysis_id,
    SUBSTRING(MOZFUN_MAP_GET_KEY(event_map_values, 'name'), 13) AS branch,
    submission_date AS enrollment_date,
    1 AS num_enrollment_events
  FROM "mozdata"."telemetry"."events"
  WHERE
    submission_date BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
    AND event_category = 'browser.launched_to_handle'
    AND event_method = 'system_notification'
    AND event_object = 'toast'
    AND STARTS_WITH(MOZFUN_MAP_GET_KEY(event_map_values, 'name'), 'reader-mode:')
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
  exposures.num_exposure_events AS num_exposure_events
FROM jetstream_enrolled AS e
LEFT JOIN (
  SELECT
    e.analysis_id,
    MIN(x.exposure_date) AS exposure_date,
    TO_INT64(SUM(x.num_exposure_events)) AS num_exposure_events
  FROM jetstream_enrolled AS e
  JOIN (
    SELECT
      client_id AS analysis_id,
      MOZFUN_MAP_GET_KEY(event_map_values, 'branchSlug') AS branch,
      submission_date AS exposure_date,
      1 AS num_exposure_events
    FROM "moz-fx-data-shared-prod"."telemetry"."events"
    WHERE
      submission_date BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
      AND event_category = 'normandy'
      AND event_method IN ('exposure', 'expose')
      AND event_string_value = 'reader-mode'
  ) AS x
    ON TO_STRING(x.analysis_id) = e.analysis_id
    AND x.exposure_date >= e.enrollment_date
    AND x.branch = e.branch
  GROUP BY
    e.analysis_id
) AS exposures
  ON exposures.analysis_id = e.analysis_id
ORDER BY
  e.analysis_id

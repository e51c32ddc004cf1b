SELECT
  CAST(events.exposure_date AS DATE) AS day,
  TO_STRING(events.analysis_id) AS analysis_id,
  TO_STRING(events.branch) AS branch,
  TO_INT64(SUM(events.num_exposure_events)) AS num_exposure_events
FROM (
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
) AS events
WHERE
  NOT events.analysis_id IS NULL AND NOT events.branch IS NULL
GROUP BY
  CAST(events.exposure_date AS DATE),
  TO_STRING(events.analysis_id),
  TO_STRING(events.branch)
ORDER BY
  day NULLS FIRST,
  analysis_id NULLS FIRST,
  branch NULLS FIRST

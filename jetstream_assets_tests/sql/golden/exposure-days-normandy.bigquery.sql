SELECT
  CAST(events.exposure_date AS DATE) AS day,
  CAST(events.analysis_id AS STRING) AS analysis_id,
  CAST(events.branch AS STRING) AS branch,
  CAST(SUM(events.num_exposure_events) AS INT64) AS num_exposure_events
FROM (
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
) AS events
WHERE
  NOT events.analysis_id IS NULL AND NOT events.branch IS NULL
GROUP BY
  day,
  analysis_id,
  branch
ORDER BY
  day,
  analysis_id,
  branch

SELECT
  CAST(events.enrollment_date AS DATE) AS day,
  CAST(events.analysis_id AS STRING) AS analysis_id,
  CAST(events.branch AS STRING) AS branch,
  CAST(SUM(events.num_enrollment_events) AS INT64) AS num_enrollment_events
FROM (
  SELECT
    client_id AS analysis_id,
    JSON_VALUE(event_extra, '$.branch') AS branch,
    DATE(submission_timestamp) AS enrollment_date,
    1 AS num_enrollment_events
  FROM `moz-fx-data-shared-prod`.`firefox_desktop`.`events_stream`
  WHERE
    DATE(submission_timestamp) BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
    AND event_category = 'nimbus_events'
    AND event_name = 'enrollment'
    AND JSON_VALUE(event_extra, '$.experiment') = 'reader-mode'
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

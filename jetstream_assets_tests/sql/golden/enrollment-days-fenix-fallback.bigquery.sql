SELECT
  CAST(events.enrollment_date AS DATE) AS day,
  CAST(events.analysis_id AS STRING) AS analysis_id,
  CAST(events.branch AS STRING) AS branch,
  CAST(SUM(events.num_enrollment_events) AS INT64) AS num_enrollment_events
FROM (
  SELECT
    client_info.client_id AS analysis_id,
    mozfun.map.get_key(ping_info.experiments, 'reader-mode').branch AS branch,
    DATE(submission_timestamp) AS enrollment_date,
    1 AS num_enrollment_events
  FROM `moz-fx-data-shared-prod`.`firefox_desktop`.`baseline`
  WHERE
    DATE(submission_timestamp) BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
    AND NOT mozfun.map.get_key(ping_info.experiments, 'reader-mode').branch IS NULL
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

SELECT
  CAST(events.enrollment_date AS DATE) AS day,
  CAST(events.analysis_id AS STRING) AS analysis_id,
  CAST(events.branch AS STRING) AS branch,
  CAST(SUM(events.num_enrollment_events) AS INT64) AS num_enrollment_events
FROM (
  SELECT
    mozfun.map.get_key(event.extra, 'nimbus_user_id') AS analysis_id,
    mozfun.map.get_key(event.extra, 'branch') AS branch,
    DATE(pings.submission_timestamp) AS enrollment_date,
    1 AS num_enrollment_events
  FROM `moz-fx-data-shared-prod`.`firefox_desktop`.`enrollment` AS pings
  CROSS JOIN UNNEST(pings.events) AS event
  WHERE
    DATE(pings.submission_timestamp) BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
    AND event.category = 'cirrus_events'
    AND event.name = 'enrollment'
    AND mozfun.map.get_key(event.extra, 'experiment') = 'reader-mode'
    AND pings.client_info.app_channel = 'production'
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

SELECT
  CAST(events.enrollment_date AS DATE) AS day,
  TO_STRING(events.analysis_id) AS analysis_id,
  TO_STRING(events.branch) AS branch,
  TO_INT64(SUM(events.num_enrollment_events)) AS num_enrollment_events
FROM (
  SELECT
    MOZFUN_MAP_GET_KEY(event.extra, 'nimbus_user_id') AS analysis_id,
    MOZFUN_MAP_GET_KEY(event.extra, 'branch') AS branch,
    CAST(pings.submission_timestamp AS DATE) AS enrollment_date,
    1 AS num_enrollment_events
  FROM "moz-fx-data-shared-prod"."firefox_desktop"."enrollment" AS pings
  CROSS JOIN (
    SELECT
      UNNEST(pings.events) AS event
  )
  WHERE
    CAST(pings.submission_timestamp AS DATE) BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
    AND event.category = 'cirrus_events'
    AND event.name = 'enrollment'
    AND MOZFUN_MAP_GET_KEY(event.extra, 'experiment') = 'reader-mode'
    AND pings.client_info.app_channel = 'production'
) AS events
WHERE
  NOT events.analysis_id IS NULL AND NOT events.branch IS NULL
GROUP BY
  CAST(events.enrollment_date AS DATE),
  TO_STRING(events.analysis_id),
  TO_STRING(events.branch)
ORDER BY
  day NULLS FIRST,
  analysis_id NULLS FIRST,
  branch NULLS FIRST

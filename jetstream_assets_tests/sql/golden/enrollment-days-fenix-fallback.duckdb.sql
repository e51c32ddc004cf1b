SELECT
  CAST(events.enrollment_date AS DATE) AS day,
  TO_STRING(events.analysis_id) AS analysis_id,
  TO_STRING(events.branch) AS branch,
  TO_INT64(SUM(events.num_enrollment_events)) AS num_enrollment_events
FROM (
  SELECT
    client_info.client_id AS analysis_id,
    MOZFUN_MAP_GET_KEY(ping_info.experiments, 'reader-mode').branch AS branch,
    CAST(submission_timestamp AS DATE) AS enrollment_date,
    1 AS num_enrollment_events
  FROM "moz-fx-data-shared-prod"."firefox_desktop"."baseline"
  WHERE
    CAST(submission_timestamp AS DATE) BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
    AND NOT MOZFUN_MAP_GET_KEY(ping_info.experiments, 'reader-mode').branch IS NULL
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

SELECT
  CAST(events.exposure_date AS DATE) AS day,
  CAST(events.analysis_id AS STRING) AS analysis_id,
  CAST(NULL AS STRING) AS branch,
  CAST(SUM(events.num_exposure_events) AS INT64) AS num_exposure_events
FROM (
  SELECT
    ds.info.client_id AS analysis_id,
    ds.info.day AS exposure_date,
    1 AS num_exposure_events
  FROM `mozdata.lab.activity` AS ds
  WHERE
    ds.info.day BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
    AND (
      is_shown AND hits > 0
    )
) AS events
WHERE
  NOT events.analysis_id IS NULL
GROUP BY
  day,
  analysis_id
ORDER BY
  day,
  analysis_id,
  branch

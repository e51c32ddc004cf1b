SELECT
  e.analysis_id,
  SUM(hits) AS s_12eb691281ae,
  LOGICAL_OR(
    NOT ds.client_id IS NULL
    AND (
      mozfun.map.get_key(ds.experiments, 'reader-mode')
    ) IS NULL
  ) AS s_27ef9a473456,
  MAX(DATE_DIFF(DATE(ds.submission_date), e.enrollment_date, DAY)) AS s_4dbcb0d0a77b,
  COUNT(*) AS s_5935dca72a5c,
  LOGICAL_OR(is_shown) AS s_9a898ae796ce,
  SUM(value) AS s_aa2bbc067833,
  COUNT(value) AS s_abc04ed5d79e,
  LOGICAL_OR((
    mozfun.map.get_key(ds.experiments, 'reader-mode')
  ) <> e.branch) AS s_ac96a393b635,
  SUM(ds.hits) AS s_adb85242a96b,
  COUNTIF(value > 5) AS s_fa2f3110ba0f,
  CAST(ds.submission_date AS DATE) AS day
FROM (
  SELECT
    client_id,
    profile_group_id,
    submission_date,
    value,
    hits,
    is_shown,
    simple AS experiments
  FROM `mozdata.lab.activity`
) AS ds
JOIN `slices`.`jetstream`.`enrollments/reader-mode@2024-01-08` AS e
  ON CAST(ds.client_id AS STRING) = e.analysis_id
  AND ds.submission_date >= e.enrollment_date
  AND (
    ds.submission_date <> e.enrollment_date
    OR NOT (
      mozfun.map.get_key(ds.experiments, 'reader-mode')
    ) IS NULL
  )
WHERE
  ds.submission_date BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
  AND CAST(ds.submission_date AS DATE) IN (CAST('2024-01-01' AS DATE), CAST('2024-01-08' AS DATE))
GROUP BY
  e.analysis_id,
  CAST(ds.submission_date AS DATE)

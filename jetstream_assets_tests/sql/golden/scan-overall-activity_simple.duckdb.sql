SELECT
  e.analysis_id,
  BOOL_OR(
    NOT ds.client_id IS NULL
    AND (
      MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode')
    ) IS NULL
  ) AS s_27ef9a473456,
  SUM(value) AS s_aa2bbc067833,
  BOOL_OR((
    MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode')
  ) <> e.branch) AS s_ac96a393b635,
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
  FROM "mozdata"."lab"."activity"
) AS ds
JOIN "slices"."jetstream"."enrollments/reader-mode@2024-01-08" AS e
  ON TO_STRING(ds.client_id) = e.analysis_id
  AND ds.submission_date >= e.enrollment_date
  AND (
    ds.submission_date <> e.enrollment_date
    OR NOT (
      MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode')
    ) IS NULL
  )
WHERE
  ds.submission_date BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
  AND CAST(ds.submission_date AS DATE) IN (CAST('2024-01-01' AS DATE), CAST('2024-01-08' AS DATE))
GROUP BY
  e.analysis_id,
  CAST(ds.submission_date AS DATE)

SELECT
  e.analysis_id,
  BOOL_OR(is_shown) AS s_3519708872b1,
  SUM(hits) AS s_b21dc8779c4d,
  CAST(ds.info.day AS DATE) AS day
FROM "mozdata"."lab"."activity" AS ds
JOIN "slices"."jetstream"."enrollments/reader-mode@2024-01-08" AS e
  ON TO_STRING(ds.info.client_id) = e.analysis_id AND ds.info.day >= e.enrollment_date
WHERE
  ds.info.day BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-08' AS DATE)
  AND CAST(ds.info.day AS DATE) IN (CAST('2024-01-01' AS DATE), CAST('2024-01-08' AS DATE))
GROUP BY
  e.analysis_id,
  CAST(ds.info.day AS DATE)

WITH units AS (
  SELECT
    m.analysis_basis,
    m.branch,
    m."busy" AS segment_1,
    m."it's `quiet`" AS segment_2,
    CAST(m."clicks" AS DOUBLE) AS value_0,
    CAST(m."spend" AS DOUBLE) AS value_1
  FROM "slices"."jetstream"."metrics/reader-mode@2024-01-14" AS m
  WHERE
    (
      m.period = 'week' AND m.window_index = 1
    )
    AND m.analysis_basis IN ('enrollments', 'exposures')
), scoped AS (
  SELECT
    s.segment,
    units.analysis_basis,
    units.branch,
    value_0,
    value_1
  FROM units
  CROSS JOIN (
    SELECT
      TO_INT64(0) AS segment
    UNION ALL
    SELECT
      TO_INT64(1) AS segment
    UNION ALL
    SELECT
      TO_INT64(2) AS segment
  ) AS s
  WHERE
    s.segment = 0
    OR (
      s.segment = 1 AND segment_1
    )
    OR (
      s.segment = 2 AND segment_2
    )
), unit_values AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    value_0,
    CASE WHEN NOT (
      ISINF(value_1) OR ISNAN(value_1)
    ) THEN value_1 END AS value_1,
    ISINF(value_1) OR ISNAN(value_1) AS odd_1
  FROM scoped
), counted AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    value_0 AS numerator,
    value_1 AS denominator,
    COUNT(*) AS units,
    TO_INT64(SUM(COUNT(*)) OVER (PARTITION BY segment, analysis_basis, branch)) AS total
  FROM unit_values
  WHERE
    NOT value_0 IS NULL AND NOT value_1 IS NULL
  GROUP BY
    segment,
    analysis_basis,
    branch,
    value_0,
    value_1
)
SELECT
  segment,
  analysis_basis,
  branch,
  numerator,
  denominator,
  units
FROM counted
WHERE
  total <= 40

WITH units AS (
  SELECT
    m.analysis_basis,
    m.branch,
    m.`busy` AS segment_1,
    m.`it's \`quiet\`` AS segment_2,
    CAST(m.`clicks` AS FLOAT64) AS value_0
  FROM `slices`.`jetstream`.`metrics/reader-mode@2024-01-14` AS m
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
    value_0
  FROM units
  CROSS JOIN (
    SELECT
      CAST(0 AS INT64) AS segment
    UNION ALL
    SELECT
      CAST(1 AS INT64) AS segment
    UNION ALL
    SELECT
      CAST(2 AS INT64) AS segment
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
    value_0
  FROM scoped
)
SELECT
  segment,
  analysis_basis,
  branch,
  COUNT(value_0) AS units_0,
  SUM(value_0) AS total_0,
  COUNTIF(NOT value_0 IN (0, 1)) AS others_0
FROM unit_values
GROUP BY
  segment,
  analysis_basis,
  branch

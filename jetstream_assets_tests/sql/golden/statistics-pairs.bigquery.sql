WITH units AS (
  SELECT
    m.analysis_basis,
    m.branch,
    m.`busy` AS segment_1,
    m.`it's \`quiet\`` AS segment_2,
    CAST(m.`clicks` AS FLOAT64) AS value_0,
    CAST(m.`spend` AS FLOAT64) AS value_1
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
    value_0,
    value_1
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
    value_0,
    CASE WHEN NOT (
      IS_INF(value_1) OR IS_NAN(value_1)
    ) THEN value_1 END AS value_1,
    IS_INF(value_1) OR IS_NAN(value_1) AS odd_1
  FROM scoped
), counted AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    value_0 AS numerator,
    value_1 AS denominator,
    COUNT(*) AS units,
    CAST(SUM(COUNT(*)) OVER (PARTITION BY segment, analysis_basis, branch) AS INT64) AS total
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

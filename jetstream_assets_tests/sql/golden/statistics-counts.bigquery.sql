WITH units AS (
  SELECT
    m.analysis_basis,
    m.branch,
    m.`busy` AS segment_1,
    m.`it's \`quiet\`` AS segment_2,
    CAST(m.`spend` AS FLOAT64) AS value_0,
    CAST(m.`clicks` AS FLOAT64) AS value_1
  FROM `slices`.`jetstream`.`metrics/reader-mode@2024-01-14` AS m
  WHERE
    (
      m.period = 'week' AND m.window_index = 1
    )
    AND m.analysis_basis IN ('enrollments', 'exposures')
), scoped AS (
  SELECT
    CAST(CASE WHEN segment_1 THEN 1 ELSE 0 END + CASE WHEN segment_2 THEN 2 ELSE 0 END AS INT64) AS segment,
    units.analysis_basis,
    units.branch,
    value_0,
    value_1
  FROM units
), unit_values AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    CASE WHEN NOT (
      IS_INF(value_0) OR IS_NAN(value_0)
    ) THEN value_0 END AS value_0,
    IS_INF(value_0) OR IS_NAN(value_0) AS odd_0,
    value_1
  FROM scoped
), binned AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    need,
    value,
    value AS bin
  FROM unit_values
  UNPIVOT EXCLUDE NULLS (value FOR need IN (value_0, value_1))
), parts AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    need,
    bin AS lowest,
    bin AS highest,
    COUNT(*) AS in_bin,
    bin
  FROM binned
  GROUP BY
    segment,
    analysis_basis,
    branch,
    need,
    bin
), runs AS (
  SELECT
    s.segment,
    analysis_basis,
    branch,
    need,
    bin AS lowest,
    bin AS highest,
    CAST(SUM(in_bin) AS INT64) AS in_bin
  FROM parts
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
      s.segment = 1 AND (
        parts.segment & 1
      ) > 0
    )
    OR (
      s.segment = 2 AND (
        parts.segment & 2
      ) > 0
    )
  GROUP BY
    s.segment,
    analysis_basis,
    branch,
    need,
    bin
)
SELECT
  segment,
  analysis_basis,
  branch,
  need,
  ARRAY_AGG(STRUCT(highest AS value, in_bin AS units)) AS counts
FROM runs
GROUP BY
  segment,
  analysis_basis,
  branch,
  need

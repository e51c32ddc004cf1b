WITH units AS (
  SELECT
    m.analysis_basis,
    m.branch,
    m.`busy` AS segment_1,
    m.`it's \`quiet\`` AS segment_2,
    CAST(m.`spend` AS FLOAT64) AS value_0
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
), treated_0 AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    CASE
      WHEN value_0 < PERCENTILE_CONT(CASE WHEN NOT (
        IS_INF(value_0) OR IS_NAN(value_0)
      ) THEN value_0 END, 0.95) OVER (PARTITION BY segment, analysis_basis)
      THEN value_0
    END AS value_0
  FROM scoped
), treated_1 AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    CASE
      WHEN value_0 > CAST(0.0000000000000000e+00 AS FLOAT64)
      THEN LN(value_0) / CAST(2.3025850929940459e+00 AS FLOAT64)
      WHEN value_0 = CAST(0.0000000000000000e+00 AS FLOAT64)
      THEN CAST('-inf' AS FLOAT64)
      WHEN value_0 < CAST(0.0000000000000000e+00 AS FLOAT64)
      THEN CAST('nan' AS FLOAT64)
      ELSE value_0
    END AS value_0
  FROM treated_0
), unit_values AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    CASE WHEN NOT (
      IS_INF(value_0) OR IS_NAN(value_0)
    ) THEN value_0 END AS value_0,
    IS_INF(value_0) OR IS_NAN(value_0) AS odd_0
  FROM treated_1
), branch_facts AS (
  WITH scoped AS (
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
  ), treated_0 AS (
    SELECT
      segment,
      analysis_basis,
      branch,
      CASE
        WHEN value_0 < PERCENTILE_CONT(CASE WHEN NOT (
          IS_INF(value_0) OR IS_NAN(value_0)
        ) THEN value_0 END, 0.95) OVER (PARTITION BY segment, analysis_basis)
        THEN value_0
      END AS value_0
    FROM scoped
  ), treated_1 AS (
    SELECT
      segment,
      analysis_basis,
      branch,
      CASE
        WHEN value_0 > CAST(0.0000000000000000e+00 AS FLOAT64)
        THEN LN(value_0) / CAST(2.3025850929940459e+00 AS FLOAT64)
        WHEN value_0 = CAST(0.0000000000000000e+00 AS FLOAT64)
        THEN CAST('-inf' AS FLOAT64)
        WHEN value_0 < CAST(0.0000000000000000e+00 AS FLOAT64)
        THEN CAST('nan' AS FLOAT64)
        ELSE value_0
      END AS value_0
    FROM treated_0
  ), unit_values AS (
    SELECT
      segment,
      analysis_basis,
      branch,
      CASE WHEN NOT (
        IS_INF(value_0) OR IS_NAN(value_0)
      ) THEN value_0 END AS value_0,
      IS_INF(value_0) OR IS_NAN(value_0) AS odd_0
    FROM treated_1
  ), present AS (
    SELECT
      segment,
      analysis_basis,
      branch,
      value_0 AS own_0
    FROM unit_values
  ), highest_values AS (
    SELECT
      segment,
      analysis_basis,
      branch,
      AVG(own_0) AS mean_0
    FROM present
    GROUP BY
      segment,
      analysis_basis,
      branch
  ), ranked AS (
    SELECT
      *
    FROM highest_values
  ), placed AS (
    SELECT
      *
    FROM ranked
  ), thresholds AS (
    SELECT
      *
    FROM placed
  )
  SELECT
    segment,
    analysis_basis,
    branch,
    mean_0 AS centre_0
  FROM thresholds
), facts AS (
  SELECT
    branch.segment,
    branch.analysis_basis,
    branch.branch,
    branch.centre_0
  FROM branch_facts AS branch
  LIMIT 18
), centred AS (
  SELECT
    v.segment,
    v.analysis_basis,
    v.branch,
    value_0,
    odd_0,
    value_0 - f.centre_0 AS centred_0
  FROM unit_values AS v
  JOIN facts AS f
    ON v.segment = f.segment
    AND v.analysis_basis = f.analysis_basis
    AND v.branch = f.branch
), differences AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    value_0,
    odd_0,
    centred_0 AS difference_0
  FROM centred
), sums AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    COUNT(difference_0) AS units_0,
    SUM(difference_0) AS power1_0,
    SUM(difference_0 * difference_0) AS power2_0,
    SUM(difference_0 * difference_0 * difference_0) AS power3_0,
    SUM(difference_0 * difference_0 * difference_0 * difference_0) AS power4_0,
    MIN(value_0) AS lowest_0,
    MAX(value_0) AS highest_0,
    COUNTIF(odd_0) AS odd_0
  FROM differences
  GROUP BY
    segment,
    analysis_basis,
    branch
)
SELECT
  s.*,
  f.centre_0 AS centre_0
FROM sums AS s
JOIN facts AS f
  ON s.segment = f.segment
  AND s.analysis_basis = f.analysis_basis
  AND s.branch = f.branch

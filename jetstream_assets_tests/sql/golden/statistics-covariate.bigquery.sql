WITH units AS (
  SELECT
    m.analysis_basis,
    m.branch,
    m.`busy` AS segment_1,
    m.`it's \`quiet\`` AS segment_2,
    CAST(m.`spend` AS FLOAT64) AS value_0,
    CAST(covariates_preenrollment_week.`spend` AS FLOAT64) AS value_1
  FROM `slices`.`jetstream`.`metrics/reader-mode@2024-01-14` AS m
  LEFT JOIN (
    SELECT
      p.analysis_id,
      p.branch,
      p.`spend`
    FROM `slices`.`jetstream`.`preenrollment_metrics/reader-mode@2024-01-08` AS p
    WHERE
      (
        p.period = 'preenrollment_week' AND p.window_index = 1
      )
      AND p.analysis_basis = 'enrollments'
  ) AS covariates_preenrollment_week
    ON m.analysis_id = covariates_preenrollment_week.analysis_id
    AND m.branch = covariates_preenrollment_week.branch
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
    CASE WHEN NOT (
      IS_INF(value_0) OR IS_NAN(value_0)
    ) THEN value_0 END AS value_0,
    IS_INF(value_0) OR IS_NAN(value_0) AS odd_0,
    CASE WHEN NOT (
      IS_INF(value_1) OR IS_NAN(value_1)
    ) THEN value_1 END AS value_1,
    IS_INF(value_1) OR IS_NAN(value_1) AS odd_1
  FROM scoped
), pooled_facts AS (
  WITH scoped AS (
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
      CASE WHEN NOT (
        IS_INF(value_0) OR IS_NAN(value_0)
      ) THEN value_0 END AS value_0,
      IS_INF(value_0) OR IS_NAN(value_0) AS odd_0,
      CASE WHEN NOT (
        IS_INF(value_1) OR IS_NAN(value_1)
      ) THEN value_1 END AS value_1,
      IS_INF(value_1) OR IS_NAN(value_1) AS odd_1
    FROM scoped
  ), present AS (
    SELECT
      segment,
      analysis_basis,
      value_0 AS own_0,
      CASE WHEN NOT value_0 IS NULL THEN value_1 END AS own_1
    FROM unit_values
  ), highest_values AS (
    SELECT
      segment,
      analysis_basis,
      AVG(own_0) AS mean_0,
      AVG(own_1) AS mean_1,
      COUNT(own_0) AS units_0,
      ARRAY_AGG(own_0 IGNORE NULLS ORDER BY own_0 DESC
      LIMIT 13) AS highest_0,
      COUNT(own_1) AS units_1,
      ARRAY_AGG(own_1 IGNORE NULLS ORDER BY own_1 DESC
      LIMIT 13) AS highest_1
    FROM present
    GROUP BY
      segment,
      analysis_basis
  ), ranked AS (
    SELECT
      *,
      (
        units_0 - 1
      ) * CAST(9.4999999999999996e-01 AS FLOAT64) AS rank_0,
      (
        units_1 - 1
      ) * CAST(9.4999999999999996e-01 AS FLOAT64) AS rank_1
    FROM highest_values
  ), placed AS (
    SELECT
      *,
      CAST(units_0 - 1 - FLOOR(rank_0) AS INT64) AS position_0,
      CAST(units_1 - 1 - FLOOR(rank_1) AS INT64) AS position_1
    FROM ranked
  ), thresholds AS (
    SELECT
      *,
      CASE
        WHEN units_0 > 0
        THEN CASE
          WHEN rank_0 > FLOOR(rank_0)
          THEN highest_0[OFFSET(position_0)] + (
            rank_0 - FLOOR(rank_0)
          ) * (
            highest_0[OFFSET(position_0 - 1)] - highest_0[OFFSET(position_0)]
          )
          ELSE highest_0[OFFSET(position_0)]
        END
      END AS threshold_0,
      CASE
        WHEN units_1 > 0
        THEN CASE
          WHEN rank_1 > FLOOR(rank_1)
          THEN highest_1[OFFSET(position_1)] + (
            rank_1 - FLOOR(rank_1)
          ) * (
            highest_1[OFFSET(position_1 - 1)] - highest_1[OFFSET(position_1)]
          )
          ELSE highest_1[OFFSET(position_1)]
        END
      END AS threshold_1
    FROM placed
  )
  SELECT
    segment,
    analysis_basis,
    CASE WHEN mean_0 > threshold_0 THEN threshold_0 ELSE mean_0 END AS centre_0,
    threshold_0,
    mean_0 AS uncapped_0,
    CASE WHEN mean_1 > threshold_1 THEN threshold_1 ELSE mean_1 END AS centre_1,
    threshold_1,
    mean_1 AS uncapped_1
  FROM thresholds
), facts AS (
  SELECT
    pooled.segment,
    pooled.analysis_basis,
    pooled.centre_0,
    pooled.threshold_0,
    pooled.uncapped_0,
    pooled.centre_1,
    pooled.threshold_1,
    pooled.uncapped_1
  FROM pooled_facts AS pooled
  LIMIT 18
), centred AS (
  SELECT
    v.segment,
    v.analysis_basis,
    v.branch,
    value_0,
    odd_0,
    value_1,
    odd_1,
    CASE WHEN value_0 > f.threshold_0 THEN f.threshold_0 ELSE value_0 END - f.centre_0 AS centred_0,
    CASE WHEN value_1 > f.threshold_1 THEN f.threshold_1 ELSE value_1 END - f.centre_1 AS centred_1
  FROM unit_values AS v
  JOIN facts AS f
    ON v.segment = f.segment AND v.analysis_basis = f.analysis_basis
), differences AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    value_0,
    odd_0,
    value_1,
    odd_1,
    CASE WHEN NOT value_1 IS NULL THEN centred_0 END AS difference_0,
    CASE WHEN NOT value_0 IS NULL THEN centred_1 END AS difference_0_x
  FROM centred
), sums AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    COUNT(difference_0) AS units_0,
    SUM(difference_0) AS power1_0,
    SUM(difference_0 * difference_0) AS power2_0,
    SUM(difference_0_x) AS power1_x_0,
    SUM(difference_0_x * difference_0_x) AS power2_x_0,
    COUNT(value_0) AS values_0,
    SUM(difference_0 * difference_0_x) AS product_0,
    COUNTIF(odd_0) + COUNTIF(odd_1) AS odd_0
  FROM differences
  GROUP BY
    segment,
    analysis_basis,
    branch
)
SELECT
  s.*,
  f.centre_0 AS centre_0,
  f.threshold_0 AS threshold_0,
  f.centre_1 AS centre_x_0
FROM sums AS s
JOIN facts AS f
  ON s.segment = f.segment AND s.analysis_basis = f.analysis_basis

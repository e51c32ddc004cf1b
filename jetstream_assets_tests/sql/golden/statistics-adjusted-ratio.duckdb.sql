WITH units AS (
  SELECT
    m.analysis_basis,
    m.branch,
    m."busy" AS segment_1,
    m."it's `quiet`" AS segment_2,
    CAST(m."clicks" AS DOUBLE) AS value_0,
    CAST(m."spend" AS DOUBLE) AS value_1,
    CAST(covariates_preenrollment_week."clicks" AS DOUBLE) AS value_2,
    CAST(covariates_preenrollment_week."spend" AS DOUBLE) AS value_3
  FROM "slices"."jetstream"."metrics/reader-mode@2024-01-14" AS m
  LEFT JOIN (
    SELECT
      p.analysis_id,
      p.branch,
      p."clicks",
      p."spend"
    FROM "slices"."jetstream"."preenrollment_metrics/reader-mode@2024-01-08" AS p
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
    value_1,
    value_2,
    value_3
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
    ISINF(value_1) OR ISNAN(value_1) AS odd_1,
    CASE WHEN NOT (
      ISINF(value_2) OR ISNAN(value_2)
    ) THEN value_2 END AS value_2,
    ISINF(value_2) OR ISNAN(value_2) AS odd_2,
    CASE WHEN NOT (
      ISINF(value_3) OR ISNAN(value_3)
    ) THEN value_3 END AS value_3,
    ISINF(value_3) OR ISNAN(value_3) AS odd_3
  FROM scoped
), pooled_facts AS (
  WITH scoped AS (
    SELECT
      s.segment,
      units.analysis_basis,
      units.branch,
      value_0,
      value_1,
      value_2,
      value_3
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
      ISINF(value_1) OR ISNAN(value_1) AS odd_1,
      CASE WHEN NOT (
        ISINF(value_2) OR ISNAN(value_2)
      ) THEN value_2 END AS value_2,
      ISINF(value_2) OR ISNAN(value_2) AS odd_2,
      CASE WHEN NOT (
        ISINF(value_3) OR ISNAN(value_3)
      ) THEN value_3 END AS value_3,
      ISINF(value_3) OR ISNAN(value_3) AS odd_3
    FROM scoped
  ), present AS (
    SELECT
      segment,
      analysis_basis,
      CASE WHEN NOT value_0 IS NULL AND NOT value_1 IS NULL THEN value_2 END AS own_2,
      CASE WHEN NOT value_0 IS NULL AND NOT value_1 IS NULL THEN value_3 END AS own_3
    FROM unit_values
  ), highest_values AS (
    SELECT
      segment,
      analysis_basis,
      AVG(own_2) AS mean_2,
      AVG(own_3) AS mean_3,
      COUNT(own_2) AS units_2,
      MAX(own_2, 13) AS highest_2,
      COUNT(own_3) AS units_3,
      MAX(own_3, 13) AS highest_3
    FROM present
    GROUP BY
      segment,
      analysis_basis
  ), ranked AS (
    SELECT
      *,
      (
        units_2 - 1
      ) * CAST(9.4999999999999996e-01 AS DOUBLE) AS rank_2,
      (
        units_3 - 1
      ) * CAST(9.4999999999999996e-01 AS DOUBLE) AS rank_3
    FROM highest_values
  ), placed AS (
    SELECT
      *,
      TO_INT64(units_2 - 1 - FLOOR(rank_2)) AS position_2,
      TO_INT64(units_3 - 1 - FLOOR(rank_3)) AS position_3
    FROM ranked
  ), thresholds AS (
    SELECT
      *,
      CASE
        WHEN units_2 > 0
        THEN CASE
          WHEN rank_2 > FLOOR(rank_2)
          THEN highest_2[position_2 + 1] + (
            rank_2 - FLOOR(rank_2)
          ) * (
            highest_2[position_2 - 1 + 1] - highest_2[position_2 + 1]
          )
          ELSE highest_2[position_2 + 1]
        END
      END AS threshold_2,
      CASE
        WHEN units_3 > 0
        THEN CASE
          WHEN rank_3 > FLOOR(rank_3)
          THEN highest_3[position_3 + 1] + (
            rank_3 - FLOOR(rank_3)
          ) * (
            highest_3[position_3 - 1 + 1] - highest_3[position_3 + 1]
          )
          ELSE highest_3[position_3 + 1]
        END
      END AS threshold_3
    FROM placed
  )
  SELECT
    segment,
    analysis_basis,
    CASE WHEN mean_2 > threshold_2 THEN threshold_2 ELSE mean_2 END AS centre_2,
    threshold_2,
    mean_2 AS uncapped_2,
    CASE WHEN mean_3 > threshold_3 THEN threshold_3 ELSE mean_3 END AS centre_3,
    threshold_3,
    mean_3 AS uncapped_3
  FROM thresholds
), branch_facts AS (
  WITH scoped AS (
    SELECT
      s.segment,
      units.analysis_basis,
      units.branch,
      value_0,
      value_1,
      value_2,
      value_3
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
      ISINF(value_1) OR ISNAN(value_1) AS odd_1,
      CASE WHEN NOT (
        ISINF(value_2) OR ISNAN(value_2)
      ) THEN value_2 END AS value_2,
      ISINF(value_2) OR ISNAN(value_2) AS odd_2,
      CASE WHEN NOT (
        ISINF(value_3) OR ISNAN(value_3)
      ) THEN value_3 END AS value_3,
      ISINF(value_3) OR ISNAN(value_3) AS odd_3
    FROM scoped
  ), present AS (
    SELECT
      segment,
      analysis_basis,
      branch,
      CASE WHEN NOT value_1 IS NULL THEN value_0 END AS own_0,
      CASE WHEN NOT value_0 IS NULL THEN value_1 END AS own_1
    FROM unit_values
  ), highest_values AS (
    SELECT
      segment,
      analysis_basis,
      branch,
      AVG(own_0) AS mean_0,
      AVG(own_1) AS mean_1,
      COUNT(own_0) AS units_0,
      MAX(own_0, 6) AS highest_0,
      COUNT(own_1) AS units_1,
      MAX(own_1, 6) AS highest_1
    FROM present
    GROUP BY
      segment,
      analysis_basis,
      branch
  ), ranked AS (
    SELECT
      *,
      (
        units_0 - 1
      ) * CAST(9.4999999999999996e-01 AS DOUBLE) AS rank_0,
      (
        units_1 - 1
      ) * CAST(9.4999999999999996e-01 AS DOUBLE) AS rank_1
    FROM highest_values
  ), placed AS (
    SELECT
      *,
      TO_INT64(units_0 - 1 - FLOOR(rank_0)) AS position_0,
      TO_INT64(units_1 - 1 - FLOOR(rank_1)) AS position_1
    FROM ranked
  ), thresholds AS (
    SELECT
      *,
      CASE
        WHEN units_0 > 0
        THEN CASE
          WHEN rank_0 > FLOOR(rank_0)
          THEN highest_0[position_0 + 1] + (
            rank_0 - FLOOR(rank_0)
          ) * (
            highest_0[position_0 - 1 + 1] - highest_0[position_0 + 1]
          )
          ELSE highest_0[position_0 + 1]
        END
      END AS threshold_0,
      CASE
        WHEN units_1 > 0
        THEN CASE
          WHEN rank_1 > FLOOR(rank_1)
          THEN highest_1[position_1 + 1] + (
            rank_1 - FLOOR(rank_1)
          ) * (
            highest_1[position_1 - 1 + 1] - highest_1[position_1 + 1]
          )
          ELSE highest_1[position_1 + 1]
        END
      END AS threshold_1
    FROM placed
  )
  SELECT
    segment,
    analysis_basis,
    branch,
    CASE WHEN mean_0 > threshold_0 THEN threshold_0 ELSE mean_0 END AS centre_0,
    threshold_0,
    mean_0 AS uncapped_0,
    CASE WHEN mean_1 > threshold_1 THEN threshold_1 ELSE mean_1 END AS centre_1,
    threshold_1,
    mean_1 AS uncapped_1
  FROM thresholds
), facts AS (
  SELECT
    branch.segment,
    branch.analysis_basis,
    branch.branch,
    branch.centre_0,
    branch.threshold_0,
    branch.uncapped_0,
    branch.centre_1,
    branch.threshold_1,
    branch.uncapped_1,
    pooled.centre_2,
    pooled.threshold_2,
    pooled.uncapped_2,
    pooled.centre_3,
    pooled.threshold_3,
    pooled.uncapped_3
  FROM branch_facts AS branch
  JOIN pooled_facts AS pooled
    ON branch.segment = pooled.segment AND branch.analysis_basis = pooled.analysis_basis
  LIMIT 18
), centred AS (
  SELECT
    v.segment,
    v.analysis_basis,
    v.branch,
    value_0,
    value_1,
    odd_1,
    value_2,
    odd_2,
    value_3,
    odd_3,
    CASE WHEN value_0 > f.threshold_0 THEN f.threshold_0 ELSE value_0 END - f.centre_0 AS centred_0,
    CASE WHEN value_1 > f.threshold_1 THEN f.threshold_1 ELSE value_1 END - f.centre_1 AS centred_1,
    CASE WHEN value_2 > f.threshold_2 THEN f.threshold_2 ELSE value_2 END - f.centre_2 AS centred_2,
    CASE WHEN value_3 > f.threshold_3 THEN f.threshold_3 ELSE value_3 END - f.centre_3 AS centred_3
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
    value_1,
    odd_1,
    value_2,
    odd_2,
    value_3,
    odd_3,
    CASE
      WHEN NOT value_1 IS NULL AND NOT value_2 IS NULL AND NOT value_3 IS NULL
      THEN centred_0
    END AS difference_0,
    CASE
      WHEN NOT value_0 IS NULL AND NOT value_2 IS NULL AND NOT value_3 IS NULL
      THEN centred_1
    END AS difference_0_x,
    CASE
      WHEN NOT value_0 IS NULL AND NOT value_1 IS NULL AND NOT value_3 IS NULL
      THEN centred_2
    END AS difference_0_c0,
    CASE
      WHEN NOT value_0 IS NULL AND NOT value_1 IS NULL AND NOT value_2 IS NULL
      THEN centred_3
    END AS difference_0_c1
  FROM centred
), sums AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    COUNT(difference_0) AS units_0,
    COUNT(CASE WHEN NOT value_1 IS NULL THEN value_0 END) AS values_0,
    SUM(difference_0) AS part0_0,
    SUM(difference_0_x) AS part1_0,
    SUM(difference_0_c0) AS part2_0,
    SUM(difference_0_c1) AS part3_0,
    SUM(difference_0 * difference_0) AS product00_0,
    SUM(difference_0 * difference_0_x) AS product01_0,
    SUM(difference_0 * difference_0_c0) AS product02_0,
    SUM(difference_0 * difference_0_c1) AS product03_0,
    SUM(difference_0_x * difference_0_x) AS product11_0,
    SUM(difference_0_x * difference_0_c0) AS product12_0,
    SUM(difference_0_x * difference_0_c1) AS product13_0,
    SUM(difference_0_c0 * difference_0_c0) AS product22_0,
    SUM(difference_0_c0 * difference_0_c1) AS product23_0,
    SUM(difference_0_c1 * difference_0_c1) AS product33_0,
    COUNT(*) FILTER(WHERE
      odd_1 OR odd_2 OR odd_3) AS odd_0
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
  f.uncapped_0 AS uncapped_0,
  f.centre_1 AS centre_x_0,
  f.threshold_1 AS threshold_x_0,
  f.uncapped_1 AS uncapped_x_0,
  f.centre_2 AS centre_c0_0,
  f.centre_3 AS centre_c1_0
FROM sums AS s
JOIN facts AS f
  ON s.segment = f.segment
  AND s.analysis_basis = f.analysis_basis
  AND s.branch = f.branch

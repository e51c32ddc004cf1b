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
), branch_facts AS (
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
    branch.uncapped_1
  FROM branch_facts AS branch
  LIMIT 18
), centred AS (
  SELECT
    v.segment,
    v.analysis_basis,
    v.branch,
    value_0,
    value_1,
    odd_1,
    CASE WHEN value_0 > f.threshold_0 THEN f.threshold_0 ELSE value_0 END - f.centre_0 AS centred_0,
    CASE WHEN value_1 > f.threshold_1 THEN f.threshold_1 ELSE value_1 END - f.centre_1 AS centred_1
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
    CASE WHEN NOT value_1 IS NULL THEN centred_0 END AS difference_0,
    CASE WHEN NOT value_0 IS NULL THEN centred_1 END AS difference_0_x
  FROM centred
), sums AS (
  SELECT
    segment,
    analysis_basis,
    branch,
    COUNT(difference_0) AS units_0,
    MAX(CASE WHEN NOT value_1 IS NULL THEN value_0 END) AS highest_0,
    SUM(difference_0_x) AS joint01_0,
    SUM(difference_0_x * difference_0_x) AS joint02_0,
    SUM(difference_0_x * difference_0_x * difference_0_x) AS joint03_0,
    SUM(difference_0_x * difference_0_x * difference_0_x * difference_0_x) AS joint04_0,
    SUM(difference_0) AS joint10_0,
    SUM(difference_0 * difference_0_x) AS joint11_0,
    SUM(difference_0 * difference_0_x * difference_0_x) AS joint12_0,
    SUM(difference_0 * difference_0_x * difference_0_x * difference_0_x) AS joint13_0,
    SUM(difference_0 * difference_0) AS joint20_0,
    SUM(difference_0 * difference_0 * difference_0_x) AS joint21_0,
    SUM(difference_0 * difference_0 * difference_0_x * difference_0_x) AS joint22_0,
    SUM(difference_0 * difference_0 * difference_0) AS joint30_0,
    SUM(difference_0 * difference_0 * difference_0 * difference_0_x) AS joint31_0,
    SUM(difference_0 * difference_0 * difference_0 * difference_0) AS joint40_0,
    COUNT(*) FILTER(WHERE
      odd_1) AS odd_0
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
  f.uncapped_1 AS uncapped_x_0
FROM sums AS s
JOIN facts AS f
  ON s.segment = f.segment
  AND s.analysis_basis = f.analysis_basis
  AND s.branch = f.branch

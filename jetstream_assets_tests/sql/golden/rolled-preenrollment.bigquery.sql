WITH jetstream_enrolled AS (
  SELECT
    `analysis_id`,
    `branch`,
    `enrollment_date`,
    `num_enrollment_events`,
    `exposure_date`,
    `num_exposure_events`
  FROM `slices`.`jetstream`.`enrollments/reader-mode@2024-01-08`
  WHERE
    NOT is_excluded
), jetstream_day_units AS (
  SELECT
    `analysis_id`,
    `branch`,
    `enrollment_date`,
    `num_enrollment_events`,
    `exposure_date`,
    `num_exposure_events`,
    CAST(0 AS INT64) AS jetstream_part,
    enrollment_date AS jetstream_anchor,
    DATE_ADD(enrollment_date, INTERVAL 0 DAY) AS jetstream_day,
    'day' AS period,
    CAST(1 AS INT64) AS window_index,
    CAST(0 AS INT64) AS window_start,
    CAST(0 AS INT64) AS window_end,
    'enrollments' AS analysis_basis,
    FALSE AS is_provisional
  FROM jetstream_enrolled
  UNION ALL
  SELECT
    `analysis_id`,
    `branch`,
    `enrollment_date`,
    `num_enrollment_events`,
    `exposure_date`,
    `num_exposure_events`,
    CAST(1 AS INT64) AS jetstream_part,
    exposure_date AS jetstream_anchor,
    DATE_ADD(exposure_date, INTERVAL 0 DAY) AS jetstream_day,
    'day' AS period,
    CAST(1 AS INT64) AS window_index,
    CAST(0 AS INT64) AS window_start,
    CAST(0 AS INT64) AS window_end,
    'exposures' AS analysis_basis,
    FALSE AS is_provisional
  FROM jetstream_enrolled
  WHERE
    NOT exposure_date IS NULL
), jetstream_units AS (
  SELECT
    `analysis_id`,
    `branch`,
    `enrollment_date`,
    `num_enrollment_events`,
    `exposure_date`,
    `num_exposure_events`,
    CAST(0 AS INT64) AS jetstream_part,
    enrollment_date AS jetstream_anchor,
    CAST(NULL AS DATE) AS jetstream_day,
    'preenrollment_week' AS period,
    CAST(1 AS INT64) AS window_index,
    CAST(-7 AS INT64) AS window_start,
    CAST(-1 AS INT64) AS window_end,
    'enrollments' AS analysis_basis,
    FALSE AS is_provisional
  FROM jetstream_enrolled
  UNION ALL
  SELECT
    `analysis_id`,
    `branch`,
    `enrollment_date`,
    `num_enrollment_events`,
    `exposure_date`,
    `num_exposure_events`,
    CAST(1 AS INT64) AS jetstream_part,
    exposure_date AS jetstream_anchor,
    CAST(NULL AS DATE) AS jetstream_day,
    'preenrollment_week' AS period,
    CAST(1 AS INT64) AS window_index,
    CAST(-7 AS INT64) AS window_start,
    CAST(-1 AS INT64) AS window_end,
    'exposures' AS analysis_basis,
    FALSE AS is_provisional
  FROM jetstream_enrolled
  WHERE
    NOT exposure_date IS NULL
)
SELECT
  `analysis_id`,
  `branch`,
  `enrollment_date`,
  `num_enrollment_events`,
  `exposure_date`,
  `num_exposure_events`,
  `period`,
  `window_index`,
  `window_start`,
  `window_end`,
  `analysis_basis`,
  `is_provisional`,
  `big`,
  `control_hits`,
  `hits`,
  `lag`,
  `rows`,
  `shown`,
  `spend`,
  `values`,
  `activity_simple_has_contradictory_branch`,
  `activity_simple_has_non_enrolled_data`
FROM (
  SELECT
    e.`analysis_id`,
    e.`branch`,
    e.`enrollment_date`,
    e.`num_enrollment_events`,
    e.`exposure_date`,
    e.`num_exposure_events`,
    e.`period`,
    e.`window_index`,
    e.`window_start`,
    e.`window_end`,
    e.`analysis_basis`,
    e.`is_provisional`,
    IF(merged_0.analysis_id IS NULL, 0, merged_0.s_fa2f3110ba0f) AS `big`,
    IF(e.branch = 'control', merged_0.s_adb85242a96b, -1) AS `control_hits`,
    merged_0.s_12eb691281ae AS `hits`,
    merged_0.s_4dbcb0d0a77b AS `lag`,
    IF(merged_0.analysis_id IS NULL, 1, merged_0.s_5935dca72a5c) AS `rows`,
    COALESCE(merged_0.s_9a898ae796ce, FALSE) AS `shown`,
    COALESCE(merged_0.s_aa2bbc067833, 0) AS `spend`,
    IF(merged_0.analysis_id IS NULL, 0, merged_0.s_abc04ed5d79e) AS `values`,
    COALESCE(merged_0.s_ac96a393b635, FALSE) AS `activity_simple_has_contradictory_branch`,
    COALESCE(IF(merged_0.analysis_id IS NULL, FALSE, merged_0.s_27ef9a473456), FALSE) AS `activity_simple_has_non_enrolled_data`
  FROM jetstream_day_units AS e
  LEFT JOIN (
    SELECT
      analysis_id,
      day,
      s_12eb691281ae,
      s_27ef9a473456,
      s_4dbcb0d0a77b,
      s_5935dca72a5c,
      s_9a898ae796ce,
      s_aa2bbc067833,
      s_abc04ed5d79e,
      s_ac96a393b635,
      s_adb85242a96b,
      s_fa2f3110ba0f
    FROM `slices`.`jetstream`.`daily_aggregates/reader-mode@2024-01-01,2024-01-02,2024-01-03,2024-01-04,2024-01-05,2024-01-06,2024-01-07,2024-01-08+source-1a2b`
  ) AS merged_0
    ON merged_0.analysis_id = e.`analysis_id` AND merged_0.day = e.`jetstream_day`
  UNION ALL
  SELECT
    e.`analysis_id`,
    e.`branch`,
    e.`enrollment_date`,
    e.`num_enrollment_events`,
    e.`exposure_date`,
    e.`num_exposure_events`,
    e.`period`,
    e.`window_index`,
    e.`window_start`,
    e.`window_end`,
    e.`analysis_basis`,
    e.`is_provisional`,
    IF(merged_0.analysis_id IS NULL, 0, merged_0.s_fa2f3110ba0f) AS `big`,
    IF(e.branch = 'control', merged_0.s_adb85242a96b, -1) AS `control_hits`,
    merged_0.s_12eb691281ae AS `hits`,
    merged_0.s_4dbcb0d0a77b AS `lag`,
    IF(merged_0.analysis_id IS NULL, 1, merged_0.s_5935dca72a5c) AS `rows`,
    COALESCE(merged_0.s_9a898ae796ce, FALSE) AS `shown`,
    COALESCE(merged_0.s_aa2bbc067833, 0) AS `spend`,
    IF(merged_0.analysis_id IS NULL, 0, merged_0.s_abc04ed5d79e) AS `values`,
    COALESCE(merged_0.s_ac96a393b635, FALSE) AS `activity_simple_has_contradictory_branch`,
    COALESCE(IF(merged_0.analysis_id IS NULL, FALSE, merged_0.s_27ef9a473456), FALSE) AS `activity_simple_has_non_enrolled_data`
  FROM jetstream_units AS e
  LEFT JOIN (
    SELECT
      e.jetstream_part,
      s.analysis_id,
      SUM(s.s_12eb691281ae) AS s_12eb691281ae,
      LOGICAL_OR(s.s_27ef9a473456) AS s_27ef9a473456,
      MAX(s.s_4dbcb0d0a77b) AS s_4dbcb0d0a77b,
      SUM(s.s_5935dca72a5c) AS s_5935dca72a5c,
      LOGICAL_OR(s.s_9a898ae796ce) AS s_9a898ae796ce,
      SUM(s.s_aa2bbc067833) AS s_aa2bbc067833,
      SUM(s.s_abc04ed5d79e) AS s_abc04ed5d79e,
      LOGICAL_OR(s.s_ac96a393b635) AS s_ac96a393b635,
      SUM(s.s_adb85242a96b) AS s_adb85242a96b,
      SUM(s.s_fa2f3110ba0f) AS s_fa2f3110ba0f
    FROM (
      SELECT
        analysis_id,
        day,
        s_12eb691281ae,
        s_27ef9a473456,
        s_4dbcb0d0a77b,
        s_5935dca72a5c,
        s_9a898ae796ce,
        s_aa2bbc067833,
        s_abc04ed5d79e,
        s_ac96a393b635,
        s_adb85242a96b,
        s_fa2f3110ba0f
      FROM `slices`.`jetstream`.`daily_aggregates/reader-mode@2024-01-01,2024-01-02,2024-01-03,2024-01-04,2024-01-05,2024-01-06,2024-01-07,2024-01-08+source-1a2b`
    ) AS s
    JOIN jetstream_units AS e
      ON s.analysis_id = e.analysis_id
      AND DATE_DIFF(s.day, e.jetstream_anchor, DAY) BETWEEN e.window_start AND e.window_end
    GROUP BY
      e.jetstream_part,
      s.analysis_id
  ) AS merged_0
    ON merged_0.analysis_id = e.`analysis_id`
    AND merged_0.jetstream_part = e.`jetstream_part`
) AS parts
ORDER BY
  period,
  window_index,
  analysis_basis,
  analysis_id,
  branch

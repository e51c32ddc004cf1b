WITH jetstream_enrolled AS (
  SELECT
    "analysis_id",
    "branch",
    "enrollment_date",
    "num_enrollment_events",
    "exposure_date",
    "num_exposure_events"
  FROM "slices"."jetstream"."enrollments/reader-mode@2024-01-08"
  WHERE
    NOT is_excluded
), jetstream_day_units AS (
  SELECT
    "analysis_id",
    "branch",
    "enrollment_date",
    "num_enrollment_events",
    "exposure_date",
    "num_exposure_events",
    TO_INT64(0) AS jetstream_part,
    enrollment_date AS jetstream_anchor,
    (
      AS_DATE(enrollment_date) + 6
    ) AS jetstream_day,
    'day' AS period,
    TO_INT64(7) AS window_index,
    TO_INT64(6) AS window_start,
    TO_INT64(6) AS window_end,
    'enrollments' AS analysis_basis,
    FALSE AS is_provisional
  FROM jetstream_enrolled
  UNION ALL
  SELECT
    "analysis_id",
    "branch",
    "enrollment_date",
    "num_enrollment_events",
    "exposure_date",
    "num_exposure_events",
    TO_INT64(1) AS jetstream_part,
    exposure_date AS jetstream_anchor,
    (
      AS_DATE(exposure_date) + 6
    ) AS jetstream_day,
    'day' AS period,
    TO_INT64(7) AS window_index,
    TO_INT64(6) AS window_start,
    TO_INT64(6) AS window_end,
    'exposures' AS analysis_basis,
    FALSE AS is_provisional
  FROM jetstream_enrolled
  WHERE
    NOT exposure_date IS NULL
), jetstream_units AS (
  SELECT
    "analysis_id",
    "branch",
    "enrollment_date",
    "num_enrollment_events",
    "exposure_date",
    "num_exposure_events",
    TO_INT64(0) AS jetstream_part,
    enrollment_date AS jetstream_anchor,
    CAST(NULL AS DATE) AS jetstream_day,
    'week' AS period,
    TO_INT64(1) AS window_index,
    TO_INT64(0) AS window_start,
    TO_INT64(6) AS window_end,
    'enrollments' AS analysis_basis,
    FALSE AS is_provisional
  FROM jetstream_enrolled
  UNION ALL
  SELECT
    "analysis_id",
    "branch",
    "enrollment_date",
    "num_enrollment_events",
    "exposure_date",
    "num_exposure_events",
    TO_INT64(1) AS jetstream_part,
    exposure_date AS jetstream_anchor,
    CAST(NULL AS DATE) AS jetstream_day,
    'week' AS period,
    TO_INT64(1) AS window_index,
    TO_INT64(0) AS window_start,
    TO_INT64(6) AS window_end,
    'exposures' AS analysis_basis,
    FALSE AS is_provisional
  FROM jetstream_enrolled
  WHERE
    NOT exposure_date IS NULL
)
SELECT
  "analysis_id",
  "branch",
  "enrollment_date",
  "num_enrollment_events",
  "exposure_date",
  "num_exposure_events",
  "period",
  "window_index",
  "window_start",
  "window_end",
  "analysis_basis",
  "is_provisional",
  "ever",
  "hits",
  "spend",
  "activity_simple_has_contradictory_branch",
  "activity_simple_has_non_enrolled_data"
FROM (
  SELECT
    e."analysis_id",
    e."branch",
    e."enrollment_date",
    e."num_enrollment_events",
    e."exposure_date",
    e."num_exposure_events",
    e."period",
    e."window_index",
    e."window_start",
    e."window_end",
    e."analysis_basis",
    e."is_provisional",
    NULL AS "ever",
    NULL AS "hits",
    COALESCE(merged_0.s_aa2bbc067833, 0) AS "spend",
    COALESCE(merged_0.s_ac96a393b635, FALSE) AS "activity_simple_has_contradictory_branch",
    COALESCE(
      CASE WHEN merged_0.analysis_id IS NULL THEN FALSE ELSE merged_0.s_27ef9a473456 END,
      FALSE
    ) AS "activity_simple_has_non_enrolled_data"
  FROM jetstream_day_units AS e
  LEFT JOIN (
    SELECT
      analysis_id,
      day,
      s_27ef9a473456,
      s_aa2bbc067833,
      s_ac96a393b635
    FROM "slices"."jetstream"."daily_aggregates/reader-mode@2024-01-01,2024-01-02,2024-01-03,2024-01-04,2024-01-05,2024-01-06,2024-01-07,2024-01-08+source-1a2b"
  ) AS merged_0
    ON merged_0.analysis_id = e."analysis_id" AND merged_0.day = e."jetstream_day"
  UNION ALL
  SELECT
    e."analysis_id",
    e."branch",
    e."enrollment_date",
    e."num_enrollment_events",
    e."exposure_date",
    e."num_exposure_events",
    e."period",
    e."window_index",
    e."window_start",
    e."window_end",
    e."analysis_basis",
    e."is_provisional",
    CASE WHEN e."jetstream_part" IN (0) THEN merged_0.s_3519708872b1 ELSE NULL END AS "ever",
    CASE WHEN e."jetstream_part" IN (1) THEN merged_0.s_b21dc8779c4d ELSE NULL END AS "hits",
    COALESCE(merged_1.s_aa2bbc067833, 0) AS "spend",
    COALESCE(merged_1.s_ac96a393b635, FALSE) AS "activity_simple_has_contradictory_branch",
    COALESCE(
      CASE WHEN merged_1.analysis_id IS NULL THEN FALSE ELSE merged_1.s_27ef9a473456 END,
      FALSE
    ) AS "activity_simple_has_non_enrolled_data"
  FROM jetstream_units AS e
  LEFT JOIN (
    SELECT
      e.jetstream_part,
      s.analysis_id,
      BOOL_OR(s.s_3519708872b1) AS s_3519708872b1,
      SUM(s.s_b21dc8779c4d) AS s_b21dc8779c4d
    FROM (
      SELECT
        analysis_id,
        day,
        s_3519708872b1,
        s_b21dc8779c4d
      FROM "slices"."jetstream"."daily_aggregates/reader-mode@2024-01-01,2024-01-02,2024-01-03,2024-01-04,2024-01-05,2024-01-06,2024-01-07,2024-01-08+source-1a2b"
    ) AS s
    JOIN jetstream_units AS e
      ON s.analysis_id = e.analysis_id
      AND DATE_DIFF('DAY', e.jetstream_anchor, s.day) BETWEEN e.window_start AND e.window_end
    GROUP BY
      e.jetstream_part,
      s.analysis_id
  ) AS merged_0
    ON merged_0.analysis_id = e."analysis_id"
    AND merged_0.jetstream_part = e."jetstream_part"
  LEFT JOIN (
    SELECT
      e.jetstream_part,
      s.analysis_id,
      BOOL_OR(s.s_27ef9a473456) AS s_27ef9a473456,
      SUM(s.s_aa2bbc067833) AS s_aa2bbc067833,
      BOOL_OR(s.s_ac96a393b635) AS s_ac96a393b635
    FROM (
      SELECT
        analysis_id,
        day,
        s_27ef9a473456,
        s_aa2bbc067833,
        s_ac96a393b635
      FROM "slices"."jetstream"."daily_aggregates/reader-mode@2024-01-01,2024-01-02,2024-01-03,2024-01-04,2024-01-05,2024-01-06,2024-01-07,2024-01-08+source-1a2b"
    ) AS s
    JOIN jetstream_units AS e
      ON s.analysis_id = e.analysis_id
      AND DATE_DIFF('DAY', e.jetstream_anchor, s.day) BETWEEN e.window_start AND e.window_end
    GROUP BY
      e.jetstream_part,
      s.analysis_id
  ) AS merged_1
    ON merged_1.analysis_id = e."analysis_id"
    AND merged_1.jetstream_part = e."jetstream_part"
) AS parts
ORDER BY
  period NULLS FIRST,
  window_index NULLS FIRST,
  analysis_basis NULLS FIRST,
  analysis_id NULLS FIRST,
  branch NULLS FIRST

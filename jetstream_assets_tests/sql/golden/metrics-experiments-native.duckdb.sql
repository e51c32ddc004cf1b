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
), jetstream_week_1_enrollments AS (
  SELECT
    "analysis_id",
    "branch",
    "enrollment_date",
    "num_enrollment_events",
    "exposure_date",
    "num_exposure_events"
  FROM jetstream_enrolled
), jetstream_week_1_exposures AS (
  SELECT
    "analysis_id",
    "branch",
    "enrollment_date",
    "num_enrollment_events",
    "exposure_date",
    "num_exposure_events"
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
  "big",
  "control_hits",
  "hits",
  "lag",
  "rows",
  "shown",
  "spend",
  "values",
  "activity_native_has_contradictory_branch",
  "activity_native_has_non_enrolled_data"
FROM (
  SELECT
    e."analysis_id",
    e."branch",
    e."enrollment_date",
    e."num_enrollment_events",
    e."exposure_date",
    e."num_exposure_events",
    'week' AS period,
    TO_INT64(1) AS window_index,
    TO_INT64(0) AS window_start,
    TO_INT64(6) AS window_end,
    'enrollments' AS analysis_basis,
    FALSE AS is_provisional,
    source_0."big" AS "big",
    source_0."control_hits" AS "control_hits",
    source_0."hits" AS "hits",
    source_0."lag" AS "lag",
    source_0."rows" AS "rows",
    source_0."shown" AS "shown",
    source_0."spend" AS "spend",
    source_0."values" AS "values",
    source_0."activity_native_has_contradictory_branch" AS "activity_native_has_contradictory_branch",
    source_0."activity_native_has_non_enrolled_data" AS "activity_native_has_non_enrolled_data"
  FROM jetstream_week_1_enrollments AS e
  LEFT JOIN (
    SELECT
      e.analysis_id,
      COALESCE(
        BOOL_OR((
          MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode').branch
        ) <> e.branch),
        FALSE
      ) AS "activity_native_has_contradictory_branch",
      COALESCE(
        BOOL_OR(
          NOT ds.client_id IS NULL
          AND (
            MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode').branch
          ) IS NULL
        ),
        FALSE
      ) AS "activity_native_has_non_enrolled_data",
      COUNT(*) FILTER(WHERE
        value > 5) AS "big",
      CASE WHEN e.branch = 'control' THEN SUM(ds.hits) ELSE -1 END AS "control_hits",
      SUM(hits) AS "hits",
      MAX(DATE_DIFF('DAY', e.enrollment_date, CAST(ds.submission_date AS DATE))) AS "lag",
      COUNT(*) AS "rows",
      COALESCE(BOOL_OR(is_shown), FALSE) AS "shown",
      COALESCE(SUM(value), 0) AS "spend",
      COUNT(value) AS "values"
    FROM jetstream_week_1_enrollments AS e
    LEFT JOIN (
      SELECT
        client_id,
        profile_group_id,
        submission_date,
        value,
        hits,
        is_shown,
        native AS experiments
      FROM "mozdata"."lab"."activity"
    ) AS ds
      ON TO_STRING(ds.client_id) = e.analysis_id
      AND ds.submission_date BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-14' AS DATE)
      AND DATE_DIFF('DAY', e.enrollment_date, ds.submission_date) BETWEEN 0 AND 6
      AND (
        ds.submission_date <> e.enrollment_date
        OR NOT (
          MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode').branch
        ) IS NULL
      )
    GROUP BY
      e.analysis_id,
      e.branch
  ) AS source_0
    ON source_0."analysis_id" = e.analysis_id
  UNION ALL
  SELECT
    e."analysis_id",
    e."branch",
    e."enrollment_date",
    e."num_enrollment_events",
    e."exposure_date",
    e."num_exposure_events",
    'week' AS period,
    TO_INT64(1) AS window_index,
    TO_INT64(0) AS window_start,
    TO_INT64(6) AS window_end,
    'exposures' AS analysis_basis,
    FALSE AS is_provisional,
    source_0."big" AS "big",
    source_0."control_hits" AS "control_hits",
    source_0."hits" AS "hits",
    source_0."lag" AS "lag",
    source_0."rows" AS "rows",
    source_0."shown" AS "shown",
    source_0."spend" AS "spend",
    source_0."values" AS "values",
    source_0."activity_native_has_contradictory_branch" AS "activity_native_has_contradictory_branch",
    source_0."activity_native_has_non_enrolled_data" AS "activity_native_has_non_enrolled_data"
  FROM jetstream_week_1_exposures AS e
  LEFT JOIN (
    SELECT
      e.analysis_id,
      COALESCE(
        BOOL_OR((
          MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode').branch
        ) <> e.branch),
        FALSE
      ) AS "activity_native_has_contradictory_branch",
      COALESCE(
        BOOL_OR(
          NOT ds.client_id IS NULL
          AND (
            MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode').branch
          ) IS NULL
        ),
        FALSE
      ) AS "activity_native_has_non_enrolled_data",
      COUNT(*) FILTER(WHERE
        value > 5) AS "big",
      CASE WHEN e.branch = 'control' THEN SUM(ds.hits) ELSE -1 END AS "control_hits",
      SUM(hits) AS "hits",
      MAX(DATE_DIFF('DAY', e.enrollment_date, CAST(ds.submission_date AS DATE))) AS "lag",
      COUNT(*) AS "rows",
      COALESCE(BOOL_OR(is_shown), FALSE) AS "shown",
      COALESCE(SUM(value), 0) AS "spend",
      COUNT(value) AS "values"
    FROM jetstream_week_1_exposures AS e
    LEFT JOIN (
      SELECT
        client_id,
        profile_group_id,
        submission_date,
        value,
        hits,
        is_shown,
        native AS experiments
      FROM "mozdata"."lab"."activity"
    ) AS ds
      ON TO_STRING(ds.client_id) = e.analysis_id
      AND ds.submission_date BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-14' AS DATE)
      AND DATE_DIFF('DAY', e.exposure_date, ds.submission_date) BETWEEN 0 AND 6
      AND (
        ds.submission_date <> e.enrollment_date
        OR NOT (
          MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode').branch
        ) IS NULL
      )
    GROUP BY
      e.analysis_id,
      e.branch
  ) AS source_0
    ON source_0."analysis_id" = e.analysis_id
) AS parts
ORDER BY
  period NULLS FIRST,
  window_index NULLS FIRST,
  analysis_basis NULLS FIRST,
  analysis_id NULLS FIRST,
  branch NULLS FIRST

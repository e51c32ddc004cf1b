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
), jetstream_overall_1_enrollments AS (
  SELECT
    "analysis_id",
    "branch",
    "enrollment_date",
    "num_enrollment_events",
    "exposure_date",
    "num_exposure_events"
  FROM jetstream_enrolled
), jetstream_overall_1_exposures AS (
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
    'overall' AS period,
    TO_INT64(1) AS window_index,
    TO_INT64(0) AS window_start,
    TO_INT64(27) AS window_end,
    'enrollments' AS analysis_basis,
    FALSE AS is_provisional,
    source_0."ever" AS "ever",
    NULL AS "hits",
    source_1."spend" AS "spend",
    source_1."activity_simple_has_contradictory_branch" AS "activity_simple_has_contradictory_branch",
    source_1."activity_simple_has_non_enrolled_data" AS "activity_simple_has_non_enrolled_data"
  FROM jetstream_overall_1_enrollments AS e
  LEFT JOIN (
    SELECT
      e.analysis_id,
      BOOL_OR(is_shown) AS "ever"
    FROM jetstream_overall_1_enrollments AS e
    LEFT JOIN "mozdata"."lab"."activity" AS ds
      ON TO_STRING(ds.info.client_id) = e.analysis_id
      AND ds.info.day BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-02-04' AS DATE)
      AND DATE_DIFF('DAY', e.enrollment_date, ds.info.day) BETWEEN 0 AND 27
    GROUP BY
      e.analysis_id
  ) AS source_0
    ON source_0."analysis_id" = e.analysis_id
  LEFT JOIN (
    SELECT
      e.analysis_id,
      COALESCE(
        BOOL_OR((
          MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode')
        ) <> e.branch),
        FALSE
      ) AS "activity_simple_has_contradictory_branch",
      COALESCE(
        BOOL_OR(
          NOT ds.client_id IS NULL
          AND (
            MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode')
          ) IS NULL
        ),
        FALSE
      ) AS "activity_simple_has_non_enrolled_data",
      COALESCE(SUM(value), 0) AS "spend"
    FROM jetstream_overall_1_enrollments AS e
    LEFT JOIN (
      SELECT
        client_id,
        profile_group_id,
        submission_date,
        value,
        hits,
        is_shown,
        simple AS experiments
      FROM "mozdata"."lab"."activity"
    ) AS ds
      ON TO_STRING(ds.client_id) = e.analysis_id
      AND ds.submission_date BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-02-04' AS DATE)
      AND DATE_DIFF('DAY', e.enrollment_date, ds.submission_date) BETWEEN 0 AND 27
      AND (
        ds.submission_date <> e.enrollment_date
        OR NOT (
          MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode')
        ) IS NULL
      )
    GROUP BY
      e.analysis_id
  ) AS source_1
    ON source_1."analysis_id" = e.analysis_id
  UNION ALL
  SELECT
    e."analysis_id",
    e."branch",
    e."enrollment_date",
    e."num_enrollment_events",
    e."exposure_date",
    e."num_exposure_events",
    'overall' AS period,
    TO_INT64(1) AS window_index,
    TO_INT64(0) AS window_start,
    TO_INT64(27) AS window_end,
    'exposures' AS analysis_basis,
    FALSE AS is_provisional,
    NULL AS "ever",
    source_0."hits" AS "hits",
    source_1."spend" AS "spend",
    source_1."activity_simple_has_contradictory_branch" AS "activity_simple_has_contradictory_branch",
    source_1."activity_simple_has_non_enrolled_data" AS "activity_simple_has_non_enrolled_data"
  FROM jetstream_overall_1_exposures AS e
  LEFT JOIN (
    SELECT
      e.analysis_id,
      SUM(hits) AS "hits"
    FROM jetstream_overall_1_exposures AS e
    LEFT JOIN "mozdata"."lab"."activity" AS ds
      ON TO_STRING(ds.info.client_id) = e.analysis_id
      AND ds.info.day BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-02-04' AS DATE)
      AND DATE_DIFF('DAY', e.exposure_date, ds.info.day) BETWEEN 0 AND 27
    GROUP BY
      e.analysis_id
  ) AS source_0
    ON source_0."analysis_id" = e.analysis_id
  LEFT JOIN (
    SELECT
      e.analysis_id,
      COALESCE(
        BOOL_OR((
          MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode')
        ) <> e.branch),
        FALSE
      ) AS "activity_simple_has_contradictory_branch",
      COALESCE(
        BOOL_OR(
          NOT ds.client_id IS NULL
          AND (
            MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode')
          ) IS NULL
        ),
        FALSE
      ) AS "activity_simple_has_non_enrolled_data",
      COALESCE(SUM(value), 0) AS "spend"
    FROM jetstream_overall_1_exposures AS e
    LEFT JOIN (
      SELECT
        client_id,
        profile_group_id,
        submission_date,
        value,
        hits,
        is_shown,
        simple AS experiments
      FROM "mozdata"."lab"."activity"
    ) AS ds
      ON TO_STRING(ds.client_id) = e.analysis_id
      AND ds.submission_date BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-02-04' AS DATE)
      AND DATE_DIFF('DAY', e.exposure_date, ds.submission_date) BETWEEN 0 AND 27
      AND (
        ds.submission_date <> e.enrollment_date
        OR NOT (
          MOZFUN_MAP_GET_KEY(ds.experiments, 'reader-mode')
        ) IS NULL
      )
    GROUP BY
      e.analysis_id
  ) AS source_1
    ON source_1."analysis_id" = e.analysis_id
) AS parts
ORDER BY
  period NULLS FIRST,
  window_index NULLS FIRST,
  analysis_basis NULLS FIRST,
  analysis_id NULLS FIRST,
  branch NULLS FIRST

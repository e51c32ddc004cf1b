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
), jetstream_week_1_enrollments AS (
  SELECT
    `analysis_id`,
    `branch`,
    `enrollment_date`,
    `num_enrollment_events`,
    `exposure_date`,
    `num_exposure_events`
  FROM jetstream_enrolled
), jetstream_week_1_exposures AS (
  SELECT
    `analysis_id`,
    `branch`,
    `enrollment_date`,
    `num_enrollment_events`,
    `exposure_date`,
    `num_exposure_events`
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
  `activity_glean_has_contradictory_branch`,
  `activity_glean_has_non_enrolled_data`
FROM (
  SELECT
    e.`analysis_id`,
    e.`branch`,
    e.`enrollment_date`,
    e.`num_enrollment_events`,
    e.`exposure_date`,
    e.`num_exposure_events`,
    'week' AS period,
    CAST(1 AS INT64) AS window_index,
    CAST(0 AS INT64) AS window_start,
    CAST(6 AS INT64) AS window_end,
    'enrollments' AS analysis_basis,
    FALSE AS is_provisional,
    source_0.`big` AS `big`,
    source_0.`control_hits` AS `control_hits`,
    source_0.`hits` AS `hits`,
    source_0.`lag` AS `lag`,
    source_0.`rows` AS `rows`,
    source_0.`shown` AS `shown`,
    source_0.`spend` AS `spend`,
    source_0.`values` AS `values`,
    source_0.`activity_glean_has_contradictory_branch` AS `activity_glean_has_contradictory_branch`,
    source_0.`activity_glean_has_non_enrolled_data` AS `activity_glean_has_non_enrolled_data`
  FROM jetstream_week_1_enrollments AS e
  LEFT JOIN (
    SELECT
      e.analysis_id,
      COALESCE(
        LOGICAL_OR(
          (
            mozfun.map.get_key(ds.ping_info.experiments, 'reader-mode').branch
          ) <> e.branch
        ),
        FALSE
      ) AS `activity_glean_has_contradictory_branch`,
      COALESCE(
        LOGICAL_OR(
          NOT ds.client_id IS NULL
          AND (
            mozfun.map.get_key(ds.ping_info.experiments, 'reader-mode').branch
          ) IS NULL
        ),
        FALSE
      ) AS `activity_glean_has_non_enrolled_data`,
      COUNTIF(value > 5) AS `big`,
      IF(e.branch = 'control', SUM(ds.hits), -1) AS `control_hits`,
      SUM(hits) AS `hits`,
      MAX(DATE_DIFF(DATE(ds.submission_date), e.enrollment_date, DAY)) AS `lag`,
      COUNT(*) AS `rows`,
      COALESCE(LOGICAL_OR(is_shown), FALSE) AS `shown`,
      COALESCE(SUM(value), 0) AS `spend`,
      COUNT(value) AS `values`
    FROM jetstream_week_1_enrollments AS e
    LEFT JOIN (
      SELECT
        client_id,
        profile_group_id,
        submission_date,
        value,
        hits,
        is_shown,
        ping_info
      FROM `mozdata.lab.activity`
    ) AS ds
      ON CAST(ds.client_id AS STRING) = e.analysis_id
      AND ds.submission_date BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-14' AS DATE)
      AND DATE_DIFF(ds.submission_date, e.enrollment_date, DAY) BETWEEN 0 AND 6
      AND (
        ds.submission_date <> e.enrollment_date
        OR NOT (
          mozfun.map.get_key(ds.ping_info.experiments, 'reader-mode').branch
        ) IS NULL
      )
    GROUP BY
      e.analysis_id,
      e.branch
  ) AS source_0
    ON source_0.`analysis_id` = e.analysis_id
  UNION ALL
  SELECT
    e.`analysis_id`,
    e.`branch`,
    e.`enrollment_date`,
    e.`num_enrollment_events`,
    e.`exposure_date`,
    e.`num_exposure_events`,
    'week' AS period,
    CAST(1 AS INT64) AS window_index,
    CAST(0 AS INT64) AS window_start,
    CAST(6 AS INT64) AS window_end,
    'exposures' AS analysis_basis,
    FALSE AS is_provisional,
    source_0.`big` AS `big`,
    source_0.`control_hits` AS `control_hits`,
    source_0.`hits` AS `hits`,
    source_0.`lag` AS `lag`,
    source_0.`rows` AS `rows`,
    source_0.`shown` AS `shown`,
    source_0.`spend` AS `spend`,
    source_0.`values` AS `values`,
    source_0.`activity_glean_has_contradictory_branch` AS `activity_glean_has_contradictory_branch`,
    source_0.`activity_glean_has_non_enrolled_data` AS `activity_glean_has_non_enrolled_data`
  FROM jetstream_week_1_exposures AS e
  LEFT JOIN (
    SELECT
      e.analysis_id,
      COALESCE(
        LOGICAL_OR(
          (
            mozfun.map.get_key(ds.ping_info.experiments, 'reader-mode').branch
          ) <> e.branch
        ),
        FALSE
      ) AS `activity_glean_has_contradictory_branch`,
      COALESCE(
        LOGICAL_OR(
          NOT ds.client_id IS NULL
          AND (
            mozfun.map.get_key(ds.ping_info.experiments, 'reader-mode').branch
          ) IS NULL
        ),
        FALSE
      ) AS `activity_glean_has_non_enrolled_data`,
      COUNTIF(value > 5) AS `big`,
      IF(e.branch = 'control', SUM(ds.hits), -1) AS `control_hits`,
      SUM(hits) AS `hits`,
      MAX(DATE_DIFF(DATE(ds.submission_date), e.enrollment_date, DAY)) AS `lag`,
      COUNT(*) AS `rows`,
      COALESCE(LOGICAL_OR(is_shown), FALSE) AS `shown`,
      COALESCE(SUM(value), 0) AS `spend`,
      COUNT(value) AS `values`
    FROM jetstream_week_1_exposures AS e
    LEFT JOIN (
      SELECT
        client_id,
        profile_group_id,
        submission_date,
        value,
        hits,
        is_shown,
        ping_info
      FROM `mozdata.lab.activity`
    ) AS ds
      ON CAST(ds.client_id AS STRING) = e.analysis_id
      AND ds.submission_date BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-14' AS DATE)
      AND DATE_DIFF(ds.submission_date, e.exposure_date, DAY) BETWEEN 0 AND 6
      AND (
        ds.submission_date <> e.enrollment_date
        OR NOT (
          mozfun.map.get_key(ds.ping_info.experiments, 'reader-mode').branch
        ) IS NULL
      )
    GROUP BY
      e.analysis_id,
      e.branch
  ) AS source_0
    ON source_0.`analysis_id` = e.analysis_id
) AS parts
ORDER BY
  period,
  window_index,
  analysis_basis,
  analysis_id,
  branch

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
  ANY_VALUE(probed."hits") AS "hits"
FROM (
  SELECT
    e.analysis_id,
    SUM(hits) AS "hits"
  FROM jetstream_week_1_exposures AS e
  LEFT JOIN "mozdata"."lab"."activity" AS ds
    ON TO_STRING(ds.info.client_id) = e.analysis_id
    AND ds.info.day BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-14' AS DATE)
    AND DATE_DIFF('DAY', e.exposure_date, ds.info.day) BETWEEN 0 AND 6
  GROUP BY
    e.analysis_id
) AS probed

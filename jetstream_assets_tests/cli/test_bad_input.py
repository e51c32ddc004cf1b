"""Whatever is wrong with the input, a sentence says so and everything else gets its results."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets_tests.cli.command import run
from jetstream_assets_tests.orchestration.laboratory import (
    CONFIGURATION,
    EXPERIMENT,
    FIRST_WEEK,
)

if TYPE_CHECKING:
    from jetstream_assets_tests.orchestration.laboratory import Laboratory

WEEK = ("--date", FIRST_WEEK.isoformat())
RECORD = experimenter_record(EXPERIMENT)


def _told(laboratory: Laboratory, *arguments: str) -> str:
    """What a run says, which ends well: every cell has results or a stored reason."""
    result = run(laboratory, *(arguments or WEEK))
    assert result.exit_code == 0, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def _errors(laboratory: Laboratory, slug: str = "small_experiment") -> list[dict[str, Any]]:
    """The exported errors document."""
    path = laboratory.root / "output" / "errors" / f"errors_{slug}.json"
    errors: list[dict[str, Any]] = json.loads(path.read_text())
    return errors


def _add_metrics(laboratory: Laboratory, definitions: dict[str, str]) -> None:
    """Add metrics of these names to the weekly list."""
    listed = "".join(f'"{name}", ' for name in definitions)
    text = CONFIGURATION.replace('weekly = ["', f'weekly = [{listed}"')
    for name, definition in definitions.items():
        text += f"\n[metrics.{name}.statistics.bootstrap_mean]\n[metrics.{name}]\n{definition}\n"
    laboratory.configure(text)


SIGNAL = """
[experiment.exposure_signal]
name = "used"
friendly_name = "Used"
description = "The unit was active."
data_source = "late"
select_expression = "active_hours_sum > 0"
[data_sources.late]
from_expression = "telemetry.late_table"
experiments_column_type = "none"
"""

# By the name of the metric: its definition, and what the reason names.
METRIC_FAULTS = {
    "no_column": (
        'data_source = "clients_daily"\nselect_expression = "SUM(no_such_column)"',
        "no_such_column",
    ),
    "no_number": (
        'data_source = "clients_daily"\nselect_expression = "SUM(CAST(country AS INT64))"',
        "no_number",
    ),
    "no_table": (
        (
            'data_source = "nowhere"\nselect_expression = "COUNT(*)"\n'
            '[data_sources.nowhere]\nfrom_expression = "telemetry.no_such_table"'
        ),
        "no_such_table",
    ),
    "no_rows": (
        (
            'data_source = "empty"\nselect_expression = "COUNT(x)"\n'
            '[data_sources.empty]\nfrom_expression = "telemetry.empty_table"'
        ),
        "no Parquet files",
    ),
    "no_function": (
        'data_source = "clients_daily"\nselect_expression = "NO_SUCH_FUNCTION(active_hours_sum)"',
        "no_such_function",
    ),
}


def test_faulty_metrics_have_a_reason_each_and_the_others_have_results(
    laboratory: Laboratory,
) -> None:
    (laboratory.root / "warehouse/telemetry/empty_table").mkdir()
    _add_metrics(laboratory, {name: fault for name, (fault, _) in METRIC_FAULTS.items()})
    told = _told(laboratory)
    failed = laboratory.rows("statistics", "status = 'failed'")
    assert {row["metric"] for row in failed} == set(METRIC_FAULTS)
    for row in failed:
        name, reason = row["metric"], row["reason"].lower()
        assert name in told
        assert METRIC_FAULTS[name][1].lower() in reason
        assert f"small-experiment.toml: metrics.{name}.select_expression" in row["reason"]
    assert all(named.lower() in told.lower() for _, named in METRIC_FAULTS.values())
    computed = laboratory.rows("statistics", "status = 'ok' AND period = 'week'")
    assert {row["metric"] for row in computed} == {"identity", "active_hours", "searches"}
    assert {error["metric"] for error in _errors(laboratory)} == set(METRIC_FAULTS)


def test_a_later_success_clears_the_reason(laboratory: Laboratory) -> None:
    _add_metrics(laboratory, {"no_column": METRIC_FAULTS["no_column"][0]})
    _told(laboratory)
    assert _errors(laboratory)
    laboratory.configure(CONFIGURATION)
    _told(laboratory)
    assert _errors(laboratory) == []
    assert not laboratory.rows("statistics", "status = 'failed'")


CONFIGURATION_FAULTS = [
    # what is written, and what the message names: file, key, found
    ('[metrics]\nweekly = ["serches"]', ("small-experiment.toml", "serches", "searches")),
    ('[experiment]\noutcomes = ["nothing"]', ("nothing", "firefox_desktop")),
    (
        '[experiment]\nstart_date = "2026-13-01"',
        ("small-experiment.toml", "start_date", "2026-13-01"),
    ),
    ('[experiment]\nsegments = ["sen_before"]', ("sen_before", "seen_before")),
    ("[experiment\n", ("small-experiment.toml",)),
    (
        '[metrics]\nweekly = ["searches"]\n[metrics.searches.statistics.bootstrap_maen]',
        ("small-experiment.toml", "bootstrap_maen", "bootstrap_mean"),
    ),
    (
        (
            '[metrics]\nweekly = ["searches"]\n'
            "[metrics.searches.statistics.bootstrap_mean]\ndrop_highest = 7"
        ),
        ("small-experiment.toml", "drop_highest", "7"),
    ),
]


@pytest.mark.parametrize(("text", "named"), CONFIGURATION_FAULTS)
def test_a_faulty_configuration_is_a_stored_refusal(
    laboratory: Laboratory, text: str, named: tuple[str, ...]
) -> None:
    laboratory.configure(text)
    told = _told(laboratory, "--slug", EXPERIMENT.slug, *WEEK)
    (refusal,) = laboratory.rows("plan_failures")
    assert refusal["exception_type"] == "ConfigurationException"
    assert "refused" in told
    for part in named:
        assert part in refusal["message"]
    assert _errors(laboratory)[0]["exception_type"] == "ConfigurationException"


def test_one_broken_file_does_not_stop_the_others(laboratory: Laboratory) -> None:
    laboratory.record(RECORD, RECORD | {"slug": "another"})
    laboratory.configure("[experiment\n", slug="another")
    told = _told(laboratory)
    assert "another.toml" in told
    assert laboratory.rows("statistics", "status = 'ok'")


RECORD_FAULTS = [
    ({"branches": []}, "no branches"),
    ({"startDate": "2026-02-30"}, "2026-02-30"),
    ({"isRollout": True}, "rollout"),
    ({"enrollmentEndDate": None}, "still enrolls"),
    ({"endDate": "2026-03-03"}, "2026-03-03"),
    ({"appName": "netscape"}, "netscape"),
]


@pytest.mark.parametrize(("change", "sentence"), RECORD_FAULTS)
def test_a_record_that_cannot_be_analysed_is_a_stored_refusal(
    laboratory: Laboratory, change: dict[str, object], sentence: str
) -> None:
    laboratory.record(RECORD | change)
    told = _told(laboratory, "--slug", EXPERIMENT.slug, *WEEK)
    (refusal,) = laboratory.rows("plan_failures")
    assert sentence in refusal["message"]
    assert "refused" in told
    assert not (laboratory.results / "statistics").exists()


def test_duplicate_slugs_are_refused_and_the_others_analysed(laboratory: Laboratory) -> None:
    laboratory.record(RECORD, RECORD | {"slug": "twice"}, RECORD | {"slug": "twice"})
    told = _told(laboratory)
    (refusal,) = laboratory.rows("plan_failures")
    assert (refusal["experiment"], refusal["exception_type"]) == (
        "twice",
        "UnreadableRecordException",
    )
    assert "twice" in told
    assert laboratory.rows("statistics", "status = 'ok'")


def test_a_faulty_segment_leaves_all_units_and_other_segments_alone(laboratory: Laboratory) -> None:
    text = CONFIGURATION.replace('["seen_before"]', '["seen_before", "faulty"]')
    laboratory.configure(
        f"{text}\n[segments.faulty]\ndata_source = 'usage'\n"
        "select_expression = 'LOGICAL_OR(no_such_column)'\n"
    )
    told = _told(laboratory)
    assert "The segment faulty could not be computed" in told
    assert "segments.faulty.select_expression" in told
    failed = laboratory.rows("statistics", "status = 'failed'")
    assert {row["segment"] for row in failed} == {"faulty"}
    computed = laboratory.rows("statistics", "status = 'ok'")
    assert {row["segment"] for row in computed} == {"all", "seen_before"}


def test_without_exposure_events_the_enrollments_basis_has_results(laboratory: Laboratory) -> None:
    query = (
        "SELECT client_id AS analysis_id, 'control' AS branch, DATE '2026-03-02' AS "
        "enrollment_date, 1 AS num_enrollment_events FROM telemetry.clients_daily "
        "WHERE sample_id < 50 UNION DISTINCT SELECT client_id, 'treatment', DATE '2026-03-02', 1 "
        "FROM telemetry.clients_daily WHERE sample_id >= 50"
    )
    laboratory.amend("[experiment]", f'[experiment]\nenrollment_query = """{query}"""')
    shutil.rmtree(laboratory.root / "warehouse/telemetry/events")
    told = _told(laboratory)
    assert "It is not known who was exposed" in told
    assert "exposure_signal" in told
    failed = laboratory.rows("statistics", "status = 'failed'")
    assert {row["analysis_basis"] for row in failed} == {"exposures"}
    computed = laboratory.rows("statistics", "status = 'ok' AND comparison IS NOT NULL")
    assert {row["metric"] for row in computed} == {"active_hours", "searches"}


def test_exposures_that_can_be_found_again_are(laboratory: Laboratory) -> None:
    laboratory.configure(CONFIGURATION + SIGNAL)
    _told(laboratory)
    assert {
        row["analysis_basis"] for row in laboratory.rows("statistics", "status = 'failed'")
    } == {"exposures"}
    telemetry = laboratory.root / "warehouse" / "telemetry"
    shutil.copytree(telemetry / "clients_daily", telemetry / "late_table")
    _told(laboratory)
    assert not laboratory.rows("statistics", "status = 'failed'")
    assert _errors(laboratory) == []


def test_missing_enrollments_fail_every_metric_with_the_reason(laboratory: Laboratory) -> None:
    shutil.rmtree(laboratory.root / "warehouse/telemetry/events")
    told = _told(laboratory)
    assert "telemetry.events" in told
    rows = laboratory.rows("statistics")
    assert {row["status"] for row in rows} == {"failed"}
    assert {row["metric"] for row in rows} >= {"active_hours", "searches"}
    assert all("telemetry.events" in row["reason"] for row in rows)


def test_missing_enrollments_of_today_do_not_use_those_of_yesterday(laboratory: Laboratory) -> None:
    _told(laboratory)
    laboratory.amend("[experiment]", '[experiment]\nenrollment_query = "SELECT * FROM a.b"')
    _told(laboratory)
    rows = laboratory.rows("statistics")
    assert {row["status"] for row in rows} == {"failed"}
    assert all("small-experiment.toml: experiment.enrollment_query" in r["reason"] for r in rows)


def test_null_and_infinite_values_are_left_out_and_told(laboratory: Laboratory) -> None:
    definition = (
        'data_source = "clients_daily"\nselect_expression = """'
        "CASE MOD(CAST(MAX(sample_id) AS INT64), 10) WHEN 0 THEN NULL "
        'WHEN 1 THEN CAST(\'inf\' AS FLOAT64) ELSE MAX(sample_id) * 1.0 END"""'
    )
    _add_metrics(laboratory, {"extra": definition})
    _told(laboratory)
    rows = laboratory.rows("statistics", "metric = 'extra' AND segment = 'all'")
    assert all(row["point"] is not None for row in rows)
    assert all("infinite" in row["reason"] for row in rows)


def test_a_ratio_whose_part_fails_says_which(laboratory: Laboratory) -> None:
    text = CONFIGURATION.replace('weekly = ["', 'weekly = ["rate", "extra", "')
    laboratory.configure(
        f"""{text}
[metrics.extra]
data_source = "clients_daily"
select_expression = "SUM(no_such_column)"
[metrics.extra.statistics.sum]
[metrics.rate]
depends_on = ["extra", "searches"]
[metrics.rate.statistics.population_ratio]
numerator = "extra"
denominator = "searches"
"""
    )
    _told(laboratory)
    failed = laboratory.rows("statistics", "metric = 'rate'")
    assert {row["status"] for row in failed} == {"failed"}


def test_unknown_keys_are_warnings_and_errors_when_strict(laboratory: Laboratory) -> None:
    laboratory.amend("[experiment]", "[experiment]\nenrolment_period = 3")
    _told(laboratory, "--slug", EXPERIMENT.slug, *WEEK)
    assert laboratory.rows("statistics", "status = 'ok'")
    _told(laboratory, "--slug", EXPERIMENT.slug, *WEEK, "--strict")
    (refusal,) = laboratory.rows("plan_failures")
    assert "enrolment_period" in refusal["message"]
    assert "enrollment_period" in refusal["message"]


@pytest.mark.parametrize("slug", ["x'; DROP TABLE y; --", "../../x", "<script>", "a" * 120, "ü x"])
def test_a_hostile_slug_is_only_text(laboratory: Laboratory, slug: str) -> None:
    laboratory.record(RECORD | {"slug": slug})
    defaults = laboratory.root / "configuration/jetstream/defaults"
    defaults.mkdir()
    (defaults / "firefox_desktop.toml").write_text(CONFIGURATION)
    outside = sorted(laboratory.root.parent.iterdir())
    result = run(laboratory, *WEEK)
    assert result.exit_code == 0, result.output
    assert {row["experiment"] for row in laboratory.rows("statistics")} == {slug} or len(slug) > 100
    assert sorted(laboratory.root.parent.iterdir()) == outside


def test_a_slug_with_a_bar_cannot_be_a_partition(laboratory: Laboratory) -> None:
    laboratory.record(RECORD | {"slug": "a|b"}, RECORD)
    told = _told(laboratory)
    assert "a|b" in told
    assert laboratory.rows("statistics", "status = 'ok'")

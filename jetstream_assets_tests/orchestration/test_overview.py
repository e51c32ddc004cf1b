"""What is told of an experiment after its runs, against what is stored and what is known."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from jetstream_assets.report.overview_schema import Overview
from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets_tests.orchestration.laboratory import (
    CONFIGURATION,
    END,
    EXPERIMENT,
    FIRST_WEEK,
    LAST_ENROLLMENT,
    Laboratory,
    days,
)

if TYPE_CHECKING:
    from jetstream_assets.report.overview_schema import TrustRecord

DECISION = '[experiment]\ndecision = { goals = ["searches"], guardrails = { active_hours = 0.5 } }'
NAME = "overview/overview_small_experiment.json"
PAGE = "pages/small_experiment.html"
# What a run asked of the warehouse is kept of each run, also of one that computes nothing.
COSTS = "query_costs"


def _overview(laboratory: Laboratory) -> Overview:
    body = laboratory.documents.read(NAME)
    assert body is not None
    return Overview.model_validate_json(body)


def _trust(told: Overview, name: str) -> TrustRecord:
    (item,) = (item for item in told.trust if item.name == name)
    return item


def test_the_overview_tells_what_is_stored(laboratory: Laboratory) -> None:
    laboratory.amend("[experiment]", DECISION)
    (run,) = laboratory.run(*days(EXPERIMENT.start_date, END))
    assert run.succeeded, run.errors
    told = _overview(laboratory)
    assert (told.slug, told.status, told.data_through) == (EXPERIMENT.slug, "complete", END)
    assert not told.is_provisional
    assert [branch.slug for branch in told.branches] == ["control", "treatment"]
    _check_units(told, laboratory)
    _check_windows(told, laboratory)
    assert {metric.name: metric.role for metric in told.metrics} == {
        "searches": "goal",
        "active_hours": "guardrail",
    }
    _check_verdict(told, laboratory)
    assert _trust(told, "sample_ratio").state == "ok"
    several = _trust(told, "units_in_several_branches")
    assert several.state == "warn"
    assert several.remedy
    excluded = laboratory.rows("enrollments", f"is_excluded AND date = '{LAST_ENROLLMENT}'")
    assert several.facts["excluded"] == len(excluded) > 0
    assert {name.partition("_")[0] for name in told.documents} == {
        "statistics",
        "metadata",
        "errors",
    }
    for name in told.documents.values():
        assert laboratory.documents.read(name) is not None
    assert [one.run_id for one in told.runs] == [run.run_id]
    assert told.runs[0].queries > 0
    assert all("SELECT" in query.sql for query in told.queries)
    page = laboratory.documents.read(PAGE)
    assert page is not None
    # The same again: the same bytes, but for what ran and what that cost.
    laboratory.run(END)
    again = _overview(laboratory)
    assert again.model_copy(update={"runs": told.runs}) == told


def _check_units(told: Overview, laboratory: Laboratory) -> None:
    rows = pd.DataFrame(
        laboratory.rows("enrollments", f"NOT is_excluded AND date = '{LAST_ENROLLMENT}'")
    )
    known = told.exposure
    assert known is not None
    for column in ("enrollment_date", "exposure_date"):
        rows[column] = pd.to_datetime(rows[column]).dt.date
    first, last = rows.enrollment_date.min(), rows.enrollment_date.max()
    assert known.days[0] == first
    assert known.days[-1] >= last
    for branch in known.branches:
        own = rows[rows.branch == branch.branch]
        assert branch.enrolled == [int((own.enrollment_date == day).sum()) for day in known.days]
        assert branch.exposed == [int((own.exposure_date == day).sum()) for day in known.days]
        assert branch.enrolled_total[-1] == len(own)
        assert branch.exposed_total is not None
        assert branch.exposed_total[-1] == own.exposure_date.notna().sum()
        assert branch.expected_total[-1] == len(rows) / 2


def _check_verdict(told: Overview, laboratory: Laboratory) -> None:
    """So few units find no effect; the numbers that say so are the stored ones."""
    where = (
        "period = 'overall' AND statistic = 'mean_lm' AND segment = 'all' "
        "AND analysis_basis = 'enrollments' AND branch = 'treatment' "
        "AND comparison = 'relative_uplift' AND comparison_to_branch = 'control'"
    )
    stored = {row["metric"]: row for row in laboratory.rows("statistics", where)}
    assert told.verdict is not None
    assert told.verdict.verdict == "inconclusive"
    (branch,) = told.verdict.branches
    assert [one.metric for one in branch.decided_by] == ["searches", "active_hours"]
    for one in branch.decided_by:
        row = stored[one.metric]
        assert f"{row['point']:+.2%} [{row['lower']:+.2%}, {row['upper']:+.2%}]" in one.text
    assert stored["searches"]["lower"] < 0 < stored["searches"]["upper"]


def _check_windows(told: Overview, laboratory: Laboratory) -> None:
    stored = {
        (row["window_start"], row["window_end"], row["window_index"])
        for row in laboratory.rows("statistics", "NOT is_provisional")
    }
    assert {(w.start, w.end, w.window_index) for w in told.windows} == stored


def test_a_changed_rule_writes_documents_and_computes_nothing(laboratory: Laboratory) -> None:
    def written() -> dict[str, int]:
        stored = laboratory.results.rglob("*.parquet")
        tables = {path: path.relative_to(laboratory.results).parts[0] for path in stored}
        return {str(p): p.stat().st_mtime_ns for p, table in tables.items() if table != COSTS}

    laboratory.run(END)
    before = written()
    assert _overview(laboratory).verdict is None
    laboratory.amend("[experiment]", DECISION)
    laboratory.run(END)
    assert _overview(laboratory).verdict is not None
    assert written() == before
    # The same look does see what a changed statistic computes again.
    laboratory.amend("[metrics.searches.statistics.deciles]", "")
    laboratory.run(END)
    assert written() != before


def test_while_units_enroll_results_are_provisional_and_nothing_is_decided(
    laboratory: Laboratory,
) -> None:
    laboratory.amend("[experiment]", DECISION)
    on = LAST_ENROLLMENT - timedelta(days=1)
    laboratory.run(*days(EXPERIMENT.start_date, on))
    told = _overview(laboratory)
    assert (told.status, told.is_provisional) == ("enrolling", True)
    assert told.verdict is not None
    assert told.verdict.verdict == "inconclusive"
    assert told.verdict.more_days
    assert any("provisional" in fact for fact in told.facts)


def test_what_people_call_an_experiment_is_the_title_of_its_page(laboratory: Laboratory) -> None:
    told = {"userFacingName": "Shelves & <books>", "userFacingDescription": "Do more people read?"}
    laboratory.record(experimenter_record(EXPERIMENT) | told)
    laboratory.run(EXPERIMENT.start_date)
    overview = _overview(laboratory)
    assert (overview.name, overview.description) == tuple(told.values())
    page = laboratory.documents.read(PAGE)
    assert page is not None
    assert b"<h1>Shelves &amp; &lt;books&gt;</h1>" in page
    assert b"Do more people read?</p>" in page
    index = laboratory.documents.read("pages/index.html")
    assert index is not None
    assert b"Shelves &amp; &lt;books&gt;" in index


@pytest.mark.parametrize(
    ("record", "on", "words"),
    [
        ({"is_rollout": True}, FIRST_WEEK, "is a rollout"),
        ({"start_date": None}, FIRST_WEEK, "start"),
        ({}, EXPERIMENT.start_date - timedelta(days=1), "no results yet"),
    ],
)
def test_without_results_it_says_why(
    laboratory: Laboratory, record: dict[str, bool | None], on: date, words: str
) -> None:
    is_rollout = bool(record.get("is_rollout"))
    written = experimenter_record(EXPERIMENT, is_rollout=is_rollout)
    if "start_date" in record:
        written["startDate"] = None
    laboratory.record(written)
    laboratory.run(on)
    told = _overview(laboratory)
    assert told.windows == []
    assert told.verdict is None
    assert words in " ".join(told.facts)
    page = laboratory.documents.read(PAGE)
    assert page is not None
    assert b"There are no results yet" in page


def test_a_metric_that_fails_is_missing_with_its_reason(laboratory: Laboratory) -> None:
    broken = CONFIGURATION.replace(
        'weekly = ["active_hours", "searches"]',
        'weekly = ["active_hours", "searches", "broken"]',
    )
    metric = (
        '[metrics.broken]\ndata_source = "clients_daily"\nselect_expression = "SUM(no_column)"\n'
        "[metrics.broken.statistics.binomial]\n"
    )
    laboratory.configure(broken + metric)
    laboratory.run(FIRST_WEEK)
    told = _overview(laboratory)
    (missing,) = (
        one for one in told.missing if one.metrics == ["broken"] and one.status == "failed"
    )
    assert "no_column" in missing.reason
    assert missing.windows == ["weekly 1"]
    failed = _trust(told, "failed_cells")
    assert failed.state == "warn"
    assert "broken" in failed.message


def test_of_a_private_experiment_there_is_no_page(laboratory: Laboratory) -> None:
    private = '[experiment]\nis_private = true\ndataset_id = "secret"'
    laboratory.amend("[experiment]", private)
    (run,) = laboratory.run(FIRST_WEEK)
    assert run.succeeded, run.errors
    assert laboratory.documents.read(NAME) is None
    assert laboratory.documents.read(PAGE) is None
    assert laboratory.documents.read("pages/index.html") is None


def test_a_day_that_changed_long_ago_is_told(laboratory: Laboratory) -> None:
    laboratory.run(*days(EXPERIMENT.start_date, END))
    assert _trust(_overview(laboratory), "late_data").state == "ok"
    changed = EXPERIMENT.start_date + timedelta(days=1)
    (file,) = laboratory.root.glob(f"warehouse/telemetry/clients_daily/*{changed}*/*.parquet")
    (file.parent / "late.parquet").write_bytes(file.read_bytes())
    laboratory.run(END)
    late = _trust(_overview(laboratory), "late_data")
    assert late.state == "warn"
    assert "--lookback" in str(late.remedy)
    assert str(changed) in str(late.rows)

"""The SQL of every case, as files to read in a review. `UPDATE_GOLDEN=1 pytest ...` writes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.windows import AnalysisWindow
from jetstream_assets.sql.enrollments import StoredEvents, enrollments_query
from jetstream_assets.sql.event_days import dates, enrollment_days, exposure_days
from jetstream_assets.sql.metrics import metric_probe, metrics_query
from jetstream_assets.sql.rollup import StatePart, StoredSource
from jetstream_assets.sql.source_states import states_by_source
from jetstream_assets.sql.state_scan import earlier_scan, state_scan
from jetstream_assets.warehouse.rendering import render_bigquery, render_duckdb
from jetstream_assets.warehouse.tables import ResultTable, Slice, slices_table
from jetstream_assets_tests.sql.cases import enrollment_cases, enrollments_slice, metrics_cases
from jetstream_assets_tests.sql.records import FIRST, LAST
from jetstream_assets_tests.sql.statistics_cases import statistics_questions

if TYPE_CHECKING:
    from sqlglot import exp

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.sql.source_states import SourceStates

GOLDEN = Path(__file__).parent / "golden"
DAYS = (FIRST, LAST)
EVENTS = (ResultTable.ENROLLMENT_EVENTS, ResultTable.EXPOSURE_EVENTS)
RENDERERS = {"bigquery": render_bigquery, "duckdb": render_duckdb}


def _questions() -> dict[str, exp.Select]:
    found = {f"enrollments-{n}": enrollments_query(of) for n, of in enrollment_cases().items()}
    found |= _folded_questions() | _rolled_questions()
    for name, case in metrics_cases().items():
        of = case.configuration
        reference = enrollments_slice(of).reference
        found[f"metrics-{name}"] = metrics_query(of, case.windows, reference)
    case = metrics_cases()["several-windows"]
    of, basis = case.configuration, AnalysisBasis.EXPOSURES
    reference = enrollments_slice(of).reference
    found["probe"] = metric_probe(of, case.windows[-1], basis, "hits", reference)
    return found | statistics_questions()


def _folded_questions() -> dict[str, exp.Select]:
    """Days of events, and the enrollments that follow from them."""
    of_kind = enrollment_cases()
    found = {
        f"enrollment-days-{name}": enrollment_days(of_kind[name], FIRST, LAST)
        for name in ("normandy", "glean-event", "fenix-fallback", "cirrus")
    }
    for name in ("normandy", "signal"):
        of = of_kind[name]
        stored = StoredEvents(*(_days(of, table) for table in EVENTS))
        found[f"exposure-days-{name}"] = exposure_days(of, FIRST, LAST)
        found[f"enrollments-folded-{name}"] = enrollments_query(of, stored)
    return found


def _rolled_questions() -> dict[str, exp.Select]:
    """Scans of days into states, and metrics that follow from stored states."""
    found: dict[str, exp.Select] = {}
    for name in ("several-windows", "overall", "preenrollment", "signal"):
        of, windows = metrics_cases()[name].configuration, metrics_cases()[name].windows
        names = sorted({metric for window in windows for metric in window.metrics})
        stored = {
            states.source: StoredSource(states, (_part(of, states),))
            for states in states_by_source(of, names)
        }
        reference = enrollments_slice(of).reference
        exposures = _days(of, ResultTable.EXPOSURE_EVENTS) if of.exposure_signal else None
        found[f"rolled-{name}"] = metrics_query(
            of, windows, reference, stored={True: stored, False: stored}, exposures=exposures
        )
        for source, of_source in stored.items():
            states, units = of_source.states.states, reference
            found[f"scan-{name}-{source.name}"] = state_scan(of, source, states, units, DAYS)
    of = metrics_cases()["preenrollment"].configuration
    (states_of,) = states_by_source(of, ["hits", "spend"])
    windows_before = [("enrollment_date", AnalysisWindow(-7, -1))]
    found["scan-before-enrollment"] = earlier_scan(
        of, states_of.source, states_of.states, enrollments_slice(of).reference, windows_before
    )
    return found


def _part(of: AnalysisConfiguration, states: SourceStates) -> StatePart:
    names = frozenset(named.name for named in states.states)
    like = Slice(ResultTable.DAILY_AGGREGATES, of.experiment.slug, FIRST, part="source-1a2b")
    return StatePart(slices_table(dates(FIRST, LAST), like), names)


def _days(of: AnalysisConfiguration, table: ResultTable) -> exp.Table:
    return slices_table(dates(FIRST, LAST), Slice(table, of.experiment.slug, FIRST))


QUESTIONS = _questions()


@pytest.mark.parametrize("dialect", RENDERERS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_sql_is_the_golden_file(name: str, dialect: str) -> None:
    path = GOLDEN / f"{name}.{dialect}.sql"
    sql = RENDERERS[dialect](QUESTIONS[name]) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(sql)
    assert path.is_file(), f"{path.name} is missing; write it with UPDATE_GOLDEN=1"
    assert sql == path.read_text(), f"{path.name} differs; read the change, then UPDATE_GOLDEN=1"


def test_every_golden_file_has_a_question() -> None:
    expected = {f"{name}.{dialect}.sql" for name in QUESTIONS for dialect in RENDERERS}
    assert {path.name for path in GOLDEN.glob("*.sql")} == expected

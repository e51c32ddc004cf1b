"""Events folded day by day say of every unit what the sources say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from jetstream_assets.experiments.metrics import WindowBound
from jetstream_assets.experiments.plan import make_plan
from jetstream_assets.sql.enrollment_events import enrollment_event_range
from jetstream_assets.sql.enrollments import StoredEvents, enrollments_query
from jetstream_assets.sql.event_days import (
    dates,
    enrollment_days,
    enrollment_source,
    exposure_day_range,
    exposure_days,
    exposure_source,
)
from jetstream_assets.sql.exposures import signal_exposures
from jetstream_assets.warehouse.tables import ResultTable, Slice, slices_table
from jetstream_assets_tests.sql import cases
from jetstream_assets_tests.sql.records import END, FIRST, LAST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlglot import exp

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets_tests.sql.laboratory import Laboratory

CASES = cases.enrollment_cases()
FOLDED = [name for name, of in CASES.items() if of.is_folded]
WIDEST = replace(
    cases.configuration(),
    exposure_signal=replace(
        cases.SIGNAL,
        window_start=WindowBound.ANALYSIS_WINDOW_START,
        window_end=WindowBound.ANALYSIS_WINDOW_END,
    ),
)


def _store(
    laboratory: Laboratory,
    of: AnalysisConfiguration,
    table: ResultTable,
    query: Callable[[AnalysisConfiguration, date, date], exp.Select],
    first: date,
    last: date,
) -> exp.Table:
    """All days, read in pieces and in no order."""
    days = list(dates(first, last))
    like = Slice(table, of.experiment.slug, first)
    rng = np.random.default_rng(len(days))
    cut = sorted(int(day) for day in rng.choice(len(days), size=min(3, len(days)), replace=False))
    pieces = [days[start:end] for start, end in zip([0, *cut], [*cut, len(days)], strict=True)]
    for number in rng.permutation(len(pieces)):
        piece = pieces[int(number)]
        if piece:
            targets = {day: replace(like, date=day) for day in piece}
            laboratory.put_days(targets, query(of, piece[0], piece[-1]))
    return slices_table(days, like)


def _stored(laboratory: Laboratory, of: AnalysisConfiguration) -> StoredEvents:
    exposures = _store(
        laboratory,
        of,
        ResultTable.EXPOSURE_EVENTS,
        exposure_days,
        *exposure_day_range(of, LAST),
    )
    if not of.is_folded:
        return StoredEvents(None, exposures)
    days = enrollment_event_range(of)
    table = ResultTable.ENROLLMENT_EVENTS
    return StoredEvents(_store(laboratory, of, table, enrollment_days, *days), exposures)


@pytest.mark.parametrize("name", CASES)
def test_units_of_folded_days_are_those_of_the_sources(
    name: str, laboratories: Mapping[str, Laboratory]
) -> None:
    of = CASES[name]
    laboratory = laboratories[of.experiment.slug]
    found = laboratory.ask(enrollments_query(of, _stored(laboratory, of)))
    assert found.num_rows
    assert found.equals(laboratory.ask(enrollments_query(of)))


@pytest.mark.parametrize("on", [FIRST, FIRST + timedelta(days=3)])
@pytest.mark.parametrize("name", ["normandy", "fenix-fallback", "signal"])
def test_units_known_on_an_earlier_date_are_those_of_a_shorter_enrollment(
    name: str, on: date, laboratory: Laboratory
) -> None:
    of = CASES[name]
    stored = _stored(laboratory, of)
    shorter = replace(of.experiment, enrollment_period=(on - FIRST).days)
    known = replace(of, experiment=shorter)
    found = laboratory.ask(enrollments_query(known, stored))
    assert found.equals(laboratory.ask(enrollments_query(known)))
    assert max(found.column("enrollment_date").to_pylist()) <= on


def test_exposures_of_a_window_follow_from_folded_days(laboratory: Laboratory) -> None:
    on, signal = END, WIDEST.exposure_signal
    assert signal is not None
    days = exposure_day_range(WIDEST, on)
    table = _store(laboratory, WIDEST, ResultTable.EXPOSURE_EVENTS, exposure_days, *days)
    for planned in (*make_plan(WIDEST, on).windows, *make_plan(WIDEST, LAST).windows):
        window = planned.due.window
        last = LAST + timedelta(days=max(window.end, 0))
        answers = [
            _exposed(laboratory, WIDEST, signal_exposures(WIDEST, signal, "units", window, last, s))
            for s in (None, table)
        ]
        assert answers[0].equals(answers[1])
        assert window.end < 0 or answers[0].num_rows


def _exposed(laboratory: Laboratory, of: AnalysisConfiguration, query: exp.Select) -> pa.Table:
    return laboratory.ask(query.with_("units", as_=enrollments_query(of)).order_by("analysis_id"))


@pytest.mark.parametrize("query", [enrollment_days, exposure_days])
def test_a_row_is_a_day_a_unit_and_a_branch(
    query: Callable[[AnalysisConfiguration, date, date], exp.Select], laboratory: Laboratory
) -> None:
    rows = laboratory.ask(query(CASES["glean-event"], FIRST, LAST))
    count = rows.column_names[-1]
    assert dict(zip(rows.schema.names, rows.schema.types, strict=True)) == {
        "day": pa.date32(),
        "analysis_id": pa.string(),
        "branch": pa.string(),
        count: pa.int64(),
    }
    keys = [(row["day"], row["analysis_id"], row["branch"]) for row in rows.to_pylist()]
    assert keys == sorted(set(keys))
    assert max(rows.column(count).to_pylist()) > 1


def test_rows_of_a_signal_name_no_branch(laboratory: Laboratory) -> None:
    rows = laboratory.ask(exposure_days(CASES["signal"], FIRST, LAST))
    assert rows.num_rows
    assert rows.column("branch").null_count == rows.num_rows
    assert rows.column("analysis_id").null_count == 0
    assert rows.schema.field("branch").type == pa.string()


@pytest.mark.parametrize(
    ("of", "on", "expected"),
    [
        (CASES["normandy"], FIRST, (FIRST, FIRST)),
        (CASES["normandy"], END, (FIRST, LAST)),
        (CASES["signal-first-day"], END, (FIRST, FIRST)),
        (CASES["signal-late"], END, (FIRST, END)),
        (WIDEST, LAST, (FIRST, LAST)),
        (WIDEST, END, (FIRST, END)),
        (replace(WIDEST, periods=()), END, (LAST, END)),
    ],
)
def test_days_of_exposures_are_those_that_a_due_window_may_ask_for(
    of: AnalysisConfiguration, on: date, expected: tuple[date, date]
) -> None:
    assert exposure_day_range(of, on) == expected


@pytest.mark.parametrize("name", FOLDED)
def test_the_source_of_events_is_the_table_that_they_are_read_from(
    name: str, laboratory: Laboratory
) -> None:
    of = CASES[name]
    for source in (enrollment_source(of), exposure_source(of)):
        assert laboratory.source_days(source.relation, source.day, FIRST, LAST).keys() == set(
            dates(FIRST, LAST)
        )
    assert enrollment_source(of).name.endswith(
        ("events", "events_stream", "baseline", "enrollment")
    )

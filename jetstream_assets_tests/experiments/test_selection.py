from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from jetstream_assets.experiments.record import ExperimentRecord
from jetstream_assets.experiments.selection import (
    Exclusion,
    expand_dates,
    select_configurations,
    select_records,
)
from jetstream_assets_tests.builders import make_configuration, make_experiment

ON = date(2024, 6, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"end_date": ON}, ""),
        ({"end_date": ON + timedelta(days=9)}, ""),
        ({"end_date": ON - timedelta(days=90)}, ""),
        (
            {"end_date": ON - timedelta(days=91)},
            "It ended on 2024-03-02, more than 90 days before 2024-06-01.",
        ),
        ({"is_rollout": True}, "It is a rollout, which has no control."),
        # The configuration may give the dates that Experimenter does not have.
        ({"start_date": None}, ""),
    ],
)
def test_records(changes: dict[str, object], reason: str) -> None:
    record = replace(ExperimentRecord("a", start_date=ON), **changes)  # type: ignore[arg-type]
    found = select_records([record], ON)
    assert found.selected == (() if reason else (record,))
    assert found.excluded == ((Exclusion("a", reason),) if reason else ())


@pytest.mark.parametrize(
    ("changes", "skip", "reason"),
    [
        ({}, False, ""),
        ({"end_date": date(2024, 1, 10)}, False, ""),
        ({"end_date": None}, False, ""),
        ({"end_date": date(2024, 1, 9)}, False, "It ended on 2024-01-09, before 2024-01-10."),
        ({"start_date": date(2024, 1, 10)}, False, ""),
        ({"start_date": date(2024, 1, 11)}, False, "It starts on 2024-01-11, after 2024-01-10."),
        ({"start_date": None}, False, "It was never launched: it has no start date."),
        ({}, True, "Its configuration sets skip = true."),
    ],
)
def test_configurations(changes: dict[str, object], skip: bool, reason: str) -> None:  # noqa: FBT001
    configuration = make_configuration(experiment=make_experiment(**changes), skip=skip)
    found = select_configurations([configuration], date(2024, 1, 10))
    assert found.selected == (() if reason else (configuration,))
    assert found.excluded == ((Exclusion("my-experiment", reason),) if reason else ())


def test_an_old_date_selects_what_it_selected_then() -> None:
    record = ExperimentRecord("a", start_date=date(2020, 1, 1), end_date=date(2020, 2, 1))
    assert select_records([record], date(2020, 1, 15)).selected == (record,)
    assert select_records([record], date(2020, 6, 1)).selected == ()


@pytest.mark.parametrize(
    ("end", "latest", "first", "last", "count"),
    [
        (date(2024, 1, 3), date(2024, 2, 1), date(2024, 1, 1), date(2024, 1, 3), 3),
        (date(2024, 1, 3), date(2024, 1, 2), date(2024, 1, 1), date(2024, 1, 2), 2),
        (None, date(2024, 1, 4), date(2024, 1, 1), date(2024, 1, 4), 4),
        (None, date(2024, 1, 1), date(2024, 1, 1), date(2024, 1, 1), 1),
    ],
)
def test_dates(end: date | None, latest: date, first: date, last: date, count: int) -> None:
    dates = expand_dates(make_experiment(end_date=end), latest)
    assert (dates[0], dates[-1], len(dates)) == (first, last, count)
    assert list(dates) == sorted(set(dates))


def test_no_dates_before_the_start_or_without_one() -> None:
    assert expand_dates(make_experiment(), date(2023, 12, 31)) == ()
    assert expand_dates(make_experiment(start_date=None), ON) == ()

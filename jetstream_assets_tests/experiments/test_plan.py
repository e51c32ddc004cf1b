from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import TypeAdapter

from jetstream_assets.experiments.configuration import EnrollmentsQueryType
from jetstream_assets.experiments.experiment import Branch
from jetstream_assets.experiments.failures import Refusal, RefusalKind
from jetstream_assets.experiments.fingerprints import (
    enrollments_fingerprint,
    statistics_fingerprint,
    windows_fingerprint,
)
from jetstream_assets.experiments.metrics import AnalysisBasis, Segment, SegmentDataSource
from jetstream_assets.experiments.plan import AnalysisPlan, make_plan
from jetstream_assets.experiments.windows import Period
from jetstream_assets_tests.builders import (
    adjusted,
    make_configuration,
    make_experiment,
    make_metric,
    make_summary,
)

if TYPE_CHECKING:
    from jetstream_assets.experiments.configuration import AnalysisConfiguration

LAST_ENROLLMENT = date(2024, 1, 8)
FIRST_WEEK = date(2024, 1, 14)


def _due(plan: AnalysisPlan) -> list[tuple[Period, int]]:
    return [(window.due.period, window.due.index) for window in plan.windows]


def test_a_plan_lists_what_is_due_of_the_configured_periods() -> None:
    plan = make_plan(make_configuration(), FIRST_WEEK)
    assert _due(plan) == [(Period.DAY, 7), (Period.WEEK, 1)]
    assert plan.windows[1].metrics == ("clicks", "hours")
    assert plan.idle == plan.note == ""


@pytest.mark.parametrize(
    ("on", "sentence"),
    [
        (date(2023, 12, 1), "units enroll from 2024-01-01 to 2024-01-08"),
        (date(2024, 1, 6), "units enroll until 2024-01-08, and no unit has lived through"),
        (date(2024, 1, 9), "no window of the configured periods \\(weekly\\) ends"),
    ],
)
def test_a_plan_with_nothing_due_says_why(on: date, sentence: str) -> None:
    weekly = make_configuration({Period.WEEK: (make_summary("clicks"),)})
    plan = make_plan(weekly, on)
    assert plan.windows == ()
    assert plan.preenrollment == ()
    assert re.search(sentence, plan.idle)
    assert plan.note == plan.idle


@pytest.mark.parametrize(
    "asked_once",
    [
        {"enrollment_query": "SELECT 1"},
        {"enrollments_query_type": EnrollmentsQueryType.BACKGROUND_UPDATE},
    ],
)
def test_while_units_enroll_nothing_is_due_where_they_are_asked_for_once(
    asked_once: dict[str, object],
) -> None:
    configuration = make_configuration(**asked_once)  # type: ignore[arg-type]
    plan = make_plan(configuration, LAST_ENROLLMENT - timedelta(days=1))
    assert not plan.windows
    assert "who they are is only known on that date" in plan.idle
    assert make_plan(configuration, LAST_ENROLLMENT).windows


def test_while_units_enroll_a_plan_is_provisional() -> None:
    listed = {
        Period.DAY: (adjusted("clicks"),),
        Period.WEEK: (make_summary("hours"),),
        Period.OVERALL: (make_summary("clicks"),),
        Period.PREENROLLMENT_WEEK: (make_summary("clicks"),),
    }
    configuration = make_configuration(listed, segments=(SEGMENT,))
    on = date(2024, 1, 7)
    plan = make_plan(configuration, on)
    assert _due(plan) == [*((Period.DAY, n) for n in range(1, 8)), (Period.WEEK, 1)]
    assert {window.complete_by for window in plan.windows} == {on}
    assert plan.is_provisional
    assert plan.preenrollment == ()


def test_a_provisional_plan_computes_as_if_enrollment_had_closed() -> None:
    configuration = make_configuration(segments=(SEGMENT,))
    on = date(2024, 1, 5)
    plan = make_plan(configuration, on)
    assert plan.experiment.timeline.last_enrollment_date == on
    assert plan.settled.segments == ()
    assert plan.declared == configuration
    closed = make_plan(configuration, LAST_ENROLLMENT)
    assert not closed.is_provisional
    assert closed.settled == closed.declared == configuration


def test_provisional_numbers_are_other_numbers_than_those_of_a_shorter_enrollment() -> None:
    on = date(2024, 1, 1) + timedelta(days=6)
    shorter = make_configuration(experiment=make_experiment(enrollment_period=6))
    plan, closed = make_plan(make_configuration(), on), make_plan(shorter, on)
    assert enrollments_fingerprint(plan.settled) == enrollments_fingerprint(closed.settled)
    windows = plan.windows[:1]
    assert [window.due for window in windows] == [window.due for window in closed.windows]
    assert windows_fingerprint(plan.settled, windows) != windows_fingerprint(
        closed.settled, closed.windows
    )


def test_a_provisional_plan_survives_its_journey_as_json() -> None:
    plan = make_plan(make_configuration(), date(2024, 1, 3))
    adapter = TypeAdapter(AnalysisPlan)
    assert adapter.validate_json(adapter.dump_json(plan)) == plan


def test_what_is_awaited_changes_provisional_statistics_and_nothing_else() -> None:
    for on, is_provisional in ((date(2024, 1, 3), True), (FIRST_WEEK, False)):
        plans = [make_plan(make_configuration(segments=of), on) for of in ((), (SEGMENT,))]
        metrics = {windows_fingerprint(plan.settled, plan.windows) for plan in plans}
        assert len(metrics) == (1 if is_provisional else 2)
        assert len({statistics_fingerprint(plan) for plan in plans}) == 2


def test_a_refused_plan_says_why() -> None:
    refusal = Refusal(RefusalKind.ROLLOUT, "No control.")
    refused = AnalysisPlan("rollout", FIRST_WEEK, refusal=refusal)
    assert refused.note == "No control."


def test_a_covariate_brings_its_preenrollment_window_on_every_date_that_uses_it() -> None:
    configuration = make_configuration({Period.WEEK: (adjusted("clicks"),)})
    for week in range(1, 4):
        plan = make_plan(configuration, FIRST_WEEK + timedelta(days=7 * (week - 1)))
        (before,) = plan.preenrollment
        assert _due(plan) == [(Period.WEEK, week)]
        assert (before.due.period, before.metrics) == (Period.PREENROLLMENT_WEEK, ("clicks",))


def test_all_dates_ask_for_the_same_preenrollment_slice() -> None:
    listed = {
        Period.WEEK: (adjusted("clicks"),),
        Period.PREENROLLMENT_WEEK: (make_summary("hours"),),
    }
    configuration = make_configuration(listed, (make_metric("clicks"), make_metric("hours")))
    plans = [make_plan(configuration, on) for on in (LAST_ENROLLMENT, FIRST_WEEK)]
    fingerprints = {windows_fingerprint(configuration, plan.preenrollment) for plan in plans}
    assert [plan.preenrollment[0].metrics for plan in plans] == [("clicks", "hours")] * 2
    assert len(fingerprints) == 1


def test_a_ratio_brings_the_metrics_it_depends_on() -> None:
    ratio = replace(
        make_metric("rate"),
        data_source=None,
        select_expression=None,
        depends_on=("clicks", "views"),
    )
    configuration = make_configuration(
        {Period.WEEK: (make_summary("rate", "population_ratio"),)},
        (make_metric("clicks"), ratio, make_metric("views")),
    )
    (window,) = make_plan(configuration, FIRST_WEEK).windows
    assert window.metrics == ("clicks", "views")


def test_a_plan_survives_its_journey_as_json() -> None:
    configuration = make_configuration({Period.WEEK: (adjusted("clicks"),)})
    plan = make_plan(configuration, FIRST_WEEK)
    adapter = TypeAdapter(AnalysisPlan)
    assert adapter.validate_json(adapter.dump_json(plan)) == plan


SEGMENT = Segment("heavy", SegmentDataSource("usage", "telemetry.usage"), "SUM(hours) > 3")
ENROLLMENT_CHANGES = [
    {"segments": (SEGMENT,)},
    {"enrollment_query": "SELECT 1"},
    {"sample_size": 10},
    {"experiment": make_experiment(enrollment_period=8)},
    {"experiment": make_experiment(start_date=date(2024, 1, 2))},
]
OTHER_CHANGES = [
    {"commit": "def456"},
    {"warnings": ("a sentence",)},
    {"experiment": make_experiment(end_date=date(2024, 3, 1))},
    {"experiment": make_experiment(reference_branch="treatment")},
]


@pytest.mark.parametrize("change", ENROLLMENT_CHANGES)
def test_what_decides_enrollments_changes_every_fingerprint(change: dict[str, object]) -> None:
    before, after = make_configuration(), make_configuration(**change)  # type: ignore[arg-type]
    assert enrollments_fingerprint(before) != enrollments_fingerprint(after)
    windows = make_plan(before, FIRST_WEEK).windows
    assert windows_fingerprint(before, windows) != windows_fingerprint(after, windows)


@pytest.mark.parametrize("change", OTHER_CHANGES)
def test_what_decides_no_number_changes_no_fingerprint(change: dict[str, object]) -> None:
    assert _fingerprints(make_configuration()) == _fingerprints(
        make_configuration(**change)  # type: ignore[arg-type]
    )


def test_names_for_people_change_no_fingerprint_of_metrics() -> None:
    told = {"friendly_name": "Clicks", "description": "How often", "origin": "a.toml: metrics"}
    renamed = make_metric("clicks", **told)
    listed = {Period.WEEK: (make_summary("clicks"),)}
    before, after = make_configuration(listed), make_configuration(listed, (renamed,))
    assert _fingerprints(before) == _fingerprints(after)


def test_a_changed_statistic_leaves_the_metrics_as_they_are() -> None:
    before = make_configuration({Period.WEEK: (make_summary("clicks"),)})
    after = make_configuration({Period.WEEK: (make_summary("clicks", "deciles"),)})
    assert _fingerprints(before)[:2] == _fingerprints(after)[:2]
    assert _fingerprints(before)[2] != _fingerprints(after)[2]


@pytest.mark.parametrize(
    "change",
    [
        {"select_expression": "MAX(clicks)"},
        {"analysis_bases": (AnalysisBasis.ENROLLMENTS,)},
    ],
)
def test_a_changed_metric_changes_metrics_and_statistics(change: dict[str, object]) -> None:
    listed = {Period.WEEK: (make_summary("clicks"),)}
    before = _fingerprints(make_configuration(listed))
    after = _fingerprints(
        make_configuration(listed, (replace(make_metric("clicks"), **change),))  # type: ignore[arg-type]
    )
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert before[2] != after[2]


def test_a_new_branch_changes_the_statistics_alone() -> None:
    branches = (Branch("control"), Branch("treatment"), Branch("other"))
    after = make_configuration(experiment=make_experiment(branches=branches))
    assert _fingerprints(make_configuration())[:2] == _fingerprints(after)[:2]
    assert _fingerprints(make_configuration())[2] != _fingerprints(after)[2]


def _fingerprints(configuration: AnalysisConfiguration) -> tuple[str, str, str]:
    plan = make_plan(configuration, FIRST_WEEK)
    return (
        enrollments_fingerprint(configuration),
        windows_fingerprint(configuration, plan.windows),
        statistics_fingerprint(plan),
    )

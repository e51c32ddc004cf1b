"""Small values for tests: an experiment and a configuration with one thing changed at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from jetstream_assets.experiments.configuration import AnalysisConfiguration, PeriodSummaries
from jetstream_assets.experiments.experiment import Branch, Experiment
from jetstream_assets.experiments.metrics import (
    CovariateAdjustment,
    DataSource,
    Metric,
    Summary,
)
from jetstream_assets.experiments.windows import Period

if TYPE_CHECKING:
    from collections.abc import Mapping

USAGE = DataSource("usage", "telemetry.usage")


def make_experiment(**changes: object) -> Experiment:
    """Enrolls from 1 to 8 January 2024, ends on 5 February; branches control and treatment."""
    experiment = Experiment(
        slug="my-experiment",
        branches=(Branch("control"), Branch("treatment")),
        start_date=date(2024, 1, 1),
        end_date=date(2024, 2, 5),
        enrollment_period=7,
        enrollment_end_date=date(2024, 1, 7),
        reference_branch="control",
    )
    return replace(experiment, **changes)  # type: ignore[arg-type]  # the caller names fields


def make_metric(name: str, select_expression: str | None = None, **changes: object) -> Metric:
    """A metric over ``telemetry.usage``; by default the sum of the column of its own name."""
    metric = Metric(name, USAGE, select_expression or f"COALESCE(SUM({name}), 0)")
    return replace(metric, **changes)  # type: ignore[arg-type]  # the caller names fields


def make_summary(metric: str, statistic: str = "bootstrap_mean", **changes: object) -> Summary:
    """A summary without parameters or pre-treatments."""
    return replace(Summary(metric, statistic), **changes)  # type: ignore[arg-type]


def adjusted(metric: str, period: Period = Period.PREENROLLMENT_WEEK) -> Summary:
    """A linear model adjusted for the metric's own pre-enrollment value."""
    covariate = CovariateAdjustment(metric, period)
    parameters = (("confidence_interval", 0.95), ("drop_highest", 0.005))
    return Summary(metric, "linear_model_mean", parameters, covariate=covariate)


def make_configuration(
    periods: Mapping[Period, tuple[Summary, ...]] | None = None,
    metrics: tuple[Metric, ...] | None = None,
    **changes: object,
) -> AnalysisConfiguration:
    """A configuration of `make_experiment` with one daily and one weekly metric by default."""
    listed = periods or {
        Period.DAY: (make_summary("clicks"),),
        Period.WEEK: (make_summary("clicks"), make_summary("hours")),
    }
    names = {summary.metric for summaries in listed.values() for summary in summaries}
    configuration = AnalysisConfiguration(
        experiment=make_experiment(),
        metrics=metrics or tuple(make_metric(name) for name in sorted(names)),
        periods=tuple(PeriodSummaries(p, listed[p]) for p in Period if p in listed),
        commit="abc123",
    )
    return replace(configuration, **changes)  # type: ignore[arg-type]  # the caller names fields

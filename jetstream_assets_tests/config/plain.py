"""A resolved configuration in the plain dictionaries of the oracle."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import DataSource, Metric, Segment, Summary

Answer = dict[str, Any]


def plain(configuration: AnalysisConfiguration) -> Answer:
    """What the oracle answers, from our configuration."""
    experiment = configuration.experiment
    signal = configuration.exposure_signal
    return {
        "experiment": {
            "start_date": str(experiment.start_date),
            "end_date": str(experiment.end_date),
            "enrollment_period": experiment.enrollment_period,
            "reference_branch": experiment.reference_branch,
            "analysis_unit": experiment.analysis_unit.value,
            "skip": configuration.skip,
            "sample_size": configuration.sample_size,
            "dataset_id": configuration.dataset_id,
            "enrollment_query": configuration.enrollment_query,
            "enrollments_query_type": configuration.enrollments_query_type.value,
        },
        "segments": {segment.name: _segment(segment) for segment in configuration.segments},
        "exposure_signal": signal
        and {
            "name": signal.name,
            "data_source": _source(signal.data_source),
            "select_expression": signal.select_expression,
            "window": (signal.window_start, signal.window_end),
        },
        "periods": {
            listed.period.value: {
                f"{s.metric}/{s.statistic}": _summary(s) for s in listed.summaries
            }
            for listed in configuration.periods
        },
        "metrics": {metric.name: _metric(metric) for metric in configuration.metrics},
    }


def _summary(summary: Summary) -> Answer:
    covariate = summary.covariate
    return {
        "parameters": dict(summary.parameters),
        "covariate": covariate and (covariate.metric, covariate.period.value),
        "pre_treatments": [(p.name, dict(p.arguments)) for p in summary.pre_treatments],
    }


def _metric(metric: Metric) -> Answer:
    return {
        "select_expression": metric.select_expression,
        "data_source": metric.data_source and _source(metric.data_source),
        "analysis_bases": sorted(metric.analysis_bases),
        "bigger_is_better": metric.bigger_is_better,
        "friendly_name": metric.friendly_name,
        "description": metric.description,
        "depends_on": list(metric.depends_on),
    }


def _source(source: DataSource) -> Answer:
    """A data source; the oracle does not know where it is written."""
    return {name: value for name, value in asdict(source).items() if name != "origin"}


def _segment(segment: Segment) -> Answer:
    source = segment.data_source
    return {
        "select_expression": segment.select_expression,
        "data_source": source.name,
        "from_expression": source.from_expression,
        "window": (source.window_start, source.window_end),
        "columns": (
            source.client_id_column,
            source.group_id_column,
            source.submission_date_column,
        ),
    }

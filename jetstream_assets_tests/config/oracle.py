"""The field's own parser reads the same files; its answer in the words of this project.

Everything is compared as plain dictionaries, so that a difference shows as a key and two values.
"""

from __future__ import annotations

import copy
import datetime as dt
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import attr
import jinja2
from metric_config_parser import config
from metric_config_parser.analysis import AnalysisSpec
from metric_config_parser.config import LocalConfigCollection
from metric_config_parser.errors import (
    ConfigException,
    DefinitionNotFound,
    InvalidConfigurationException,
)
from metric_config_parser.experiment import Branch, BucketConfig, Experiment

from jetstream_assets.experiments.statistic_parameters import PRE_TREATMENTS, STATISTICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.experiments.record import ExperimentRecord

Answer = dict[str, Any]

# What the parser raises for a configuration that it cannot resolve; RecursionError for circles.
_REFUSALS = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
    jinja2.TemplateError,
    ConfigException,
    DefinitionNotFound,
    InvalidConfigurationException,
)


def load(root: Path) -> Any:  # noqa: ANN401  # the parser has no types
    """The parser's collection of a repository's root with its ``jetstream`` directory over it.

    The TOML library that it uses loses line breaks in multi-line texts, so it is given the
    standard library's reader.
    """
    reader = SimpleNamespace(load=lambda path: tomllib.loads(Path(path).read_text("utf-8")))
    with patch.object(config, "toml", reader):
        collection = LocalConfigCollection.from_local_path(str(root))
        collection.merge(LocalConfigCollection.from_local_path(str(root / "jetstream")))
    return collection


def resolve(record: ExperimentRecord, collection: Any) -> Answer | None:  # noqa: ANN401
    """The parser's answer for an experiment, or None when it refuses.

    Resolving changes what it resolves from, so it works on a copy of what the experiment needs.
    """
    own = copy.deepcopy(
        attr.evolve(
            collection,
            configs=[c for c in collection.configs if c.slug == record.slug],
            outcomes=[o for o in collection.outcomes if o.platform == record.app_name],
            defaults=[d for d in collection.defaults if d.slug == record.app_name],
            definitions=[d for d in collection.definitions if d.platform == record.app_name],
        )
    )
    experiment = _experiment(record)
    try:
        spec = AnalysisSpec.default_for_experiment(experiment, own)
        if written := own.spec_for_experiment(record.slug):
            spec.merge(written)
        return _answer(spec.resolve(experiment, own), record)
    except _REFUSALS:
        return None


def _experiment(record: ExperimentRecord) -> Any:  # noqa: ANN401
    return Experiment(
        experimenter_slug=None,
        normandy_slug=record.slug,
        type="v6",
        status="Live",
        branches=[Branch(slug=branch.slug, ratio=branch.ratio) for branch in record.branches],
        start_date=_midnight(record.start_date),
        end_date=_midnight(record.end_date),
        enrollment_end_date=_midnight(record.enrollment_end_date),
        proposed_enrollment=record.proposed_enrollment,
        reference_branch=record.reference_branch,
        is_high_population=False,
        app_name=record.app_name,
        app_id=record.app_id,
        outcomes=list(record.outcomes),
        segments=list(record.segments),
        bucket_config=BucketConfig(
            randomization_unit=record.randomization_unit, namespace="", start=0, count=1
        ),
    )


def _midnight(day: dt.date | None) -> dt.datetime | None:
    return None if day is None else dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _answer(resolved: Any, record: ExperimentRecord) -> Answer:  # noqa: ANN401
    experiment = resolved.experiment
    dataset = "".join(c if c.isalnum() else "_" for c in record.app_id.lower())
    summaries = {
        period.value: {
            f"{summary.metric.name}/{summary.statistic.name}": _summary(summary)
            for summary in listed
        }
        for period, listed in resolved.metrics.items()
        if listed
    }
    metrics = {
        metric.name: _metric(metric, record, dataset)
        for listed in resolved.metrics.values()
        for summary in listed
        for metric in _with_upstreams(summary.metric)
    }
    return {
        "experiment": {
            "start_date": experiment.start_date_str,
            "end_date": experiment.end_date_str,
            "enrollment_period": experiment.enrollment_period,
            "reference_branch": experiment.reference_branch,
            "analysis_unit": experiment.analysis_unit.value,
            "skip": experiment.skip,
            "sample_size": experiment.sample_size or 100,
            "dataset_id": experiment.dataset_id,
            "enrollment_query": (experiment.enrollment_query or "").strip() or None,
            "enrollments_query_type": (
                experiment.enrollments_query_type and experiment.enrollments_query_type.value
            ),
        },
        "segments": {segment.name: _segment(segment, dataset) for segment in experiment.segments},
        "exposure_signal": _signal(experiment.exposure_signal),
        "periods": summaries,
        "metrics": metrics,
    }


def _with_upstreams(metric: Any) -> Iterator[Any]:  # noqa: ANN401
    yield metric
    for summary in metric.depends_on or ():
        yield from _with_upstreams(summary.metric)


def _summary(summary: Any) -> Answer:  # noqa: ANN401
    written = dict(summary.statistic.params)
    covariate = written.pop("covariate_adjustment", None)
    if covariate:
        covariate = (covariate.get("metric", summary.metric.name), covariate["period"])
    known = STATISTICS[summary.statistic.name].parameters
    return {
        "parameters": {p.name: p.default for p in known} | written,
        "covariate": covariate,
        "pre_treatments": [
            (p.name, {a.name: a.default for a in PRE_TREATMENTS[p.name]} | p.args)
            for p in summary.pre_treatments
        ],
    }


def _metric(metric: Any, record: ExperimentRecord, dataset: str) -> Answer:  # noqa: ANN401
    text = metric.select_expression
    return {
        # The parser leaves this last step to the library that builds queries.
        "select_expression": text and text.format(experiment_slug=record.slug).strip(),
        "data_source": metric.data_source and _source(metric.data_source, dataset),
        "analysis_bases": sorted(basis.value for basis in metric.analysis_bases),
        "bigger_is_better": metric.bigger_is_better,
        "friendly_name": metric.friendly_name or "",
        "description": metric.description or "",
        "depends_on": list(dict.fromkeys(s.metric.name for s in metric.depends_on or ())),
    }


def _source(source: Any, dataset: str | None) -> Answer:  # noqa: ANN401
    return {
        "name": source.name,
        "from_expression": source.from_expr_for(dataset).strip(),
        "experiments_column": source.experiments_column_type or "none",
        "client_id_column": source.client_id_column,
        "group_id_column": source.group_id_column,
        "submission_date_column": source.submission_date_column,
    }


def _segment(segment: Any, dataset: str) -> Answer:  # noqa: ANN401
    source = segment.data_source
    return {
        "select_expression": segment.select_expression.strip(),
        "data_source": source.name,
        "from_expression": source.from_expression.format(dataset=dataset).strip(),
        "window": (source.window_start, source.window_end),
        "columns": (
            source.client_id_column,
            source.group_id_column,
            source.submission_date_column,
        ),
    }


def _signal(signal: Any) -> Answer | None:  # noqa: ANN401
    if signal is None:
        return None
    return {
        "name": signal.name,
        "data_source": _source(signal.data_source, None),
        "select_expression": signal.select_expression.strip(),
        "window": tuple(_bound(bound) for bound in (signal.window_start, signal.window_end)),
    }


def _bound(bound: Any) -> int | str | None:  # noqa: ANN401
    return bound if bound is None or isinstance(bound, int) else str(bound.value)

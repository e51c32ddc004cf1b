"""What a consumer must know to label an experiment's numbers: its metrics, outcomes, overrides.

Belongs here: the shape of the metadata document, schema version 4. Does not: how the configuration
is resolved (`config`).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import quote

from jetstream_assets.report.json_text import object_bytes
from jetstream_assets.report.store import Document

if TYPE_CHECKING:
    from datetime import datetime

    from jetstream_assets.experiments.configuration import AnalysisConfiguration, Outcome
    from jetstream_assets.experiments.metrics import Metric
    from jetstream_assets.report.json_text import Record

SCHEMA_VERSION = 4
_OVERRIDES = ("reference_branch", "end_date", "start_date", "enrollment_period")


def metadata_document(
    plan_configuration: AnalysisConfiguration,
    as_of: date,
    analysis_start_time: datetime | None,
    repository_url: str | None,
) -> Document | None:
    """The metadata document ``metadata/metadata_<slug>.json``; None for a private experiment.

    Args:
        plan_configuration: The resolved configuration.
        as_of: The date up to which the analysis knows the data.
        analysis_start_time: When the analysis began, with a time zone; None for null.
        repository_url: The web address of the folder that holds the configuration's folder
            ``jetstream``, such as ``https://github.com/mozilla/metric-hub/blob/main``. None where
            the configuration has no web address: then ``external_config`` is null even if
            something is overridden, because consumers require its address.

    Raises:
        ValueError: ``analysis_start_time`` has no time zone.
    """
    if plan_configuration.is_private:
        return None
    record: Record = {
        "analysis_start_time": _instant(analysis_start_time),
        "external_config": _external_config(plan_configuration, repository_url),
        "metrics": {metric.name: _metric(metric) for metric in _summarised(plan_configuration)},
        "outcomes": {outcome.slug: _outcome(outcome) for outcome in plan_configuration.outcomes},
        "version_info": None,
        "version_date": None,
        "schema_version": SCHEMA_VERSION,
    }
    name = f"metadata/metadata_{plan_configuration.experiment.normalized_slug}.json"
    return Document(name, object_bytes(record), as_of)


def _instant(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"the start of an analysis needs a time zone, found {moment!r}")
    return moment.isoformat(sep=" ", timespec="milliseconds")


def _external_config(configuration: AnalysisConfiguration, url: str | None) -> Record | None:
    if url is None or not (configuration.overrides or configuration.skip):
        return None
    overrides = dict(configuration.overrides)
    file = f"{quote(configuration.experiment.slug, safe='')}.toml"
    return {
        **{key: _plain(overrides.get(key)) for key in _OVERRIDES},
        "skip": configuration.skip,
        "url": f"{url.rstrip('/')}/jetstream/{file}",
    }


def _plain(value: object) -> str | int | None:
    if value is None or isinstance(value, int):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def _summarised(configuration: AnalysisConfiguration) -> list[Metric]:
    """The metrics that have a statistic in any period, by name."""
    names = {s.metric for listed in configuration.periods for s in listed.summaries}
    return [configuration.metric(name) for name in sorted(names)]


def _metric(metric: Metric) -> Record:
    return {
        "analysis_bases": [basis.value for basis in metric.analysis_bases],
        "bigger_is_better": metric.bigger_is_better,
        "description": metric.description,
        "friendly_name": metric.friendly_name or metric.name.replace("_", " ").title(),
    }


def _outcome(outcome: Outcome) -> Record:
    return {
        "commit_hash": outcome.commit,
        "default_metrics": list(outcome.default_metrics),
        "description": outcome.description,
        "friendly_name": outcome.friendly_name,
        "metrics": list(outcome.metrics),
        "slug": outcome.slug,
    }

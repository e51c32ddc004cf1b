"""What is measured: about what every desktop experiment has by default, written as TOML.

Belongs here: data sources, metrics, their periods and statistics, and the experiment's record. Does
not: the tables that they read (`telemetry`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from incremental_bench.population import BRANCHES, ENROLLMENT_PERIOD, START
from incremental_bench.telemetry import SLUG
from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets.simulation.world import SimulatedBranch, SimulatedExperiment

if TYPE_CHECKING:
    from pathlib import Path

_APP = "firefox_desktop"

_SOURCES = """
[data_sources.clients]
from_expression = "telemetry.clients_daily"
experiments_column_type = "simple"

[data_sources.search]
from_expression = "search.search_daily"
experiments_column_type = "none"

[data_sources.feature]
from_expression = "telemetry.feature_use"
experiments_column_type = "none"

[data_sources.experiment_events]
from_expression = "(SELECT * FROM telemetry.events WHERE event_category = 'normandy')"
experiments_column_type = "native"
"""

# By data source: the metric and its select expression.
METRICS = {
    "clients": {
        "seen": "COALESCE(SUM(pings), 0) > 0",
        "active_minutes": "COALESCE(SUM(active_minutes), 0)",
        "default_browser": "COALESCE(LOGICAL_OR(is_default), FALSE)",
        "days_of_use": "COUNT(DISTINCT submission_date)",
        "pages": "COALESCE(SUM(pages), 0)",
        "busy_days": "COUNTIF(active_minutes > 0 AND pages > 5)",
    },
    "search": {
        "searches": "COALESCE(SUM(searches), 0)",
        "ad_clicks": "COALESCE(SUM(ad_clicks), 0)",
        "clicks_per_search": "SAFE_DIVIDE(SUM(ad_clicks), SUM(searches))",
        "searches_with_ads": "COALESCE(SUM(with_ads), 0)",
        "tagged_searches": "SUM(tagged)",
        "organic_searches": "COALESCE(SUM(organic), 0)",
    },
    "feature": {
        "feature_uses": "COUNTIF(action = 'use')",
        "longest_use": "MAX(seconds)",
    },
    "experiment_events": {
        "left_experiment": (
            "COALESCE(LOGICAL_OR(event_method = 'unenroll' "
            "AND event_string_value = '{experiment_slug}'), FALSE)"
        ),
    },
}
_SHARES = ("seen", "default_browser", "left_experiment")

_WHOLE = (
    "active_minutes", "default_browser", "days_of_use", "pages", "busy_days", "searches",
    "ad_clicks", "clicks_per_search", "searches_with_ads", "tagged_searches", "organic_searches",
    "feature_uses", "longest_use",
)  # fmt: skip
PERIODS = {
    "daily": (
        "seen", "active_minutes", "default_browser", "searches", "clicks_per_search",
        "feature_uses", "longest_use", "left_experiment",
    ),
    "weekly": (
        "seen", "active_minutes", "default_browser", "days_of_use", "pages", "busy_days",
        "searches", "ad_clicks", "clicks_per_search", "feature_uses", "longest_use",
    ),
    "overall": _WHOLE,
    "preenrollment_weekly": _WHOLE,
    "preenrollment_days28": _WHOLE,
}  # fmt: skip


@dataclass(frozen=True)
class Inputs:
    """Where the configuration and the experiment's record are."""

    configuration: str
    experiments: str


def write_inputs(root: Path, days: int) -> Inputs:
    """Write the configuration and the record of an experiment of so many days."""
    folder = root / "configuration"
    files = {
        f"definitions/{_APP}.toml": _SOURCES + "".join(_definitions()),
        f"jetstream/defaults/{_APP}.toml": _defaults(),
        f"jetstream/{SLUG}.toml": "[experiment]\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    experiments = root / "experiments.json"
    experiments.write_text(json.dumps([_record(days)]))
    return Inputs(str(folder), str(experiments))


def _definitions() -> list[str]:
    return [
        f'\n[metrics.{name}]\ndata_source = "{source}"\nselect_expression = "{expression}"\n'
        for source, metrics in METRICS.items()
        for name, expression in metrics.items()
    ]


def _defaults() -> str:
    lists = "".join(f"{period} = {json.dumps(names)}\n" for period, names in PERIODS.items())
    statistics = (
        f"[metrics.{name}.statistics.{'binomial' if name in _SHARES else 'linear_model_mean'}]\n"
        for metrics in METRICS.values()
        for name in metrics
    )
    return f"[metrics]\n{lists}\n" + "".join(statistics)


def _record(days: int) -> dict[str, object]:
    experiment = SimulatedExperiment(
        slug=SLUG,
        start_date=START,
        enrollment_period=ENROLLMENT_PERIOD,
        end_date=START + timedelta(days=days),
        branches=tuple(SimulatedBranch(slug) for slug in BRANCHES),
        units=1,  # of the simulation; the record does not tell
    )
    return experimenter_record(experiment)

"""Which metrics follow from daily states, and which need the windowed query, over a repository.

Belongs here: asking it of every metric that a file names, and counting. Does not: splitting
(`sql.splitting`), which metrics are named (`named_metrics`), tables (`report`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from jetstream_assets.config.layout import Kind
from jetstream_assets.config.named_metrics import named_metrics
from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.experiment import Experiment
from jetstream_assets.sql import sources
from jetstream_assets.sql.day_slices import undividable
from jetstream_assets.sql.source_states import source_states

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.config.named_metrics import NamedMetric
    from jetstream_assets.config.repository import ConfigurationRepository
    from jetstream_assets.experiments.metrics import Metric

# Whether an expression can be split does not depend on the experiment.
_ANY = AnalysisConfiguration(Experiment("any-experiment", (), None, None, 0))


class Treatment(StrEnum):
    """How a metric is computed."""

    # The source is read once; every window is rolled up from daily states.
    EXACT = "exact"
    # The source is read for every window, for its rows cannot be taken day by day.
    WINDOWED_SOURCE = "windowed for its source"
    # The source is read for every window, for the expression does not follow from days.
    WINDOWED = "windowed"
    # It cannot be computed at all, in any way.
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class Classified:
    """A metric with SQL, where one file names it.

    Args:
        kind: The kind of the file.
        path: The file.
        app_name: The application that the name was looked up for.
        metric: The metric's name.
        period: The list that names it; empty for definitions.
        treatment: How it is computed.
        reason: Why it is not exact, a sentence; empty where it is.
        sql: What is computed of what, equal for equal SQL; empty where the name means nothing.
    """

    kind: Kind
    path: str
    app_name: str
    metric: str
    period: str
    treatment: Treatment
    reason: str
    sql: str


@dataclass(frozen=True)
class Counts:
    """How the metrics that files of one kind name are computed.

    Args:
        exact: References that follow from days. A metric that is listed in two periods counts
            twice; a definition counts once.
        windowed: References whose expression does not follow from days.
        windowed_source: References whose source cannot be taken day by day.
        unusable: References that cannot be computed at all.
        exact_sql: How much distinct SQL there is among those that follow from days.
        windowed_sql: How much there is among those that do not.
    """

    exact: int
    windowed: int
    windowed_source: int
    unusable: int
    exact_sql: int
    windowed_sql: int


def classify(repository: ConfigurationRepository) -> tuple[Classified, ...]:
    """Every metric with SQL that a file names, by kind and file.

    Metrics without SQL of their own, such as ratios of two others, are left out.
    """
    return tuple(
        _classified(named)
        for named in named_metrics(repository)
        if isinstance(named.meant, str) or named.meant.select_expression is not None
    )


def counts(classified: Sequence[Classified]) -> dict[Kind, Counts]:
    """How many of each kind of file, in the order of `classify`."""
    kinds = dict.fromkeys(one.kind for one in classified)
    return {kind: _counted([one for one in classified if one.kind == kind]) for kind in kinds}


def _counted(found: Sequence[Classified]) -> Counts:
    number = Counter(one.treatment for one in found)
    distinct = Counter(treatment for treatment, _ in {(one.treatment, one.sql) for one in found})
    return Counts(
        exact=number[Treatment.EXACT],
        windowed=number[Treatment.WINDOWED],
        windowed_source=number[Treatment.WINDOWED_SOURCE],
        unusable=number[Treatment.UNUSABLE],
        exact_sql=distinct[Treatment.EXACT],
        windowed_sql=distinct[Treatment.WINDOWED] + distinct[Treatment.WINDOWED_SOURCE],
    )


def _classified(named: NamedMetric) -> Classified:
    if isinstance(named.meant, str):
        treatment, reason, sql = Treatment.UNUSABLE, named.meant, ""
    else:
        treatment, reason = _treatment(named.meant)
        sql = _sql(named.meant)
    return Classified(
        named.kind,
        named.path,
        named.app_name,
        named.name,
        named.period,
        treatment,
        reason,
        sql,
    )


def _sql(metric: Metric) -> str:
    source = metric.data_source
    relation = source.from_expression if source is not None else ""
    return f"{' '.join((metric.select_expression or '').split())} OF {' '.join(relation.split())}"


@cache
def _treatment(metric: Metric) -> tuple[Treatment, str]:
    source = metric.data_source
    if source is None:
        return Treatment.UNUSABLE, "It has no data source."
    try:
        # The windowed query needs these as well.
        sources.id_column(source, _ANY.experiment.analysis_unit)
        sources.day(source)
        of_source = undividable(source)
    except QueryError as error:
        return Treatment.UNUSABLE, error.problem
    if of_source:
        return Treatment.WINDOWED_SOURCE, of_source
    reason = source_states(_ANY, source, [metric]).windowed.get(metric.name)
    return (Treatment.EXACT, "") if reason is None else (Treatment.WINDOWED, reason)

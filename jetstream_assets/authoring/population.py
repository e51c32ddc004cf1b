"""The units of a preview, as an enrollment query: a sample of the enrolled, or of anybody.

Belongs here: building the query. Does not: which days it is about (`preview_dates`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.experiment import AnalysisUnit
from jetstream_assets.sql import fragments, sources
from jetstream_assets.sql.enrollments import custom_enrollments

if TYPE_CHECKING:
    from jetstream_assets.authoring.preview_dates import PreviewDates
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import DataSource

_EVERYBODY = 100
# The first four of a digest's hexadecimal digits are as good as a random number below this.
_DIGITS = 4
_NUMBERS = 16**_DIGITS


def population_query(
    configuration: AnalysisConfiguration, dates: PreviewDates, branch: str, sample: int
) -> str:
    """A query of units that were seen, as if they had enrolled on the first such day.

    They are those of the data source that most metrics have.

    Args:
        configuration: Whose metrics.
        dates: Who was seen from the first to the last enrollment date.
        branch: The one in which all of them are.
        sample: Percentage of the units (1 to 100).

    Raises:
        ConfigError: No metric has a data source that can be asked.
    """
    unit = configuration.experiment.analysis_unit
    source = _largest_source(configuration)
    day, id_ = sources.day(source), fragments.string(sources.id_column(source, unit))
    seen = (
        exp.select(
            exp.alias_(id_, "analysis_id"),
            exp.alias_(fragments.text_literal(branch), "branch"),
            exp.alias_(exp.Min(this=day.copy()), "enrollment_date"),
            exp.alias_(exp.Literal.number(1), "num_enrollment_events"),
        )
        .from_(sources.relation(source))
        .where(
            fragments.between_dates(day, dates.start_date, dates.last_enrollment_date),
            exp.not_(id_.copy().is_(exp.null())),
        )
        .group_by(id_.copy())
    )
    return _sampled(seen, sample).sql(dialect="bigquery")


def sampled_query(configuration: AnalysisConfiguration, sample: int) -> str | None:
    """A sample of the units of the experiment's own enrollment query; None where it has none.

    Built-in enrollment events are sampled by ``sample_size``, which own queries do not heed.

    Raises:
        QueryError: It cannot be part of a query.
    """
    if configuration.enrollment_query is None:
        return None
    unit = configuration.experiment.analysis_unit
    own = custom_enrollments(configuration.enrollment_query, unit)
    return _sampled(own, sample).sql(dialect="bigquery")


def _sampled(query: exp.Query, sample: int) -> exp.Query:
    """The rows of a percentage of the units; the same units each time."""
    if sample >= _EVERYBODY:
        return query
    id_ = fragments.string(exp.column("analysis_id"))
    digest = exp.func("SUBSTR", exp.MD5(this=id_), 1, _DIGITS)
    below = f"{sample * _NUMBERS // _EVERYBODY:0{_DIGITS}x}"
    return (
        exp.select("*")
        .from_(query.subquery("everybody"))
        .where(exp.LT(this=digest, expression=exp.Literal.string(below)))
    )


def _largest_source(configuration: AnalysisConfiguration) -> DataSource:
    (other,) = set(AnalysisUnit) - {configuration.experiment.analysis_unit}
    found = Counter(
        metric.data_source
        for metric in configuration.metrics
        # An enrollment query that names the other unit is taken for a mistake.
        if metric.data_source is not None and other not in metric.data_source.from_expression
    )
    if not found:
        slug = configuration.experiment.slug
        problem = "No metric has a data source whose units could be a population."
        raise ConfigError(slug, "metrics", problem, "List a metric of a period.")
    ((source, _),) = found.most_common(1)
    return source

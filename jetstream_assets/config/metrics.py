"""Metrics as they are meant: SQL rendered and checked, dependencies followed.

Belongs here: from the definition of a metric to the metric. Does not: which definition a name has
(`scope`), its statistics (`summaries`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent
from typing import TYPE_CHECKING

from jetstream_assets.config import snippets
from jetstream_assets.config.data_sources import data_source_of_metric, supported_units
from jetstream_assets.config.layers import Folded, Origin
from jetstream_assets.config.schema.metrics import MetricDefinition
from jetstream_assets.config.scope import Scope
from jetstream_assets.config.templates import fill, string_content
from jetstream_assets.config.wording import shown
from jetstream_assets.experiments.metrics import Metric
from jetstream_assets.experiments.platforms import platform_of

if TYPE_CHECKING:
    from jetstream_assets.experiments.metrics import DataSource


@dataclass(frozen=True)
class ResolvedMetric:
    """A metric and the definition that it was made of."""

    metric: Metric
    definition: Folded[MetricDefinition]


@dataclass(frozen=True)
class MetricResolver:
    """Resolves the metrics of one experiment, each once."""

    scope: Scope
    resolved: dict[str, ResolvedMetric] = field(default_factory=dict)

    def resolve(
        self, name: str, wanted: Origin, dependents: tuple[str, ...] = ()
    ) -> ResolvedMetric:
        """The metric of a name, and everything it depends on.

        Args:
            name: Its name.
            wanted: Where the name is used.
            dependents: The metrics that led here, outermost first.

        Raises:
            ConfigError: It does not exist, cannot be used, or depends on itself.
        """
        if name in dependents:
            circle = " -> ".join((*dependents[dependents.index(name) :], name))
            raise wanted.error(f"The metric depends on itself: {circle}.", "Break the circle.")
        if name not in self.resolved:
            definition = self.scope.metric(name, wanted)
            for upstream in definition.value.depends_on:
                self.resolve(upstream, definition.at("depends_on"), (*dependents, name))
            self.resolved[name] = ResolvedMetric(self._metric(name, definition), definition)
        return self.resolved[name]

    def _metric(self, name: str, found: Folded[MetricDefinition]) -> Metric:
        definition = found.value
        expression, source = self._body(found)
        return Metric(
            name=snippets.name(name, found.origin),
            data_source=source,
            select_expression=expression,
            friendly_name=dedent(definition.friendly_name or ""),
            description=dedent(definition.description or ""),
            bigger_is_better=definition.bigger_is_better,
            analysis_bases=tuple(dict.fromkeys(definition.analysis_bases)),
            depends_on=tuple(dict.fromkeys(definition.depends_on)),
            origin=str(found.at("select_expression")),
        )

    def _body(self, found: Folded[MetricDefinition]) -> tuple[str, DataSource] | tuple[None, None]:
        """The SQL and its data source; a metric of other metrics may have neither."""
        text, source = found.value.select_expression, found.value.data_source
        if text is None and source is None and found.value.depends_on:
            return None, None
        if text is None or source is None:
            missing = "select_expression" if text is None else "data_source"
            app_name = self.scope.experiment.app_name
            problem = f"Neither this metric nor the shared definitions of {app_name} say {missing}."
            raise found.origin.error(problem, f"Add {missing}.")
        self._check_units(found, source)
        resolved = data_source_of_metric(self.scope, source, found.at("data_source"))
        return self._expression(text, found), resolved

    def _expression(self, text: str, found: Folded[MetricDefinition]) -> str:
        origin = found.at("select_expression")
        rendered = self.scope.functions.render(text, self.scope.parameters, origin)
        slug = string_content(self.scope.experiment.slug)
        return snippets.expression(fill(rendered, {"experiment_slug": slug}, origin), origin)

    def _check_units(self, found: Folded[MetricDefinition], data_source: str) -> None:
        default = platform_of(self.scope.experiment.app_name).analysis_units
        units = found.value.analysis_units or default
        supported = supported_units(self.scope, data_source, found.at("data_source"))
        missing = [unit for unit in units if unit not in supported]
        if missing:
            raise found.at("analysis_units").error(
                f"The metric is for {', '.join(units)}, but its data source {shown(data_source)} "
                f"supports {', '.join(supported)} only.",
                "Set analysis_units of the metric to what the data source supports.",
            )

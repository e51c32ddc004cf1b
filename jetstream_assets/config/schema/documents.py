"""The kinds of configuration file.

Belongs here: one model for each kind of file. Does not: where files of a kind lie
(`config.layout`).
"""

from typing import Any, Self

from pydantic import Field, model_validator

from jetstream_assets.config.schema.base import Names, Table
from jetstream_assets.config.schema.data_sources import DataSourceDefinition, SegmentsTable
from jetstream_assets.config.schema.experiment import ExperimentTable, ParameterDefinition
from jetstream_assets.config.schema.metrics import MetricDefinition, MetricsTable, PeriodLists


class AnalysisDocument(Table):
    """The file of one experiment, or the defaults of an application.

    A file with a ``[project]`` table belongs to another tool and says nothing here.
    """

    experiment: ExperimentTable = ExperimentTable()
    metrics: MetricsTable = MetricsTable()
    data_sources: dict[str, DataSourceDefinition] = Field(default_factory=dict)
    segments: SegmentsTable = SegmentsTable()
    parameters: dict[str, ParameterDefinition] = Field(default_factory=dict)
    friendly_name: str | None = None
    description: str | None = None


class OutcomeDocument(PeriodLists):
    """An outcome: metrics that many experiments share.

    Without any list by period, all of its metrics are computed weekly and overall.
    """

    friendly_name: str
    description: str
    metrics: dict[str, MetricDefinition] = Field(default_factory=dict)
    default_metrics: Names = ()
    data_sources: dict[str, DataSourceDefinition] = Field(default_factory=dict)
    parameters: dict[str, ParameterDefinition] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _default_metrics_exist(self) -> Self:
        for name in self.default_metrics:
            if name not in self.metrics:
                raise ValueError(
                    f"default_metrics names {name!r}, which the outcome does not define"
                )
        return self


class DefinitionsDocument(Table):
    """The shared definitions of an application."""

    metrics: MetricsTable = MetricsTable()
    data_sources: dict[str, DataSourceDefinition] = Field(default_factory=dict)
    segments: SegmentsTable = SegmentsTable()
    # For another tool that reads the same files.
    dimensions: dict[str, Any] = Field(default_factory=dict)
    alerts: dict[str, Any] = Field(default_factory=dict)


class FunctionTable(Table):
    """``[functions.x]``: SQL in which ``{select_expr}`` is replaced by the argument."""

    definition: str
    friendly_name: str | None = None
    description: str | None = None


class FunctionsDocument(Table):
    """The functions that select expressions may call."""

    functions: dict[str, FunctionTable] = Field(default_factory=dict)

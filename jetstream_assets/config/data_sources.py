"""Data sources as they are meant: templates rendered, SQL and columns checked.

Belongs here: from the definition of a data source to the data source. Does not: which definition a
name has (`scope`), segments' data sources (`segments`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.config import snippets
from jetstream_assets.config.templates import (
    TemplateExperiment,
    fill,
    render_source,
    string_content,
)
from jetstream_assets.experiments.metrics import DataSource
from jetstream_assets.experiments.platforms import platform_of

if TYPE_CHECKING:
    from jetstream_assets.config.layers import Folded, Origin
    from jetstream_assets.config.schema.data_sources import DataSourceDefinition
    from jetstream_assets.config.scope import Scope
    from jetstream_assets.experiments.experiment import AnalysisUnit


def data_source_of_metric(scope: Scope, name: str, wanted: Origin) -> DataSource:
    """The data source of a metric; ``{dataset}`` is the application's own dataset.

    Raises:
        ConfigError: It does not exist, or its definition cannot be used.
    """
    found = scope.data_source(name, wanted)
    dataset = scope.experiment.app_dataset or found.value.default_dataset
    return _data_source(scope, name, found, dataset)


def data_source_of_exposure(scope: Scope, name: str, wanted: Origin) -> DataSource:
    """The data source of an exposure signal; ``{dataset}`` is its default dataset, if it has one.

    Raises:
        ConfigError: It does not exist, or its definition cannot be used.
    """
    found = scope.data_source(name, wanted)
    dataset = found.value.default_dataset or scope.experiment.app_dataset
    return _data_source(scope, name, found, dataset)


def supported_units(scope: Scope, name: str, wanted: Origin) -> tuple[AnalysisUnit, ...]:
    """The analysis units whose column a data source has.

    Raises:
        ConfigError: It does not exist.
    """
    units = scope.data_source(name, wanted).value.analysis_units
    return units or platform_of(scope.experiment.app_name).analysis_units


def dataset_values(dataset: str | None) -> dict[str, str]:
    """The placeholders of a data source: ``{dataset}``, where there is one."""
    return {"dataset": string_content(dataset)} if dataset else {}


def _data_source(
    scope: Scope, name: str, found: Folded[DataSourceDefinition], dataset: str | None
) -> DataSource:
    definition = found.value
    if definition.from_expression is None:
        raise found.origin.error("The data source has no from_expression.", "Add one.")
    origin = found.at("from_expression")
    experiment = TemplateExperiment(scope.experiment)
    rendered = render_source(definition.from_expression, experiment, origin)
    return DataSource(
        name=snippets.name(name, found.origin),
        from_expression=snippets.relation(fill(rendered, dataset_values(dataset), origin), origin),
        experiments_column=definition.experiments_column_type,
        client_id_column=snippets.column(definition.client_id_column, found.at("client_id_column")),
        group_id_column=snippets.column(definition.group_id_column, found.at("group_id_column")),
        submission_date_column=snippets.column(
            definition.submission_date_column, found.at("submission_date_column")
        ),
        origin=str(origin),
    )

"""Segments and the exposure signal as they are meant.

Belongs here: from their definitions to the segments and the signal. Does not: metrics.
"""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

from jetstream_assets.config import snippets
from jetstream_assets.config.data_sources import data_source_of_exposure, dataset_values
from jetstream_assets.config.templates import TemplateExperiment, fill, render_experiment
from jetstream_assets.experiments.metrics import ExposureSignal, Segment, SegmentDataSource

if TYPE_CHECKING:
    from jetstream_assets.config.layers import Origin
    from jetstream_assets.config.schema.experiment import ExposureSignalTable
    from jetstream_assets.config.scope import Scope


def resolve_segment(scope: Scope, name: str, wanted: Origin) -> Segment:
    """The segment of a name; ``wanted`` is where the name is used.

    Raises:
        ConfigError: It does not exist, or its definition cannot be used.
    """
    found = scope.segment(name, wanted)
    origin = found.at("select_expression")
    rendered = scope.functions.render(found.value.select_expression, scope.parameters, origin)
    return Segment(
        name=snippets.name(name, found.origin),
        data_source=_segment_source(scope, found.value.data_source, found.at("data_source")),
        select_expression=snippets.expression(rendered, origin),
        friendly_name=dedent(found.value.friendly_name or ""),
        description=dedent(found.value.description or ""),
        origin=str(origin),
    )


def resolve_exposure_signal(
    scope: Scope, table: ExposureSignalTable, origin: Origin
) -> ExposureSignal:
    """The exposure signal that is written at ``origin``.

    Raises:
        ConfigError: Its data source does not exist, or its definition cannot be used.
    """
    wanted = origin.below("data_source")
    expression = snippets.expression(table.select_expression, origin.below("select_expression"))
    return ExposureSignal(
        name=snippets.name(table.name, origin.below("name")),
        data_source=data_source_of_exposure(scope, table.data_source, wanted),
        select_expression=expression,
        friendly_name=dedent(table.friendly_name),
        description=dedent(table.description),
        window_start=table.window_start,
        window_end=table.window_end,
        origin=str(origin),
    )


def _segment_source(scope: Scope, name: str, wanted: Origin) -> SegmentDataSource:
    found = scope.segment_source(name, wanted)
    definition = found.value
    if definition.window_start > definition.window_end:
        raise found.at("window_start").error(
            f"The window starts on day {definition.window_start}, after its end on day "
            f"{definition.window_end}."
        )
    origin = found.at("from_expression")
    experiment = TemplateExperiment(scope.experiment)
    rendered = render_experiment(definition.from_expression, experiment, origin)
    dataset = scope.experiment.app_dataset or definition.default_dataset
    filled = fill(rendered, dataset_values(dataset), origin)
    return SegmentDataSource(
        name=snippets.name(name, found.origin),
        from_expression=snippets.relation(filled, origin),
        window_start=definition.window_start,
        window_end=definition.window_end,
        client_id_column=snippets.column(definition.client_id_column, found.at("client_id_column")),
        group_id_column=snippets.column(definition.group_id_column, found.at("group_id_column")),
        submission_date_column=snippets.column(
            definition.submission_date_column, found.at("submission_date_column")
        ),
    )

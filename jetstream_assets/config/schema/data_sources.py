"""How data sources and segments are written.

Belongs here: ``[data_sources]`` and ``[segments]``. Does not: whether their SQL can be parsed
(`config.snippets`), or whether names in them exist.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from jetstream_assets.config.schema.base import Table, definitions_apart, lower_keys
from jetstream_assets.config.schema.metrics import Units
from jetstream_assets.experiments.metrics import ExperimentsColumn


def _as_column_type(value: object) -> object:
    # TOML has no null: sources without the column say "none", in whatever case.
    return "none" if isinstance(value, str) and value.lower() == "none" else value


ColumnType = Annotated[ExperimentsColumn, Field(strict=False), BeforeValidator(_as_column_type)]


class DataSourceDefinition(Table):
    """``[data_sources.x]``: a definition, or changes to one that a lower layer defines."""

    from_expression: str | None = None
    experiments_column_type: ColumnType = ExperimentsColumn.SIMPLE
    client_id_column: str = "client_id"
    group_id_column: str = "profile_group_id"
    submission_date_column: str = "submission_date"
    default_dataset: str | None = None
    analysis_units: Units | None = None
    # For catalogues and other readers of the same files; nothing is computed from these.
    friendly_name: str | None = None
    description: str | None = None
    build_id_column: str | None = None
    glean_client_id_column: str | None = None
    legacy_client_id_column: str | None = None
    columns_as_dimensions: bool = False
    joins: dict[str, Any] | None = None

    _lower = model_validator(mode="before")(lower_keys)


class SegmentSourceDefinition(Table):
    """``[segments.data_sources.x]``."""

    from_expression: str
    window_start: int = 0
    window_end: int = 0
    client_id_column: str = "client_id"
    group_id_column: str = "profile_group_id"
    submission_date_column: str = "submission_date"
    default_dataset: str | None = None
    friendly_name: str | None = None
    description: str | None = None
    glean_client_id_column: str | None = None
    legacy_client_id_column: str | None = None

    _lower = model_validator(mode="before")(lower_keys)


class SegmentDefinition(Table):
    """``[segments.x]``."""

    data_source: str
    select_expression: str
    friendly_name: str | None = None
    description: str | None = None

    _lower = model_validator(mode="before")(lower_keys)


class SegmentsTable(Table):
    """``[segments]``: definitions by name beside the table of their data sources."""

    data_sources: dict[str, SegmentSourceDefinition] = Field(default_factory=dict)
    definitions: dict[str, SegmentDefinition] = Field(default_factory=dict, alias="<definitions>")

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Sub-tables are definitions, but for that of the data sources."""
        return definitions_apart(value, ("data_sources",))

"""How metrics are written: their SQL, their statistics, and when they are computed.

Belongs here: ``[metrics]`` and what is in it. Does not: whether names in it exist, or which
parameters a statistic takes (`config.summaries`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from jetstream_assets.config.schema.base import Names, Table, definitions_apart, lower_keys
from jetstream_assets.experiments.experiment import AnalysisUnit
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.windows import Period

PERIOD_KEYS = {period.config_key: period for period in Period}


def _as_table(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class PreTreatmentTable(Table):
    """A pre-treatment: its name, or a table with its name and arguments."""

    takes_any_key: ClassVar[bool] = True

    name: str


class CovariateTable(Table):
    """``covariate_adjustment``: the period is one of the pre-enrollment periods."""

    period: str
    metric: str | None = None


class StatisticTable(Table):
    """``[metrics.x.statistics.y]``; its other keys are the statistic's parameters."""

    takes_any_key: ClassVar[bool] = True

    pre_treatments: list[Annotated[PreTreatmentTable, BeforeValidator(_as_table)]] = Field(
        default_factory=list
    )
    covariate_adjustment: CovariateTable | None = None

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters as written."""
        return self.model_extra or {}


Bases = Annotated[
    tuple[Annotated[AnalysisBasis, Field(strict=False)], ...], Field(strict=False, min_length=1)
]
Units = Annotated[
    tuple[Annotated[AnalysisUnit, Field(strict=False)], ...], Field(strict=False, min_length=1)
]


class MetricDefinition(Table):
    """``[metrics.x]``: a definition, or changes to one that a lower layer defines."""

    statistics: dict[str, StatisticTable] | None = None
    select_expression: str | None = None
    data_source: str | None = None
    friendly_name: str | None = None
    description: str | None = None
    bigger_is_better: bool = True
    analysis_bases: Bases = tuple(AnalysisBasis)
    depends_on: Names = ()
    analysis_units: Units | None = None
    # For catalogues of metrics; nothing is computed from these.
    type: str | None = None
    category: str | None = None
    owner: str | list[str] | None = None
    deprecated: bool = False
    level: str | None = None

    _lower = model_validator(mode="before")(lower_keys)

    @property
    def has_body(self) -> bool:
        """Whether it says both what is computed and from what."""
        return self.select_expression is not None and self.data_source is not None


class PeriodLists(Table):
    """Which metrics are computed in which period."""

    daily: Names = ()
    weekly: Names = ()
    days28: Names = Field(default=(), alias="28_day")
    overall: Names = ()
    preenrollment_weekly: Names = ()
    preenrollment_days28: Names = ()

    @property
    def periods(self) -> dict[Period, tuple[str, ...]]:
        """The metrics' names by period, as written."""
        return {
            Period.DAY: self.daily,
            Period.WEEK: self.weekly,
            Period.DAYS28: self.days28,
            Period.OVERALL: self.overall,
            Period.PREENROLLMENT_WEEK: self.preenrollment_weekly,
            Period.PREENROLLMENT_DAYS28: self.preenrollment_days28,
        }


class MetricsTable(PeriodLists):
    """``[metrics]``: lists by period beside definitions by name."""

    definitions: dict[str, MetricDefinition] = Field(default_factory=dict, alias="<definitions>")

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Sub-tables are definitions; everything else is a list by period or unknown."""
        return definitions_apart(value, PERIOD_KEYS)

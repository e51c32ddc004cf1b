"""How a configuration file changes what Experimenter says about an experiment.

Belongs here: ``[experiment]`` and ``[parameters]``. Does not: how they are merged with
Experimenter's record (`config.effective`).
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from jetstream_assets.config.schema.base import Day, Names, Table, lower_keys
from jetstream_assets.config.wording import one_of
from jetstream_assets.experiments.configuration import EnrollmentsQueryType, SeveralBranches
from jetstream_assets.experiments.decision import DEFAULT_MINIMUM_DAYS
from jetstream_assets.experiments.experiment import AnalysisUnit
from jetstream_assets.experiments.hypotheses import Correction
from jetstream_assets.experiments.metrics import AnalysisBasis, WindowBound


def _as_bound(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value in tuple(WindowBound):
        return WindowBound(value)
    raise ValueError(f"a bound is a number of days or {one_of(tuple(WindowBound))}")


def _as_percentage(value: object) -> object:
    # A whole number is sometimes written as 3.0.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


Bound = Annotated[int | WindowBound, BeforeValidator(_as_bound)]
Percentage = Annotated[int, Field(ge=1, le=100), BeforeValidator(_as_percentage)]


class ExposureSignalTable(Table):
    """``[experiment.exposure_signal]``."""

    name: str
    data_source: str
    select_expression: str
    friendly_name: str
    description: str
    window_start: Bound | None = None
    window_end: Bound | None = None


class MultipleComparisonsTable(Table):
    """``[experiment.multiple_comparisons]``."""

    metrics: Annotated[Names, Field(min_length=1)]
    method: Annotated[Correction, Field(strict=False)] = Correction.HOLM


class PowerTable(Table):
    """``[experiment.power]``; the effect is relative, .02 is 2 %."""

    effect: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    power: Annotated[float, Field(gt=0, lt=1)] = 0.8


Margin = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
DecidingPeriod = Literal["daily", "weekly", "28_day", "overall"]


class DecisionTable(Table):
    """``[experiment.decision]``; margins of guardrails are relative, .02 is 2 %."""

    goals: Annotated[Names, Field(min_length=1)]
    guardrails: dict[str, Margin] = Field(default_factory=dict)
    minimum_days: Annotated[int, Field(ge=1)] = DEFAULT_MINIMUM_DAYS
    period: DecidingPeriod = "overall"
    analysis_basis: Annotated[AnalysisBasis, Field(strict=False)] = AnalysisBasis.ENROLLMENTS


class ExperimentTable(Table):
    """``[experiment]``; a key that is absent leaves what Experimenter or a lower layer says."""

    enrollment_query: str | None = None
    enrollment_period: Annotated[int, Field(ge=0)] | None = None
    reference_branch: str | None = None
    start_date: Day | None = None
    end_date: Day | None = None
    segments: Names = ()
    outcomes: Names = ()
    skip: bool = False
    exposure_signal: ExposureSignalTable | None = None
    is_private: bool = False
    dataset_id: str | None = None
    sample_size: Percentage = 100
    analysis_unit: Annotated[AnalysisUnit, Field(strict=False)] | None = None
    enrollments_query_type: Annotated[EnrollmentsQueryType, Field(strict=False)] | None = None
    several_branches: Annotated[SeveralBranches, Field(strict=False)] = SeveralBranches.EXCLUDE
    multiple_comparisons: MultipleComparisonsTable | None = None
    power: PowerTable | None = None
    decision: DecisionTable | None = None


class ParameterTable(Table):
    """``[parameters.x]``: a value for outcomes' SQL, one for all branches or one for each."""

    friendly_name: str | None = None
    description: str | None = None
    value: str | dict[str, str] | None = None
    default: str | dict[str, str] | None = None
    distinct_by_branch: bool = False


ParameterDefinition = Annotated[ParameterTable, BeforeValidator(lower_keys)]

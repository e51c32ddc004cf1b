"""The shape of published documents, as consumers read them.

Belongs here: models of the documents, and what is wrong with a body. Does not: writing documents
(the exports).

The models are those of schema version 4, but for the overview's, which is our own
(`overview_schema`). Keys that they do not name are ignored, as consumers do;
two records of one statistic are an error, since consumers tell records apart by their keys alone.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, HttpUrl, RootModel, ValidationError, model_validator

from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.report.overview_schema import Overview

_MOST_PROBLEMS = 5


class StatisticRecord(BaseModel):
    """One number of a statistics document."""

    metric: str
    statistic: str
    branch: str
    parameter: float | None = None
    comparison: str | None = None
    comparison_to_branch: str | None = None
    ci_width: Annotated[float, Field(ge=0, le=1)] | None = None
    point: float | None = None
    lower: float | None = None
    upper: float | None = None
    segment: str = "all"
    analysis_basis: AnalysisBasis | None = None
    window_index: str | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from others."""
        numbers = {"point", "lower", "upper"}
        return tuple(getattr(self, name) for name in type(self).model_fields if name not in numbers)


class StatisticsDocument(RootModel[list[StatisticRecord]]):
    """``statistics/statistics_<slug>_<period>.json``."""

    @model_validator(mode="after")
    def _has_each_record_once(self) -> StatisticsDocument:
        (key, times), *_ = [*Counter(r.key for r in self.root).most_common(1), ((), 0)]
        if times > 1:
            raise ValueError(f"{times} records have the same keys: {key}")
        return self


class MetricRecord(BaseModel):
    """A metric of a metadata document."""

    analysis_bases: list[AnalysisBasis]
    bigger_is_better: bool
    description: str | None = None
    friendly_name: str | None = None


class OutcomeRecord(BaseModel):
    """An outcome of a metadata document."""

    commit_hash: str | None = None
    default_metrics: list[str]
    description: str
    friendly_name: str
    metrics: list[str]
    slug: str


class ExternalConfigRecord(BaseModel):
    """What a configuration file overrides, and where it is."""

    reference_branch: str | None = None
    end_date: date | None = None
    start_date: date | None = None
    enrollment_period: int | None = None
    skip: bool | None = None
    url: HttpUrl


class VersionRecord(BaseModel):
    """Where something is, and in which version."""

    path: str | None = None
    revision: str | None = None


class VersionsRecord(BaseModel):
    """The versions of what made the results."""

    metric_definitions: list[VersionRecord] | None = None
    jetstream_image: VersionRecord | None = None


class MetadataDocument(BaseModel):
    """``metadata/metadata_<slug>.json``."""

    analysis_start_time: datetime | Literal[""] | None = None
    external_config: ExternalConfigRecord | None = None
    metrics: dict[str, MetricRecord]
    outcomes: dict[str, OutcomeRecord] = {}
    version_info: VersionsRecord | None = None
    version_date: datetime | None = None
    schema_version: int = 4


class ErrorRecord(BaseModel):
    """One record of an errors document."""

    analysis_basis: AnalysisBasis | None = None
    source: Literal["jetstream", "sizing", "jetstream-preview"] | None = None
    exception: str | None = None
    exception_type: str | None = None
    experiment: str | None = None
    filename: str
    func_name: str
    log_level: str
    message: str
    metric: str | None = None
    segment: str | None = None
    statistic: str | None = None
    timestamp: datetime


class ErrorsDocument(RootModel[list[ErrorRecord]]):
    """``errors/errors_<slug>.json``."""


_MODELS: dict[str, type[BaseModel]] = {
    "statistics": StatisticsDocument,
    "metadata": MetadataDocument,
    "errors": ErrorsDocument,
    "overview": Overview,
}


def schema_problems(name: str, body: bytes) -> tuple[str, ...]:
    """What is wrong with a document of that name; empty when nothing is.

    Raises:
        KeyError: No document has such a name.
    """
    model = _MODELS[name.partition("/")[0]]
    try:
        model.model_validate_json(body)
    except ValidationError as error:
        found = [
            f"{'.'.join(map(str, problem['loc'])) or 'the document'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        more = len(found) - _MOST_PROBLEMS
        return (*found[:_MOST_PROBLEMS], *([f"and {more} more"] if more > 0 else []))
    return ()

"""The shape of an experiment's overview: all that a person is told beside the statistics.

Belongs here: models of ``overview/overview_<slug>.json``. Does not: filling them (`overview` and
its neighbours), the page that shows them (`report.page`), the numbers of statistics, which stand in
the statistics documents and are told apart there by their keys.

Dates are ISO days, both ends inclusive. Periods are named as in documents: ``daily``, ``weekly``,
``days28``, ``overall``, ``preenrollment_weekly``, ``preenrollment_days28``. Shares are fractions
of 1. What is not known is null, and an empty list says that there is nothing. The page computes
nothing from these but text.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

State = Literal["ok", "warn", "fail"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BranchRecord(_Record):
    """A branch, in the experiment's order; ``share`` of the units by the declared ratios."""

    slug: str
    ratio: int
    share: float
    is_reference: bool
    description: str | None = None


class SegmentRecord(_Record):
    """A segment; the one of all units is named ``all`` and comes first."""

    name: str
    friendly_name: str | None = None
    description: str | None = None


class MetricRecord(_Record):
    """A metric, and how a person is to read it.

    ``role`` is that of the declared decision; without one every metric is ``other``. ``statistic``
    is the name, in the statistics documents, of the one that speaks for it (null: none does), and
    ``unadjusted`` that of the same without covariate, ``sequential`` that of the always-valid
    intervals. ``margin`` is the relative change for the worse that a guardrail may have, above 0.
    ``periods`` are those in which it is computed.
    """

    name: str
    role: Literal["goal", "guardrail", "other"] = "other"
    friendly_name: str | None = None
    description: str | None = None
    bigger_is_better: bool
    statistic: str | None
    unadjusted: str | None = None
    sequential: str | None = None
    margin: float | None = None
    periods: list[str]
    select_expression: str | None = None
    data_source: str | None = None


class RuleRecord(_Record):
    """The declared rule of the decision, in force for one window of one analysis basis."""

    text: str
    goals: list[str]
    guardrails: list[str]
    period: str
    analysis_basis: str
    minimum_days: int


class DecisionRecord(_Record):
    """What a metric says of a branch against the reference: ``finding`` with its sentence."""

    metric: str
    role: Literal["goal", "guardrail"]
    finding: Literal["better", "worse", "harmless", "harmful", "undecided", "missing"]
    text: str


class BranchVerdictRecord(_Record):
    """The verdict on a branch, and the metrics that decided it."""

    branch: str
    verdict: Literal["positive", "negative", "inconclusive", "invalid"]
    text: str
    decided_by: list[DecisionRecord]


class VerdictRecord(_Record):
    """What the rule says: of the experiment, and of each branch but the reference.

    ``more_days`` is how many more days it takes, where that is known and not 0.
    """

    verdict: Literal["positive", "negative", "inconclusive", "invalid"]
    text: str
    more_days: int | None = None
    rule: RuleRecord
    branches: list[BranchVerdictRecord]


class TrustRecord(_Record):
    """A reason to trust the results, or not to: a check with its numbers and the remedy.

    ``name`` is one of ``sample_ratio``, ``units_in_several_branches``, ``preenrollment_balance``,
    ``sources_are_fresh``, ``sources_join``, ``failed_cells`` and whatever comes. ``remedy`` is null
    where all is well. ``facts`` are numbers by name, ``table`` the rows behind it.
    """

    name: str
    title: str
    state: State
    message: str
    remedy: str | None = None
    facts: dict[str, int | float | str] = {}
    header: list[str] = []
    rows: list[list[str | int | float | None]] = []


class UnitsRecord(_Record):
    """Units of a branch day by day.

    The lists are as long as the exposure's ``days``. ``expected`` is the cumulative number of units
    that the declared ratios say, of all that enrolled by that day. ``exposed`` is null where
    exposures are not known; exposed units count on the day of their first exposure.
    """

    branch: str
    enrolled: list[int]
    enrolled_total: list[int]
    expected_total: list[float]
    exposed: list[int] | None = None
    exposed_total: list[int] | None = None


class ExposureRecord(_Record):
    """Who enrolled and who was exposed on which day."""

    days: list[date]
    branches: list[UnitsRecord]


class WindowRecord(_Record):
    """An analysis window that has results: days since the anchor date, both inclusive."""

    period: str
    window_index: int
    start: int
    end: int
    is_provisional: bool


class MissingRecord(_Record):
    """Results that are not there, counted by reason.

    ``status`` is that of `result_status`; ``metrics`` and ``windows`` name what it hits.
    """

    status: str
    reason: str
    results: int
    metrics: list[str]
    windows: list[str]
    due_on: date | None = None
    sql: str | None = None


class RunRecord(_Record):
    """A run that made stored results: when it first asked the warehouse, and what that cost."""

    run_id: str
    started_at: datetime
    first_date: date
    last_date: date
    queries: int
    seconds: float
    bytes_read: int
    bytes_billed: int
    slot_seconds: float


class QueryRecord(_Record):
    """A statement that the results come from, in BigQuery's dialect, as the configuration."""

    title: str
    sql: str


class RefusalRecord(_Record):
    """Why the experiment is not analysed."""

    kind: str
    message: str


class Overview(_Record):
    """``overview/overview_<normalized slug>.json``.

    ``note`` is what stands at the top of the page.
    ``data_through`` is the newest date whose data the results know, ``is_provisional`` whether the
    newest results of any period are. ``verdict`` is null where no rule is declared; ``facts`` are
    the sentences that the bar then states. ``documents`` are the names of the experiment's other
    documents by kind and, of statistics, period: ``statistics_weekly``, ``metadata``, ``errors``.
    """

    schema_version: Literal[1] = 1
    slug: str
    normalized_slug: str
    note: str | None = None
    name: str | None = None
    description: str | None = None
    app: str | None = None
    url: str | None = None
    status: str | None = None
    start_date: date | None = None
    end_date: date | None = None
    enrollment_end: date | None = None
    analysis_unit: str | None = None
    data_through: date
    is_provisional: bool
    configuration_commit: str | None = None
    configuration_url: str | None = None
    code_version: str | None = None
    refusal: RefusalRecord | None = None
    reference_branch: str | None = None
    branches: list[BranchRecord]
    analysis_bases: list[str]
    segments: list[SegmentRecord]
    metrics: list[MetricRecord]
    windows: list[WindowRecord]
    verdict: VerdictRecord | None = None
    facts: list[str]
    trust: list[TrustRecord]
    exposure: ExposureRecord | None = None
    missing: list[MissingRecord]
    runs: list[RunRecord]
    queries: list[QueryRecord]
    documents: dict[str, str]

"""What is collected for statistics, by name: each has golden files, and is executed."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jetstream_assets.experiments.metrics import AnalysisBasis, PreTreatment
from jetstream_assets.experiments.needs import (
    CapScope,
    CoMoments,
    Histogram,
    JointMoments,
    Moments,
    Pairs,
    RatioCoMoments,
    Totals,
    Value,
)
from jetstream_assets.experiments.windows import Period
from jetstream_assets.sql.capping import GroupSizes
from jetstream_assets.sql.distributions import counts_query, histograms_query
from jetstream_assets.sql.pairs import pairs_query
from jetstream_assets.sql.sufficient_statistics import summed_query, units_query
from jetstream_assets.sql.unit_values import UnitRows
from jetstream_assets.warehouse.tables import ResultTable, Slice

if TYPE_CHECKING:
    from sqlglot import exp

METRICS = Slice(ResultTable.METRICS, "reader-mode", date(2024, 1, 14))
BEFORE = Slice(ResultTable.PREENROLLMENT_METRICS, "reader-mode", date(2024, 1, 8))
ROWS = UnitRows(
    METRICS.reference,
    Period.WEEK,
    1,
    7,
    tuple(AnalysisBasis),
    ("busy", "it's `quiet`"),
    frozenset({(None, "clicks")}),
    BEFORE.reference,
)
SIZES = GroupSizes(groups=18, branch=70, pooled=200, units=800)
# As if the units were too many to be kept.
MANY = GroupSizes(groups=18, branch=1_000_000, pooled=1_000_000, units=9_000_000)
SPEND, CLICKS = Value("spend"), Value("clicks")
SPEND_BEFORE = Value("spend", period=Period.PREENROLLMENT_WEEK)
LOG_SPEND = Value(
    "spend",
    (
        PreTreatment("censor_highest_values", (("fraction", 0.95),)),
        PreTreatment("log", (("base", 10.0),)),
    ),
)

OWN_CAP = Moments(SPEND, 0.05)
POOLED_CAP = Moments(CLICKS, 0.05, CapScope.POOLED)
ADJUSTED = CoMoments(SPEND, SPEND_BEFORE, 0.05)
RATIO = JointMoments(CLICKS, SPEND, 0.05)
CLICKS_BEFORE = Value("clicks", period=Period.PREENROLLMENT_WEEK)
ADJUSTED_RATIO = RatioCoMoments(CLICKS, SPEND, (CLICKS_BEFORE, SPEND_BEFORE), 0.05)


def statistics_questions() -> dict[str, exp.Select]:
    """The queries by the names of their golden files."""
    return {
        "statistics-units": units_query(ROWS),
        "statistics-totals": summed_query(ROWS, [Totals(CLICKS)], SIZES),
        "statistics-moments": summed_query(ROWS, [OWN_CAP, POOLED_CAP], SIZES),
        "statistics-moments-of-many": summed_query(ROWS, [OWN_CAP, POOLED_CAP], MANY),
        "statistics-covariate": summed_query(ROWS, [ADJUSTED], SIZES),
        "statistics-ratio": summed_query(ROWS, [RATIO], SIZES),
        "statistics-adjusted-ratio": summed_query(ROWS, [ADJUSTED_RATIO], SIZES),
        "statistics-pre-treatments": summed_query(ROWS, [Moments(LOG_SPEND)], SIZES),
        "statistics-distributions": histograms_query(ROWS, [Histogram(SPEND), Histogram(CLICKS)]),
        "statistics-counts": counts_query(ROWS, [Histogram(SPEND), Histogram(CLICKS)]),
        "statistics-pairs": pairs_query(ROWS, Pairs(CLICKS, SPEND, 40)),
    }

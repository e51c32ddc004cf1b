"""What is told of an experiment beside its statistics: the decision, trust, gaps, costs, SQL.

Belongs here: asking each question of the right cell. Does not: the questions themselves
(`decision`, `checks`, `late_data`, `units_by_day`, `missing_results`, `query_costs`,
`metric_statements`), the document (`report.overview`).

Checks are judged again rather than remembered: they are aggregates over what is stored, and what is
stored may be newer than what a step has judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.analysis.checks import judge
from jetstream_assets.analysis.decision import Evidence, decide
from jetstream_assets.analysis.late_data import late_data
from jetstream_assets.analysis.metric_statements import metric_statements
from jetstream_assets.analysis.missing_results import missing_results
from jetstream_assets.analysis.newest_cell import newest_cell
from jetstream_assets.analysis.query_costs import stored_runs
from jetstream_assets.analysis.slices import result_dataset
from jetstream_assets.analysis.units_by_day import units_by_day
from jetstream_assets.experiments.appraisal import Appraisal
from jetstream_assets.experiments.checks import Check
from jetstream_assets.experiments.failures import RefusalKind
from jetstream_assets.experiments.refusals import refusal

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

    from jetstream_assets.analysis.options import AnalysisOptions
    from jetstream_assets.experiments.checks import Limits, Verdict
    from jetstream_assets.experiments.decision import ExperimentConclusion
    from jetstream_assets.experiments.failures import Refusal
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse

_MOST_RUNS = 50
_MOST_STATEMENTS = 20
_LONGEST_STATEMENT = 8_000


def appraise(
    plan: AnalysisPlan,
    warehouse: Warehouse,
    statistics: pa.Table,
    as_of: date,
    limits: Limits,
    options: AnalysisOptions,
) -> Appraisal:
    """What is known of a plan's experiment from all of its cells.

    Args:
        plan: A plan of the experiment, of any date.
        warehouse: Where the results are.
        statistics: The experiment's rows that are its results today: `STATISTICS_SCHEMA`.
        as_of: The newest date whose data the results know.
        limits: What checks allow.
        options: How the results were computed.
    """
    newest = newest_cell(plan, warehouse)
    checks = tuple(_checks(newest, warehouse, limits)) if newest.windows else ()
    reason = refused(plan, as_of, has_results=statistics.num_rows > 0)
    dataset = result_dataset(plan)
    return Appraisal(
        conclusion=_conclusion(plan, statistics, as_of, checks, reason),
        refusal=reason,
        checks=checks,
        late_data=late_data(newest, warehouse, options) if newest.windows else None,
        units=units_by_day(newest, warehouse) if newest.windows else None,
        missing=missing_results(plan, warehouse),
        runs=stored_runs(warehouse, plan.slug, dataset, _MOST_RUNS),
        statements=metric_statements(newest, _MOST_STATEMENTS, _LONGEST_STATEMENT),
    )


def refused(plan: AnalysisPlan, as_of: date, *, has_results: bool) -> Refusal | None:
    """Why the experiment is not analysed, if it is not; that it has ended is no reason by then."""
    reason = plan.refusal if plan.configuration is None else refusal(plan.declared, as_of)
    is_over = reason is not None and reason.kind is RefusalKind.ENDED
    return None if is_over and has_results else reason


def _checks(plan: AnalysisPlan, warehouse: Warehouse, limits: Limits) -> list[Verdict]:
    return [judged.verdict for judged in judge([plan], warehouse, list(Check), limits)]


def _conclusion(
    plan: AnalysisPlan,
    statistics: pa.Table,
    as_of: date,
    checks: tuple[Verdict, ...],
    reason: Refusal | None,
) -> ExperimentConclusion | None:
    if plan.configuration is None or plan.configuration.decision is None:
        return None
    ratio = next((verdict for verdict in checks if verdict.check is Check.SAMPLE_RATIO), None)
    is_off = ratio is not None and ratio.is_judged and not ratio.passed
    obstacle = ratio.message if is_off and ratio else ""
    not_analysed = reason.message if reason else ""
    return decide(plan.configuration, Evidence(statistics, as_of, obstacle, not_analysed))

"""What the queries of a step cost, stored with the experiments that they were asked for.

Belongs here: the rows of `query_costs`, storing them, and their sums. Does not: noticing costs
(`warehouse.query_costs`), showing them (`report.cost_table`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from jetstream_assets.analysis.slices import CODE_VERSION, cell_slice
from jetstream_assets.experiments.appraisal import RunCost
from jetstream_assets.warehouse.base import Provenance
from jetstream_assets.warehouse.query_costs import CostSum
from jetstream_assets.warehouse.tables import (
    QUERY_COSTS_SCHEMA,
    ResultTable,
    Slice,
    all_parts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse
    from jetstream_assets.warehouse.query_costs import QueryCost

_SUMMED = ("seconds", "bytes_read", "bytes_billed", "slot_seconds")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def store_costs(
    costs: Sequence[QueryCost], plans: Sequence[AnalysisPlan], warehouse: Warehouse, run_id: str
) -> None:
    """Store what a step's queries cost: one slice an experiment, of the step's last date.

    Args:
        costs: Those of one asset.
        plans: The step's cells. What was asked for no one experiment counts for the first.
        warehouse: Where the experiments' results are.
        run_id: The run; another run of the same cells has slices of its own.
    """
    last = {plan.slug: plan for plan in sorted(plans, key=lambda plan: plan.date)}
    if not last:
        return
    first = min(last)
    by_slug: dict[str, list[QueryCost]] = defaultdict(list)
    for cost in costs:
        slug = cost.purpose.experiment
        by_slug[slug if slug in last else first].append(cost)
    for slug, of_experiment in sorted(by_slug.items()):
        warehouse.replace(
            _slice(last[slug], of_experiment[0].purpose.asset, run_id),
            _table(of_experiment, run_id),
            Provenance(run_id, of_experiment[0].purpose.commit, CODE_VERSION),
        )


def _slice(plan: AnalysisPlan, asset: str, run_id: str) -> Slice:
    like = cell_slice(plan, ResultTable.QUERY_COSTS)
    part = _UNSAFE.sub("_", f"{asset}-{run_id}")
    return Slice(like.table, like.experiment, like.date, like.dataset, part)


def _table(costs: Iterable[QueryCost], run_id: str) -> pa.Table:
    rows = [
        {
            "asset": cost.purpose.asset,
            "period": cost.purpose.period,
            "kind": cost.kind,
            "run_id": run_id,
            "job": cost.job,
            "config_commit": cost.purpose.commit,
            "started_at": cost.started_at,
            "seconds": cost.seconds,
            "bytes_read": cost.bytes_read,
            "bytes_billed": cost.bytes_billed,
            "slot_seconds": cost.slot_seconds,
        }
        for cost in costs
    ]
    return pa.Table.from_pylist(rows, schema=QUERY_COSTS_SCHEMA)


def sums_of(costs: Iterable[QueryCost]) -> tuple[CostSum, ...]:
    """The sums of costs by experiment, asset and period."""
    groups: dict[tuple[str, str, str], list[QueryCost]] = defaultdict(list)
    for cost in costs:
        purpose = cost.purpose
        groups[purpose.experiment, purpose.asset, purpose.period].append(cost)
    return tuple(
        CostSum(
            *group,
            queries=len(of_group),
            seconds=sum(cost.seconds for cost in of_group),
            bytes_read=sum(cost.bytes_read for cost in of_group),
            bytes_billed=sum(cost.bytes_billed for cost in of_group),
            slot_seconds=sum(cost.slot_seconds for cost in of_group),
        )
        for group, of_group in sorted(groups.items())
    )


def stored_sums(
    warehouse: Warehouse, slug: str, dataset: str, first: date | None, last: date | None
) -> tuple[CostSum, ...]:
    """The sums of an experiment's stored costs, by asset and period.

    Args:
        warehouse: Where the experiment's results are.
        slug: The experiment slug.
        dataset: The dataset of its results.
        first: The first date of the steps that are counted, inclusive; None: all.
        last: Their last date, inclusive; None: all.

    Returns:
        No sums where no costs are stored.
    """
    if not warehouse.slices(ResultTable.QUERY_COSTS, slug, dataset):
        return ()
    rows = warehouse.query(_sums_query(slug, dataset, first, last)).to_pylist()
    return tuple(_sum(slug, row) for row in rows)


def stored_runs(warehouse: Warehouse, slug: str, dataset: str, most: int) -> tuple[RunCost, ...]:
    """The runs whose costs are stored with an experiment, the newest first, ``most`` of them."""
    if not warehouse.slices(ResultTable.QUERY_COSTS, slug, dataset):
        return ()
    rows = warehouse.query(_runs_query(slug, dataset)).to_pylist()
    runs = sorted((RunCost(**row) for row in rows), key=lambda run: (run.started_at, run.run_id))
    return tuple(reversed(runs[-most:]))


def _runs_query(slug: str, dataset: str) -> exp.Select:
    columns: dict[str, exp.Expr] = {
        "started_at": exp.Min(this=exp.column("started_at", table="costs")),
        "first_date": exp.Min(this=exp.column("date", table="costs")),
        "last_date": exp.Max(this=exp.column("date", table="costs")),
        "queries": exp.Count(this=exp.Star(), big_int=True),
    }
    columns |= {name: exp.Sum(this=exp.column(name, table="costs")) for name in _SUMMED}
    said = [exp.alias_(tree, name) for name, tree in columns.items()]
    relation = exp.alias_(all_parts(ResultTable.QUERY_COSTS, slug, dataset), "costs", table=True)
    return exp.select("run_id", *said).from_(relation).group_by("run_id")


def _sum(slug: str, row: Mapping[str, Any]) -> CostSum:
    return CostSum(experiment=slug, **row)


def _sums_query(slug: str, dataset: str, first: date | None, last: date | None) -> exp.Select:
    keys = ("asset", "period")
    count = exp.alias_(exp.Count(this=exp.Star(), big_int=True), "queries")
    sums = [exp.alias_(exp.Sum(this=exp.column(name, table="costs")), name) for name in _SUMMED]
    relation = exp.alias_(all_parts(ResultTable.QUERY_COSTS, slug, dataset), "costs", table=True)
    query = exp.select(*keys, count, *sums).from_(relation)
    bounds = ((exp.GTE, first), (exp.LTE, last))
    for compared, day in bounds:
        if day is not None:
            limit = exp.cast(exp.Literal.string(day.isoformat()), exp.DType.DATE)
            query = query.where(compared(this=exp.column("date"), expression=limit))
    return query.group_by(*keys).order_by(*keys)

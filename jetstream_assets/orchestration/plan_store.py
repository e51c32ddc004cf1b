"""Plans travel between steps as JSON documents, one a cell, that a person can read, too.

Belongs here: storing the plans of a run's cells and loading them in later steps and later runs.
Does not: making plans (`config.planning`).
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from dagster import (
    ConfigurableIOManager,
    InputContext,
    MultiPartitionKey,
    OutputContext,
)
from pydantic import TypeAdapter

from jetstream_assets.errors import WarehouseError
from jetstream_assets.experiments.plan import AnalysisPlan
from jetstream_assets.orchestration.partitions import Cell, cell_of
from jetstream_assets.orchestration.resources import DocumentsResource

if TYPE_CHECKING:
    from jetstream_assets.report.store import DocumentStore

Plans = list[AnalysisPlan]

_PLAN = TypeAdapter(AnalysisPlan)
# A bucket answers after some 30 ms, a run may have hundreds of cells, and each of its steps asks.
_AT_ONCE = 8


class PlansIOManager(ConfigurableIOManager):
    """Stores the plans of a run's cells in the document store."""

    root: str

    def handle_output(self, context: OutputContext, plans: Plans) -> None:
        """Store each plan under its cell."""
        del context
        store = DocumentsResource(root=self.root).open()
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            list(threads.map(partial(store_plan, store), plans))

    def load_input(self, context: InputContext) -> Plans:
        """The plans of the run's cells, by experiment and date."""
        store = DocumentsResource(root=self.root).open()
        cells = sorted(cell_of(key) for key in _keys(context))
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return list(threads.map(partial(load_plan, store), cells))


def store_plan(store: "DocumentStore", plan: AnalysisPlan) -> None:
    """Publish one plan."""
    body = _PLAN.dump_json(plan, indent=1)
    store.publish(plan_name(Cell(plan.slug, plan.date)), body, plan.date)


def load_plan(store: "DocumentStore", cell: Cell) -> AnalysisPlan:
    """The stored plan of a cell.

    Raises:
        WarehouseError: There is none; the message says what to materialize.
    """
    plan = find_plan(store, cell)
    if plan is None:
        raise WarehouseError(
            f"There is no plan of {cell.slug} on {cell.date}. Materialize analysis_plan first."
        )
    return plan


def find_plan(store: "DocumentStore", cell: Cell) -> AnalysisPlan | None:
    """The stored plan of a cell, or None when there is none."""
    body = store.read(plan_name(cell))
    return None if body is None else _PLAN.validate_json(body)


def plan_name(cell: Cell) -> str:
    """The document's name; a digest tells slugs apart whose safe letters are the same."""
    digest = hashlib.sha256(cell.slug.encode()).hexdigest()[:12]
    safe = "".join(c if c.isascii() and c.isalnum() else "_" for c in cell.slug)[:80]
    return f"plans/x_{safe}_{digest}/{cell.date.isoformat()}.json"


def _keys(context: InputContext) -> list[MultiPartitionKey]:
    return [key for key in context.asset_partition_keys if isinstance(key, MultiPartitionKey)]

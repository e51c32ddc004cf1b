"""The partitions page of an asset with every cell materialized, in Postgres, asked over HTTP.

Belongs here: filling the event log, the query that the page makes, its seconds. Does not: the
services (`jetstream_assets_tests.processes`).
"""

from __future__ import annotations

import statistics
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from dagster import AssetKey, AssetMaterialization, DagsterEvent, DagsterEventType, DagsterInstance
from dagster._core.events import StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.instance.utils import RUNLESS_JOB_NAME, RUNLESS_RUN_ID

from jetstream_assets.orchestration.partitions import EXPERIMENT, Cell
from jetstream_assets_tests.processes.installation import running_installation
from jetstream_assets_tests.processes.postgres import running_postgres
from jetstream_assets_tests.ui.endpoint import Endpoint
from orchestration_bench.inputs import START, Inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

ASSET = "statistics_export"
EXPERIMENTS, DAYS = 100, 400
TIMES = 7
_BATCH = 2_000

# What the page asks for to draw the grid.
QUERY = """query PartitionHealthQuery($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) { ... on AssetNode {
    partitionKeysByDimension { name type partitionKeys }
    assetPartitionStatuses { ... on MultiPartitionStatuses {
      primaryDimensionName
      ranges {
        primaryDimStartKey primaryDimEndKey primaryDimStartTime primaryDimEndTime
        secondaryDim { ... on DefaultPartitionStatuses {
          materializedPartitions failedPartitions materializingPartitions
          unmaterializedPartitions
        } }
      }
    } }
  } }
}"""


def measure_page(inputs: Inputs, experiments: int = EXPERIMENTS, days: int = DAYS) -> list[float]:
    """Seconds of the page's query: the first, with nothing cached, then repetitions."""
    first = START - timedelta(days=days)
    settings = inputs.settings().model_copy(update={"first_date": first, "patience": 0})
    with (
        running_postgres() as database,
        running_installation(
            inputs.root / "page", settings, database.address, webserver=True
        ) as running,
    ):
        running.daemon.kill()
        slugs = [f"experiment-{number:03}" for number in range(experiments)]
        running.instance.add_dynamic_partitions(EXPERIMENT, slugs)
        dates = [first + timedelta(days=number) for number in range(days)]
        _fill(running.instance, [Cell(slug, on) for slug in slugs for on in dates])
        return list(_seconds(Endpoint(running.url), len(slugs)))


def median(seconds: list[float]) -> float:
    """The median of the repetitions, without the first."""
    return statistics.median(seconds[1:])


def _seconds(endpoint: Endpoint, experiments: int) -> Iterator[float]:
    for _ in range(TIMES + 1):
        start = time.perf_counter()
        node = endpoint.ask(QUERY, asset={"path": [ASSET]})["assetNodeOrError"]
        yield time.perf_counter() - start
        (whole,) = node["assetPartitionStatuses"]["ranges"][:1]
        found = len(whole["secondaryDim"]["materializedPartitions"])
        if found != experiments:
            raise SystemExit(f"The page shows {found} experiments instead of {experiments}.")


def _fill(instance: DagsterInstance, cells: list[Cell]) -> None:
    for at in range(0, len(cells), _BATCH):
        events = [_event(cell) for cell in cells[at : at + _BATCH]]
        instance.event_log_storage.store_event_batch(events)


def _event(cell: Cell) -> EventLogEntry:
    materialization = AssetMaterialization(AssetKey(ASSET), partition=cell.key)
    event = DagsterEvent(
        event_type_value=DagsterEventType.ASSET_MATERIALIZATION.value,
        event_specific_data=StepMaterializationData(materialization),
        job_name=RUNLESS_JOB_NAME,
    )
    return EventLogEntry(  # type: ignore[no-untyped-call]  # it has no types
        user_message="",
        level=20,
        run_id=RUNLESS_RUN_ID,
        timestamp=time.time(),
        error_info=None,
        job_name=RUNLESS_JOB_NAME,
        step_key=None,
        dagster_event=event,
    )

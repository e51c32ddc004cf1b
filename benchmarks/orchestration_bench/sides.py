"""What is measured, each side in a process of its own.

Belongs here: the sides, and the seconds of one. Does not: comparing them.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dagster import DagsterInstance, build_schedule_context

from jetstream_assets.analysis.daily_aggregates import compute_daily_aggregates
from jetstream_assets.analysis.enrollments import compute_enrollments
from jetstream_assets.analysis.metrics import compute_metrics
from jetstream_assets.analysis.options import DEFAULT_OPTIONS, AnalysisOptions
from jetstream_assets.analysis.refusals import store_refusal
from jetstream_assets.analysis.result_status import compute_result_status
from jetstream_assets.analysis.statistics import Shard, shard_statistics, store_statistics
from jetstream_assets.config.planning import open_planner
from jetstream_assets.definitions import build_definitions
from jetstream_assets.experiments.checks import Limits
from jetstream_assets.orchestration.documents import documents_of
from jetstream_assets.orchestration.launch import open_instance, run_cells
from jetstream_assets.orchestration.resources import resources
from jetstream_assets.orchestration.schedules import DAILY
from jetstream_assets.orchestration.settings import Executor
from jetstream_assets.report.folder_store import FolderDocumentStore
from jetstream_assets.report.publish import publish
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from orchestration_bench.inputs import LAST, SLUG, Inputs, cells

Side = Callable[[Inputs], int]


@dataclass(frozen=True)
class Seconds:
    """Wall and CPU seconds, children included, imports excluded; ``count`` is the side's own."""

    wall: float
    cpu: float
    count: int


def measure(side: str, inputs: Inputs) -> Seconds:
    """Run a side in a process of its own."""
    command = [sys.executable, "-m", __spec__.name, side, str(inputs.root)]
    folder = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
    return Seconds(**json.loads(done.stdout.splitlines()[-1]))


def work(inputs: Inputs) -> int:
    """The newest cell without Dagster: the same calls as the assets make."""
    settings, options = inputs.settings(), AnalysisOptions()
    tables = DuckDBParquetWarehouse(Path(settings.warehouse), 1, None)
    plan = open_planner(settings.experiments, settings.configuration).plan(SLUG, LAST)
    store_refusal(plan, tables)
    compute_enrollments(plan, tables, options)
    aggregates = compute_daily_aggregates([plan], tables, options)
    compute_metrics(plan, tables, options, aggregates)
    parts = [shard_statistics(plan, tables, Shard(n, 4)) for n in range(4)]
    store_statistics(plan, tables, parts)
    compute_result_status(plan, tables, "")
    store = FolderDocumentStore(Path(settings.output))
    started = datetime.now(UTC)
    publish(documents_of(plan, tables, started, None, Limits(), DEFAULT_OPTIONS, None), store)
    return 1


def run_in_process(inputs: Inputs) -> int:
    """The newest cell as a run whose steps share its process."""
    return _runs(inputs, "in-process", [[-1]])


def run_under_dask(inputs: Inputs) -> int:
    """The newest cell as a run under the Dask executor, its cluster included."""
    return _runs(inputs, "dask", [[-1]])


def one_run(inputs: Inputs) -> int:
    """All dates as one run."""
    return _runs(inputs, "in-process", [list(range(len(cells())))])


def sixty_runs(inputs: Inputs) -> int:
    """All dates as a run each, one after the other in one process."""
    return _runs(inputs, "in-process", [[number] for number in range(len(cells()))])


def tick(inputs: Inputs) -> int:
    """A tick of the daily schedule; the count is its requests."""
    settings = inputs.settings()
    location = build_definitions(settings).get_repository_def()
    moment = datetime.combine(LAST + timedelta(days=1), settings.daily_at, UTC)
    home = inputs.root / "home"
    home.mkdir()
    with DagsterInstance.local_temp(str(home)) as instance:
        context = build_schedule_context(
            instance=instance,
            scheduled_execution_time=moment,
            resources=resources(settings),
            repository_def=location,
        )
        found = location.get_schedule_def(DAILY).evaluate_tick(context)
    return len(found.run_requests or ())


def _runs(inputs: Inputs, executor: str, groups: list[list[int]]) -> int:

    settings, dates = inputs.settings(Executor(executor)), cells()
    with tempfile.TemporaryDirectory() as home, open_instance(Path(home)) as instance:
        for group in groups:
            asked = [dates[number] for number in group]
            found = list(run_cells(settings, instance, asked))
            if not all(outcome.succeeded for outcome in found):
                raise SystemExit(str(found))
    return len(groups)


def _cpu() -> float:
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def _main(side: str, root: str) -> None:

    wall, cpu = time.perf_counter(), _cpu()
    count = SIDES[side](Inputs(Path(root)))
    print(json.dumps(asdict(Seconds(time.perf_counter() - wall, _cpu() - cpu, count))))


SIDES: dict[str, Side] = {
    side.__name__: side
    for side in (work, run_in_process, run_under_dask, one_run, sixty_runs, tick)
}

if __name__ == "__main__":
    _main(*sys.argv[1:])

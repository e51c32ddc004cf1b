"""Every run says whose it is, so that the queue starts at most one run an experiment at once.

Belongs here: the queue of the instance. Does not: limits (`dagster.yaml`), runs from a command line
(`launch`).

A run of one cell carries its experiment as a partition's tag. The run of a backfill has only the
first and the last key of its range; without this tag it would run beside others of its experiment.
Dates of an experiment share what they compute: side by side they are right, but compute it twice.
"""

from collections.abc import Mapping

from dagster import DagsterRun
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.partitions import EXPERIMENT

_CELL = f"dagster/partition/{EXPERIMENT}"


class ExperimentRunCoordinator(QueuedRunCoordinator):
    """Dagster's queue; a run of one experiment is tagged with it before it is queued."""

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Tag the run and queue it."""
        run = context.dagster_run
        slug = experiment_of(run.tags)
        if slug:
            self._instance.add_run_tags(run.run_id, {run_tags.EXPERIMENT: slug})
        return super().submit_run(context)


def experiment_of(found: Mapping[str, str]) -> str:
    """The experiment of a run's tags; empty where it has none or several.

    A partition's text is ``date|experiment``, and a slug holds no ``|``.
    """
    if _CELL in found:
        return found[_CELL]
    bounds = (run_tags.RANGE_START, run_tags.RANGE_END)
    ends = {found.get(bound, "").partition("|")[2] for bound in bounds}
    return ends.pop() if len(ends) == 1 else ""

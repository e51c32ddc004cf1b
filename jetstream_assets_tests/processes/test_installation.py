from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets.orchestration.partitions import EXPERIMENT as EXPERIMENTS
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets_tests.orchestration.laboratory import EXPERIMENT, FIRST_WEEK
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from jetstream_assets_tests.orchestration.laboratory import Laboratory
    from jetstream_assets_tests.processes.installation import Installation

pytestmark = pytest.mark.slow


def test_a_backfill_is_run_by_processes_over_postgres(
    installation: Installation, laboratory: Laboratory
) -> None:
    endpoint = installation.endpoint
    assert wait_for(lambda: all(endpoint.daemons().values()), 60), endpoint.daemons()
    assert endpoint.locations() == {"jetstream_assets": "LOADED"}
    # Other tests of this installation may have been first.
    if EXPERIMENT.slug not in installation.instance.get_dynamic_partitions(EXPERIMENTS):
        endpoint.add_experiment(EXPERIMENT.slug)
    backfill = endpoint.backfill(endpoint.assets(), [Cell(EXPERIMENT.slug, FIRST_WEEK)])
    (run,) = endpoint.finished_runs(1, 120, dagster__backfill=backfill)
    assert run.status == "SUCCESS", installation.complaint(run.status)
    assert laboratory.rows("statistics")
    assert "postgres" in type(installation.instance.event_log_storage).__module__

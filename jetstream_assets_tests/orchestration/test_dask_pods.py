from __future__ import annotations

import pytest
from dagster import DagsterInstance
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.test_utils import create_run_for_test

from jetstream_assets.orchestration.dask_pods import NoPodsError, worker_pods


def test_where_runs_are_no_pods_workers_are_none_and_that_is_said() -> None:
    with DagsterInstance.ephemeral() as instance:
        run = create_run_for_test(instance)
        asked = worker_pods(DefaultRunLauncher(), run, 1, "tcp://127.0.0.1:8786")
        with pytest.raises(NoPodsError, match="only where runs are pods"), asked:
            pass

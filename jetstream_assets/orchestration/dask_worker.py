"""What a Dask worker process does when it starts and when it is closed.

Belongs here: set-up and end of a worker. Imports nothing heavy, since a worker that takes long to
start is given up. Does not: running steps (`dask_cluster`).
"""

import logging
import sys


def dask_setup(worker: object = None) -> None:
    """Dask calls this in every worker process that starts.

    Dagster's step events have no size that Dask could measure; it would say so at every step. A
    filter, since the cluster sets levels of its own.
    """
    del worker
    logging.getLogger("distributed.sizeof").addFilter(_drop)


def dask_teardown(worker: object = None) -> None:
    """Dask calls this when a worker is closed, also while it runs a step of a cancelled run.

    The step's thread is not told; its query in the warehouse would run on for nobody.
    """
    del worker
    jobs = sys.modules.get("jetstream_assets.warehouse.bigquery_jobs")
    if jobs is not None:
        jobs.cancel_running_jobs()


def _drop(record: logging.LogRecord) -> bool:
    del record
    return False

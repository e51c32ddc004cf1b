"""What a Dask worker process does when it starts.

Belongs here: set-up of a worker. Imports nothing heavy, since a worker that takes long to start is
given up. Does not: running steps (`dask_cluster`).
"""

import logging


def dask_setup(worker: object = None) -> None:
    """Dask calls this in every worker process that starts.

    Dagster's step events have no size that Dask could measure; it would say so at every step. A
    filter, since the cluster sets levels of its own.
    """
    del worker
    logging.getLogger("distributed.sizeof").addFilter(_drop)


def _drop(record: logging.LogRecord) -> bool:
    del record
    return False

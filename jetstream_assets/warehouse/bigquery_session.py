"""Every process has a client of its own, made at first use.

Belongs here: the one client of a process. Does not: what is asked of it (`bigquery_jobs`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

OpenClient = Callable[[], "Client"]


class BigQuerySession:
    """The client of a process; it pickles as the way to open it.

    The library takes seconds to import and credentials take a request, so nothing happens before
    the first use. Connections of a parent process are not used after a fork.

    Args:
        open_client: Opens a client with application default credentials; it can be pickled.
    """

    def __init__(self, open_client: OpenClient) -> None:
        self._open = open_client
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._process = os.getpid()

    def __reduce__(self) -> tuple[type[BigQuerySession], tuple[OpenClient]]:
        return type(self), (self._open,)

    @property
    def client(self) -> Client:
        """The client of this process."""
        with self._lock:
            if self._client is None or self._process != os.getpid():
                self._client, self._process = self._open(), os.getpid()
            return self._client

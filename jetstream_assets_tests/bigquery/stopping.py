"""A job's wish to end early, and what it interrupts.

Belongs here: stopping. Does not: when a job is stopped (`jobs`).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import duckdb


class Stop:
    """A job's wish to end early: it interrupts what runs, and what would run next."""

    def __init__(self) -> None:
        self.wished = threading.Event()
        self._lock = threading.Lock()
        self._running: duckdb.DuckDBPyConnection | None = None

    def wish(self) -> None:
        """Stop."""
        with self._lock:
            self.wished.set()
            if self._running is not None:
                self._running.interrupt()

    def watching(self, cursor: duckdb.DuckDBPyConnection) -> _Watch:
        """While the body runs, a wish interrupts the cursor."""
        return _Watch(self, cursor)

    def check(self) -> None:
        """Raise where a stop was wished."""
        if self.wished.is_set():
            raise duckdb.InterruptException("stopped")

    def set_running(self, cursor: duckdb.DuckDBPyConnection | None) -> None:
        """What a wish interrupts."""
        with self._lock:
            self._running = cursor


@dataclass(frozen=True)
class _Watch:
    stop: Stop
    cursor: duckdb.DuckDBPyConnection

    def __enter__(self) -> None:
        self.stop.set_running(self.cursor)
        self.stop.check()

    def __exit__(self, *_: object) -> None:
        self.stop.set_running(None)

"""Faults on the way: answers that say no, connections that are cut.

Belongs here: which request is met by which fault. Does not: how a connection is cut (`server`),
jobs that fail by themselves (`jobs`).
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from enum import StrEnum

from jetstream_assets_tests.bigquery.refusals import Refusal


class Cut(StrEnum):
    """Where a connection is cut."""

    UPLOAD = "while the request is sent"
    BEFORE = "before anything is done"
    AFTER = "after it is done, before the answer"
    MIDDLE = "in the middle of the answer"


@dataclass
class Fault:
    """What the n-th matching requests are met with: a refusal or a cut."""

    method: str
    path: re.Pattern[str]
    what: Refusal | Cut
    skipped: int
    left: int


class Faults:
    """Faults that are waiting for their requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def refuse(
        self,
        method: str,
        path: str,
        reason: str,
        *,
        status: int | None = None,
        after: int = 0,
        times: int = 1,
    ) -> None:
        """Answer requests with a refusal and do nothing.

        Args:
            method: Of HTTP.
            path: A pattern that is looked for in the path.
            reason: Such as ``quotaExceeded``.
            status: Of the answer; without it that of the reason.
            after: How many matching requests are let through first.
            times: How many are refused.
        """
        refusal = Refusal(reason, f"{reason} by order of a test", status=status)
        self._add(Fault(method, re.compile(path), refusal, after, times))

    def cut(self, method: str, path: str, where: Cut, *, after: int = 0, times: int = 1) -> None:
        """Cut the connections of requests, which are chosen as in `refuse`."""
        self._add(Fault(method, re.compile(path), where, after, times))

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._faults.clear()

    def meet(self, method: str, path: str) -> Refusal | Cut | None:
        """The fault of a request, which is used up by it."""
        with self._lock:
            for fault in self._faults:
                if fault.method != method or not fault.path.search(path) or not fault.left:
                    continue
                if fault.skipped:
                    fault.skipped -= 1
                    continue
                fault.left -= 1
                return fault.what
        return None

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

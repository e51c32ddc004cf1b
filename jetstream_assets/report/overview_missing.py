"""What has no result and why, folded so that a person reads each reason once.

Belongs here: records of an overview. Does not: which results are missing (`analysis`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.experiments.windows import Period
from jetstream_assets.report.overview_schema import MissingRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from jetstream_assets.experiments.appraisal import MissingResults

# What somebody has to mend stands first.
_NOT_DUE = "not_due"
_ORDER = ("failed", "stale", "insufficient_data", _NOT_DUE)
_LONGEST_SQL = 8_000
_PERIODS = [period.value for period in Period]


def missing_records(
    missing: Sequence[MissingResults], known: Collection[str]
) -> list[MissingRecord]:
    """One record for each status, reason, due date and statement.

    Args:
        missing: What is not there.
        known: The periods that have results: that none of their windows is due any more is no gap.
    """
    groups: dict[tuple[object, ...], list[MissingResults]] = {}
    for one in missing:
        is_over = one.status == _NOT_DUE and one.due_on is None and one.period in known
        if is_over:
            continue
        groups.setdefault((one.status, one.reason, one.due_on, one.sql), []).append(one)
    records = [_record(group) for group in groups.values()]
    return sorted(records, key=lambda record: (_place(record.status), -record.results))


def _place(status: str) -> int:
    return _ORDER.index(status) if status in _ORDER else len(_ORDER)


def _record(group: Sequence[MissingResults]) -> MissingRecord:
    first = group[0]
    windows = {
        (_PERIODS.index(one.period), one.window_index or 0): _window(one)
        for one in group
        if one.period in _PERIODS
    }
    return MissingRecord(
        status=first.status,
        reason=first.reason,
        results=sum(one.results for one in group),
        metrics=sorted({one.metric for one in group if one.metric}),
        windows=[windows[key] for key in sorted(windows)],
        due_on=first.due_on,
        sql=first.sql[:_LONGEST_SQL] if first.sql else None,
    )


def _window(one: MissingResults) -> str:
    suffix = Period(one.period or "").suffix
    return suffix if one.window_index is None else f"{suffix} {one.window_index}"

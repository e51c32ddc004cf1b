"""What the tables should hold, worked out record by record, without SQL."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from jetstream_assets.experiments.configuration import EnrollmentsQueryType, SeveralBranches
from jetstream_assets.experiments.experiment import AnalysisUnit
from jetstream_assets.experiments.metrics import AnalysisBasis, ExperimentsColumn, WindowBound
from jetstream_assets_tests.sql.records import FIRST, LAST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import ExposureSignal
    from jetstream_assets.experiments.plan import PlannedWindow
    from jetstream_assets.experiments.windows import AnalysisWindow
    from jetstream_assets_tests.sql.records import Event, Records, Row

Answer = dict[str, Any]

_FOUND: dict[str, Callable[[list[Row]], bool]] = {
    "busy": lambda rows: sum(row.hits for row in rows) > 4,
    "quiet": lambda rows: not rows,
    "seen": lambda rows: any(row.is_shown for row in rows),
}
_SEGMENT_DAYS = {"busy": (-7, -1), "quiet": (-7, -1), "seen": (0, 14)}


def enrollments(of: AnalysisConfiguration, records: Records) -> list[Answer]:
    """One answer per unit, by id."""
    branches: dict[str, dict[str, list[tuple[date, int]]]] = defaultdict(lambda: defaultdict(list))
    for unit, branch, day, count in _enrollment_events(of, records):
        if unit is not None and branch is not None and FIRST <= day <= LAST:
            branches[unit][branch].append((day, count))
    answers = []
    for unit in sorted(branches):
        first = {branch: min(day for day, _ in seen) for branch, seen in branches[unit].items()}
        branch = min(first, key=lambda name: (first[name], name))
        answer: Answer = {
            "analysis_id": unit,
            "branch": branch,
            "enrollment_date": first[branch],
            "num_enrollment_events": sum(count for _, count in branches[unit][branch]),
            "num_branches": len(first),
            "is_excluded": len(first) > 1 and of.several_branches == SeveralBranches.EXCLUDE,
        }
        for segment in of.segments:
            start, end = _SEGMENT_DAYS[segment.name]
            rows = _rows(of, records, unit, first[branch], start, end, until=LAST)
            answer[segment.name] = _FOUND[segment.name](rows)
        days = _exposure_days(of, records, answer)
        if of.exposure_signal is not None:
            days = _signal_days(of, of.exposure_signal, records, answer, 0, 0, LAST)
        none = None if of.exposure_signal is None else 0
        answer["exposure_date"] = min(days, default=None)
        answer["num_exposure_events"] = len(days) or none
        answers.append(answer)
    return answers


def metrics(
    of: AnalysisConfiguration,
    windows: tuple[PlannedWindow, ...],
    records: Records,
) -> list[Answer]:
    """One answer per unit, window and basis; in no particular order."""
    units = [unit for unit in enrollments(of, records) if not unit["is_excluded"]]
    return [
        answer
        for planned in windows
        for basis in AnalysisBasis
        for unit in units
        if (answer := _measured(of, planned, basis, unit, records)) is not None
    ]


def _measured(
    of: AnalysisConfiguration,
    planned: PlannedWindow,
    basis: AnalysisBasis,
    unit: Answer,
    records: Records,
) -> Answer | None:
    window = planned.due.window
    exposures = basis == AnalysisBasis.EXPOSURES
    anchor = unit["enrollment_date"]
    unit = {k: v for k, v in unit.items() if k not in {"num_branches", "is_excluded"}}
    if exposures and of.exposure_signal is not None:
        known = LAST + timedelta(days=max(window.end, 0))
        signal = of.exposure_signal
        days = _signal_days(of, signal, records, unit, window.start, window.end, known)
        unit |= {"exposure_date": min(days, default=None), "num_exposure_events": len(days)}
    elif exposures:
        anchor = unit["exposure_date"]
    if exposures and unit["exposure_date"] is None:
        return None
    answer = unit | {
        "period": str(planned.due.period),
        "window_index": planned.due.index,
        "window_start": window.start,
        "window_end": window.end,
        "analysis_basis": str(basis),
        "is_provisional": False,
    }
    for name in sorted({name for w in (planned,) for name in w.metrics}):
        metric = of.metric(name)
        if basis in metric.analysis_bases and metric.data_source is not None:
            kind = metric.data_source.experiments_column
            rows = _window_rows(of, records, unit, anchor, window, kind)
            answer[name] = _value(name, rows, unit)
            if kind != ExperimentsColumn.NONE:
                answer |= _sanity(metric.data_source.name, rows, unit["branch"])
    return answer


def _window_rows(
    of: AnalysisConfiguration,
    records: Records,
    unit: Answer,
    anchor: date,
    window: AnalysisWindow,
    kind: ExperimentsColumn,
) -> list[Row]:
    first = FIRST + timedelta(days=window.start)
    last = LAST + timedelta(days=window.end)
    rows = _rows(of, records, unit["analysis_id"], anchor, window.start, window.end, until=last)
    return [
        row
        for row in rows
        if row.day >= first
        and (
            kind == ExperimentsColumn.NONE
            or row.branch is not None
            or row.day != unit["enrollment_date"]
        )
    ]


def _value(name: str, rows: list[Row], unit: Answer) -> object:
    values = [row.value for row in rows if row.value is not None]
    hits = sum(row.hits for row in rows) if rows else None
    shown = any(row.is_shown for row in rows)
    answers: dict[str, object] = {
        "spend": sum(values),
        "hits": hits,
        "rows": len(rows) or 1,  # a unit without rows meets one row of NULLs
        "values": len(values),
        "big": sum(value > 5 for value in values),
        "shown": shown,
        "ever": shown if rows else None,
        "lag": max(((row.day - unit["enrollment_date"]).days for row in rows), default=None),
        "control_hits": hits if unit["branch"] == "control" else -1,
    }
    return answers[name]


def _sanity(source: str, rows: list[Row], branch: str) -> Answer:
    marked = [row.branch for row in rows]
    return {
        f"{source}_has_contradictory_branch": any(m not in {None, branch} for m in marked),
        f"{source}_has_non_enrolled_data": None in marked,
    }


def _rows(
    of: AnalysisConfiguration,
    records: Records,
    unit: str,
    anchor: date,
    start: int,
    end: int,
    *,
    until: date,
) -> list[Row]:
    is_client = of.experiment.analysis_unit == AnalysisUnit.CLIENT
    return [
        row
        for row in records.rows
        if unit == (row.client if is_client else row.group)
        and start <= (row.day - anchor).days <= end
        and row.day <= until
    ]


def _enrollment_events(
    of: AnalysisConfiguration, records: Records
) -> Iterator[tuple[str | None, str | None, date, int]]:
    kind = of.enrollments_query_type
    is_sampled = of.enrollment_query is None and kind != EnrollmentsQueryType.CIRRUS
    events = [
        event
        for event in records.events
        if not event.is_exposure
        and event.slug == of.experiment.slug
        and (not is_sampled or event.sample_id < of.sample_size)
    ]
    seen: dict[tuple[str | None, str | None], list[date]] = defaultdict(list)
    for event in events:
        unit = _unit(of, event)
        if _is_ping(kind, event):
            seen[unit, event.branch].append(event.day)
        else:
            yield unit, event.branch, event.day, 1
    for (unit, branch), days in seen.items():
        is_fenix = kind == EnrollmentsQueryType.FENIX_FALLBACK
        earliest = FIRST - timedelta(days=7 if is_fenix else 0)
        counted = [day for day in days if earliest <= day <= LAST]
        if counted:
            yield unit, branch, min(counted), len(counted) if is_fenix else 1


def _is_ping(kind: EnrollmentsQueryType, event: Event) -> bool:
    is_background = kind == EnrollmentsQueryType.BACKGROUND_UPDATE
    return kind == EnrollmentsQueryType.FENIX_FALLBACK or (is_background and event.stream == 1)


def _exposure_days(of: AnalysisConfiguration, records: Records, unit: Answer) -> list[date]:
    return [
        event.day
        for event in records.events
        if event.is_exposure
        and event.slug == of.experiment.slug
        and _unit(of, event) == unit["analysis_id"]
        and event.branch == unit["branch"]
        and unit["enrollment_date"] <= event.day <= LAST
    ]


def _signal_days(
    of: AnalysisConfiguration,
    signal: ExposureSignal,
    records: Records,
    unit: Answer,
    start: int,
    end: int,
    known: date,
) -> list[date]:
    spread = (LAST - FIRST).days
    named = {
        WindowBound.ENROLLMENT_START: 0,
        WindowBound.ENROLLMENT_END: spread,
        WindowBound.ANALYSIS_WINDOW_START: start + spread,
        WindowBound.ANALYSIS_WINDOW_END: end + spread,
    }

    def days(bound: int | WindowBound | None, default: int) -> int:
        if bound is None:
            return default
        return named[bound] if isinstance(bound, WindowBound) else bound

    first = FIRST + timedelta(days=days(signal.window_start, 0))
    last = min(FIRST + timedelta(days=days(signal.window_end, spread)), known)
    rows = _rows(of, records, unit["analysis_id"], FIRST, -10_000, 10_000, until=last)
    return [
        row.day
        for row in rows
        if row.day >= max(first, unit["enrollment_date"]) and row.is_shown and row.hits > 0
    ]


def _unit(of: AnalysisConfiguration, event: Event) -> str | None:
    is_client = of.experiment.analysis_unit == AnalysisUnit.CLIENT
    return event.client if is_client else event.group

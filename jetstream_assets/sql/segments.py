"""A segment is decided from rows around a unit's enrollment, known by the last enrollment date.

Belongs here: one aggregated query per segment data source. Does not: what a segment's values are
used for (`sufficient_statistics`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from jetstream_assets.sql import fragments, sources

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlglot import exp

    from jetstream_assets.experiments.experiment import Experiment
    from jetstream_assets.experiments.metrics import Segment, SegmentDataSource


def segments_by_source(
    segments: Iterable[Segment],
) -> dict[SegmentDataSource, tuple[Segment, ...]]:
    """The segments of each source, both in the order of the configuration."""
    found: dict[SegmentDataSource, tuple[Segment, ...]] = {}
    for segment in segments:
        found[segment.data_source] = (*found.get(segment.data_source, ()), segment)
    return found


def segments_query(
    experiment: Experiment,
    source: SegmentDataSource,
    segments: Iterable[Segment],
    units: str,
    unit_columns: Iterable[str],
) -> exp.Select:
    """One row per unit: analysis_id and one boolean aggregate per segment, NULL where it is.

    Rows count from ``window_start`` to ``window_end`` days after the unit's enrollment date, but
    none after the last enrollment date L: a window that reaches beyond it is cut there, so that
    the answer does not depend on when it is asked for.
    """
    timeline = experiment.timeline
    day = sources.day(source)
    first = timeline.first_enrollment_date + timedelta(days=source.window_start)
    last = timeline.last_enrollment_date + timedelta(days=min(source.window_end, 0))
    anchor = sources.unit_column("enrollment_date")
    conditions = [
        fragments.between_dates(day, first, last),
        fragments.between_days(day.copy(), anchor, source.window_start, source.window_end),
    ]
    columns = {
        segment.name: fragments.parse_expression(
            segment.select_expression, f"segment {segment.name!r}"
        )
        for segment in segments
    }
    return sources.per_unit(
        units, source, experiment.analysis_unit, conditions, columns, unit_columns
    )

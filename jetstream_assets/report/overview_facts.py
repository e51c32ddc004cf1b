"""Sentences that say where an experiment stands, without judging it.

Belongs here: the sentences of the bar of an overview. Does not: the decision (`analysis.decision`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from jetstream_assets.experiments.hypotheses import SPEAKERS, speaker
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.windows import Period
from jetstream_assets.report.readable import estimate_text, is_decided

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import pyarrow as pa

    from jetstream_assets.experiments.appraisal import Appraisal
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.experiment import Experiment

    Row = dict[str, Any]

_LONGEST_FIRST = (Period.OVERALL, Period.DAYS28, Period.WEEK, Period.DAY)
_MOST_METRICS = 5


def facts(
    configuration: AnalysisConfiguration | None,
    statistics: pa.Table,
    told: Appraisal,
    as_of: date,
) -> list[str]:
    """What is so: dates, units, and which metrics differ from the reference in the longest window.

    Args:
        configuration: The experiment's; None where there is none.
        statistics: Its current rows.
        told: What was found beside them.
        as_of: The newest date whose data they know.
    """
    found = [told.refusal.message] if told.refusal else []
    if configuration is not None:
        found += _dates(configuration.experiment, as_of)
    if told.units is not None:
        found.append(_units(told))
    if not statistics.num_rows:
        return [*found, "There are no results yet."]
    if configuration is not None:
        found += _differences(configuration.experiment, statistics)
    return found


def _dates(experiment: Experiment, as_of: date) -> Iterator[str]:
    if experiment.start_date is None:
        return
    first, last = experiment.start_date, experiment.timeline.last_enrollment_date
    if as_of < first:
        yield f"Units enroll from {first} to {last}."
    elif as_of < last:
        yield f"Units enroll from {first} to {last}; results until then are provisional."
    elif experiment.enrollment_is_open:
        yield f"Units enroll since {first}, and no end of enrollment is known."
    else:
        yield f"Units enrolled from {first} to {last}."
    if experiment.end_date is not None:
        is_over = experiment.end_date <= as_of
        yield f"The experiment {'ended' if is_over else 'ends'} on {experiment.end_date}."


def _units(told: Appraisal) -> str:
    days = told.units.days if told.units else ()
    enrolled, exposed = sum(one.enrolled for one in days), sum(one.exposed for one in days)
    shown = (
        f", {exposed:,} of them exposed" if told.units and told.units.exposures_are_known else ""
    )
    return f"{enrolled:,} units enrolled{shown}."


def _differences(experiment: Experiment, statistics: pa.Table) -> Iterator[str]:
    rows = _deciding(statistics)
    reference = experiment.reference_branch
    if not rows or reference is None:
        return
    period, index = Period(rows[0]["period"]), rows[0]["window_index"]
    until = ", provisional" if rows[0]["is_provisional"] else ""
    for branch in experiment.branches:
        if branch.slug == reference:
            continue
        of_branch = [
            row
            for row in rows
            if (row["branch"], row["comparison_to_branch"]) == (branch.slug, reference)
        ]
        different = [row for row in of_branch if is_decided(row)]
        named = ", ".join(_told(row) for row in different[:_MOST_METRICS])
        more = len(different) - _MOST_METRICS
        named += f" and {more} more" if more > 0 else ""
        yield (
            f"{branch.slug} against {reference} ({period.suffix} {index}{until}): "
            f"{len(different)} of {len(of_branch)} metrics differ"
            + (f": {named}." if different else ".")
        )


def _told(row: Row) -> str:
    text = estimate_text(row)
    return f"{row['metric']} {text.point} {text.interval}"


def _deciding(statistics: pa.Table) -> list[Row]:
    """The relative uplifts of the statistics that speak, in the newest window of the longest."""
    wanted = (
        (pc.field("segment") == "all")
        & (pc.field("analysis_basis") == AnalysisBasis.ENROLLMENTS.value)
        & (pc.field("comparison") == "relative_uplift")
        & pc.field("statistic").isin(list(SPEAKERS.values()))
    )
    rows = statistics.filter(wanted)
    for period in _LONGEST_FIRST:
        of_period = rows.filter(pc.field("period") == period.value)
        if of_period.num_rows:
            newest = pc.max(of_period["window_index"])
            found = of_period.filter(pc.field("window_index") == newest).to_pylist()
            spoken: dict[str, set[str]] = {}
            for row in found:
                spoken.setdefault(row["metric"], set()).add(row["statistic"])
            kept = [row for row in found if row["statistic"] == speaker(spoken[row["metric"]])]
            return sorted(kept, key=lambda row: str(row["metric"]))
    return []

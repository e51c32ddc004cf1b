"""All that a person is told of an experiment, as one document for its page.

Belongs here: from the plan, its current rows and what was found beside them to an `Overview`. Does
not: its shape (`overview_schema`), finding anything (`analysis.appraisal`), the parts that have a
module each (`overview_metrics`, `trust`, `overview_facts`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from importlib.metadata import version
from itertools import accumulate
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from jetstream_assets.experiments.appraisal import Appraisal
from jetstream_assets.experiments.experiment import normalized
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.plan import AnalysisPlan
from jetstream_assets.experiments.windows import Period
from jetstream_assets.report.json_text import object_bytes
from jetstream_assets.report.overview_facts import facts
from jetstream_assets.report.overview_metrics import metric_records
from jetstream_assets.report.overview_missing import missing_records
from jetstream_assets.report.overview_schema import (
    BranchRecord,
    ExposureRecord,
    Overview,
    QueryRecord,
    RefusalRecord,
    RunRecord,
    SegmentRecord,
    UnitsRecord,
    WindowRecord,
)
from jetstream_assets.report.overview_verdict import verdict_record
from jetstream_assets.report.store import Document
from jetstream_assets.report.trust import trust_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.experiments.appraisal import Units
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.experiment import Experiment

FOLDER = "overview"
_ALL = "all"
_PERIODS = {period.value: period for period in Period}


@dataclass(frozen=True)
class Known:
    """What an overview tells of.

    Args:
        plan: A plan of the experiment, of any date.
        statistics: Its rows that are its results today: `STATISTICS_SCHEMA`.
        appraisal: What was found beside them.
        as_of: The newest date whose data they know.
        documents: The names of the experiment's other documents.
        configuration_url: Where people read its configuration; None where that is nowhere.
        note: What stands at the top of its page; None for nothing.
    """

    plan: AnalysisPlan
    statistics: pa.Table
    appraisal: Appraisal
    as_of: date
    documents: tuple[str, ...] = ()
    configuration_url: str | None = None
    note: str | None = None


def overview_name(slug: str) -> str:
    """The name of an experiment's overview among the documents."""
    return f"{FOLDER}/overview_{normalized(slug)}.json"


def overview_document(known: Known) -> Document:
    """The document ``overview/overview_<normalized slug>.json``."""
    body = object_bytes(overview(known).model_dump(mode="json"))
    return Document(overview_name(known.plan.slug), body, known.as_of)


def overview(known: Known) -> Overview:
    """What is told of an experiment; one without a configuration has its refusal and little more.

    The same for the same rows, but for what ran.
    """
    plan, told = known.plan, known.appraisal
    configuration = plan.configuration
    experiment = configuration.experiment if configuration else None
    return Overview(
        slug=plan.slug,
        normalized_slug=normalized(plan.slug),
        note=known.note,
        name=experiment.name if experiment else None,
        description=experiment.description if experiment else None,
        app=experiment.app_name if experiment else None,
        status=_status(experiment, known.as_of) if experiment else None,
        start_date=experiment.start_date if experiment else None,
        end_date=experiment.end_date if experiment else None,
        enrollment_end=_enrollment_end(experiment),
        analysis_unit=experiment.analysis_unit.value if experiment else None,
        data_through=known.as_of,
        is_provisional=bool(pc.any(known.statistics["is_provisional"]).as_py()),
        configuration_commit=(configuration.commit or None) if configuration else None,
        configuration_url=known.configuration_url,
        code_version=version("jetstream-assets"),
        refusal=_refusal(told),
        reference_branch=experiment.reference_branch if experiment else None,
        branches=list(_branches(experiment)) if experiment else [],
        analysis_bases=_bases(known.statistics),
        segments=list(_segments(configuration)),
        metrics=list(metric_records(configuration)) if configuration else [],
        windows=list(_windows(known.statistics)),
        verdict=verdict_record(configuration, told.conclusion),
        facts=facts(configuration, known.statistics, told, known.as_of),
        trust=list(trust_records(told)),
        exposure=_exposure(experiment, told.units) if experiment and told.units else None,
        missing=missing_records(told.missing, set(known.statistics["period"].to_pylist())),
        runs=[RunRecord(**asdict(run)) for run in told.runs],
        queries=[QueryRecord(**asdict(statement)) for statement in told.statements],
        documents=_documents(known.documents, plan.slug),
    )


def _refusal(told: Appraisal) -> RefusalRecord | None:
    reason = told.refusal
    return RefusalRecord(kind=reason.kind.value, message=reason.message) if reason else None


def _status(experiment: Experiment, as_of: date) -> str:
    """Where the experiment is in its life on a date."""
    start, end = experiment.start_date, experiment.end_date
    if start is None or as_of < start:
        return "not launched"
    if end is not None and as_of >= end:
        return "complete"
    is_enrolling = as_of < experiment.timeline.last_enrollment_date
    return "enrolling" if is_enrolling or experiment.enrollment_is_open else "running"


def _enrollment_end(experiment: Experiment | None) -> date | None:
    is_known = experiment is not None and experiment.start_date is not None
    return experiment.timeline.last_enrollment_date if is_known and experiment else None


def _branches(experiment: Experiment) -> Iterator[BranchRecord]:
    whole = sum(branch.ratio for branch in experiment.branches)
    for branch in experiment.branches:
        yield BranchRecord(
            slug=branch.slug,
            ratio=branch.ratio,
            share=branch.ratio / whole if whole else 0.0,
            is_reference=branch.slug == experiment.reference_branch,
        )


def _bases(statistics: pa.Table) -> list[str]:
    found = set(pc.unique(statistics["analysis_basis"]).to_pylist())
    return [basis.value for basis in AnalysisBasis if basis.value in found]


def _segments(configuration: AnalysisConfiguration | None) -> Iterator[SegmentRecord]:
    yield SegmentRecord(name=_ALL, friendly_name="All units")
    for segment in configuration.segments if configuration else ():
        yield SegmentRecord(
            name=segment.name,
            friendly_name=segment.friendly_name or None,
            description=segment.description or None,
        )


def _windows(statistics: pa.Table) -> Iterator[WindowRecord]:
    keys = ["period", "window_index", "window_start", "window_end", "is_provisional"]
    found = statistics.select(keys).group_by(keys).aggregate([]).to_pylist()
    order = list(_PERIODS)
    for row in sorted(found, key=lambda row: (order.index(row["period"]), row["window_index"])):
        yield WindowRecord(
            period=_PERIODS[row["period"]].suffix,
            window_index=row["window_index"],
            start=row["window_start"],
            end=row["window_end"],
            is_provisional=row["is_provisional"],
        )


def _exposure(experiment: Experiment, units: Units) -> ExposureRecord | None:
    days = sorted({one.date for one in units.days})
    if not days:
        return None
    enrolled = {(one.branch, one.date): one.enrolled for one in units.days}
    exposed = {(one.branch, one.date): one.exposed for one in units.days}
    # Every day of the span, also one on which nobody came.
    span = [days[0] + timedelta(days=day) for day in range((days[-1] - days[0]).days + 1)]
    branches = list(_branches(experiment))
    totals = list(accumulate(sum(enrolled.get((b.slug, day), 0) for b in branches) for day in span))
    records = []
    for branch in branches:
        of_branch = [enrolled.get((branch.slug, day), 0) for day in span]
        shown = [exposed.get((branch.slug, day), 0) for day in span]
        is_known = units.exposures_are_known
        records.append(
            UnitsRecord(
                branch=branch.slug,
                enrolled=of_branch,
                enrolled_total=list(accumulate(of_branch)),
                expected_total=[branch.share * total for total in totals],
                exposed=shown if is_known else None,
                exposed_total=list(accumulate(shown)) if is_known else None,
            )
        )
    return ExposureRecord(days=span, branches=records)


def _documents(names: tuple[str, ...], slug: str) -> dict[str, str]:
    """Names by kind and, of statistics, by period: ``statistics_weekly``, ``errors``."""
    found = {}
    for name in names:
        folder, _, file = name.partition("/")
        rest = file.removesuffix(".json").removeprefix(f"{folder}_{normalized(slug)}")
        found[f"{folder}{rest}"] = name
    return found

"""The effective experiment: what Experimenter says, changed by what the configuration says.

Belongs here: merging a record with ``[experiment]``. Does not: reading either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jetstream_assets.config.layers import Folded, Origin, first
from jetstream_assets.config.schema.experiment import ExperimentTable
from jetstream_assets.config.wording import one_of, shown
from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.experiment import AnalysisUnit, Experiment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jetstream_assets.config.document import Document
    from jetstream_assets.config.schema.documents import AnalysisDocument
    from jetstream_assets.experiments.metrics import Scalar
    from jetstream_assets.experiments.record import ExperimentRecord

_UNITS = {
    "normandy_id": AnalysisUnit.CLIENT,
    "nimbus_id": AnalysisUnit.CLIENT,
    "user_id": AnalysisUnit.CLIENT,
    "group_id": AnalysisUnit.PROFILE_GROUP,
}
# The name of a dataset becomes part of paths and table names.
_DATASET = re.compile(r"[A-Za-z0-9_]+", re.ASCII)

Settings = Folded[ExperimentTable]


def fold_settings(documents: Iterable[Document[AnalysisDocument]]) -> Settings:
    """``[experiment]`` folded from files that are given lowest first.

    Raises:
        ConfigError: A file cannot be used, or a private experiment has no dataset of its own.
    """
    settings = first(ExperimentTable(), Origin("", "experiment"))
    for document in documents:
        table = document.value.experiment
        if table.model_fields_set:
            settings = settings.overlaid(table, Origin(document.path, "experiment"))
    dataset = settings.value.dataset_id
    if settings.value.is_private and dataset is None:
        raise settings.at("is_private").error(
            "A private experiment needs a dataset of its own.", "Set dataset_id."
        )
    if dataset is not None and _DATASET.fullmatch(dataset) is None:
        raise settings.at("dataset_id").error(
            f"found {shown(dataset)}; use letters, digits and underscores."
        )
    return settings


def experiment_origin(record: ExperimentRecord, key: str) -> Origin:
    """Where something in Experimenter's record is written, for messages."""
    return Origin(f"Experimenter's record of {record.slug!r}", key)


def effective_experiment(record: ExperimentRecord, settings: Settings) -> Experiment:
    """The experiment with the configuration's overrides applied.

    Raises:
        ConfigError: Experimenter randomises by a unit that is not known.
    """
    said = settings.value
    outcomes = (*record.outcomes, *said.outcomes)
    segments = (*said.segments, *record.segments)
    return Experiment(
        slug=record.slug,
        branches=record.branches,
        start_date=said.start_date or record.start_date,
        end_date=said.end_date or record.end_date,
        enrollment_period=_enrollment_period(record, said),
        enrollment_end_date=record.enrollment_end_date,
        has_configured_enrollment_period=said.enrollment_period is not None,
        reference_branch=said.reference_branch or record.reference_branch,
        app_name=record.app_name,
        app_id=record.app_id,
        analysis_unit=said.analysis_unit or _randomised(record),
        is_rollout=record.is_rollout,
        outcomes=tuple(dict.fromkeys(outcomes)),
        segments=tuple(dict.fromkeys(segments)),
        name=record.name,
        description=record.description,
    )


def overrides(record: ExperimentRecord, experiment: Experiment) -> tuple[tuple[str, Scalar], ...]:
    """(key, value) of what the configuration changed; dates as YYYY-MM-DD."""
    found: list[tuple[str, Scalar]] = []
    if experiment.reference_branch != record.reference_branch:
        found.append(("reference_branch", experiment.reference_branch))
    for key, ours, theirs in (
        ("start_date", experiment.start_date, record.start_date),
        ("end_date", experiment.end_date, record.end_date),
    ):
        if ours is not None and ours != theirs:
            found.append((key, ours.isoformat()))
    if (
        experiment.has_configured_enrollment_period
        and experiment.enrollment_period != record.enrollment_period
    ):
        found.append(("enrollment_period", experiment.enrollment_period))
    return tuple(found)


def _enrollment_period(record: ExperimentRecord, said: ExperimentTable) -> int:
    if said.enrollment_period is not None:
        return said.enrollment_period
    start = said.start_date or record.start_date
    if record.enrollment_end_date is not None and start is not None:
        return (record.enrollment_end_date - start).days + 1
    return record.proposed_enrollment


def _randomised(record: ExperimentRecord) -> AnalysisUnit:
    unit = record.randomization_unit
    if unit is None:
        return AnalysisUnit.CLIENT
    if unit not in _UNITS:
        origin = experiment_origin(record, "bucketConfig.randomizationUnit")
        raise ConfigError(
            origin.path,
            origin.key,
            f"found {shown(unit)}; it must be {one_of(list(_UNITS))}.",
            "Set analysis_unit in the [experiment] table of its configuration.",
        )
    return _UNITS[unit]

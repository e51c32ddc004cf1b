"""The inputs of a preview: a record and a configuration that analyse an experiment in small.

Belongs here: which experiment is meant, and what a preview says in the place of its record and its
file. Does not: dates (`preview_dates`), units (`population`), the file's text (`preview_file`),
running it (`cli.preview`).

A preview is a run like any other, over inputs of its own: what it shows is computed as it would be
in production.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from jetstream_assets.authoring.population import population_query, sampled_query
from jetstream_assets.authoring.preview_dates import (
    PreviewDates,
    dates_of_enrolled,
    dates_of_population,
)
from jetstream_assets.authoring.preview_file import Said, changed_file
from jetstream_assets.config.experimenter import record_document
from jetstream_assets.config.layout import DIRECTORIES, Kind
from jetstream_assets.config.location import Files
from jetstream_assets.config.named_metrics import likely_records
from jetstream_assets.config.repository import repository_of
from jetstream_assets.config.resolve import resolve
from jetstream_assets.config.wording import one_of, shown
from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.experiment import Branch, is_slug

if TYPE_CHECKING:
    from jetstream_assets.config.repository import ConfigurationRepository
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.record import ExperimentRecord

_EVERYBODY = 100


@dataclass(frozen=True)
class Wanted:
    """What is to be previewed.

    Args:
        slug: The experiment's.
        days: How many dates (>= 1).
        latest: The last date at most, inclusive.
        sample: Percentage of the units (1 to 100).
        dataset: Where its tables go.
        is_population: Whether units that are not enrolled are asked for.
        app_name: The application, where no record tells; None for the likeliest.
    """

    slug: str
    days: int
    latest: date
    sample: int
    dataset: str
    is_population: bool = False
    app_name: str | None = None


@dataclass(frozen=True)
class Preview:
    """The inputs of a run.

    Args:
        experiments: The content of the file of records.
        files: The configuration's files by path.
        dates: What is computed.
        note: What the pages say at their top.
    """

    experiments: str
    files: Mapping[str, bytes]
    dates: PreviewDates
    note: str


def preview_of(
    wanted: Wanted,
    repository: ConfigurationRepository,
    records: Mapping[str, ExperimentRecord],
    draft: bytes | None = None,
) -> Preview:
    """The inputs of the preview that is wanted.

    Args:
        wanted: Which one.
        repository: The whole configuration.
        records: Experiments' records by slug; for a draft one is invented.
        draft: A file of the experiment that takes the place of the repository's.

    Raises:
        ConfigError: The slug is none, or the configuration cannot be resolved.
        QueryError: The experiment's own enrollment query cannot be used.
    """
    if not is_slug(wanted.slug):
        problem = f"{shown(wanted.slug)} is no slug; use letters, digits, dashes and underscores."
        raise ConfigError(wanted.slug, "", problem)
    files, path = _files(repository), _own_path(wanted.slug, repository)
    if draft is not None:
        files[path] = draft
        repository = repository_of(Files(files, repository.commit), repository.location)
    record = _record(wanted, repository, records)
    configuration = resolve(record, repository)
    dates = dates_of_enrolled(configuration.experiment, wanted.days, wanted.latest)
    if wanted.is_population or dates is None:
        record, said = _population(wanted, record, configuration)
        units = "units that were seen; none of them is enrolled"
    else:
        said = _enrolled(wanted, configuration, dates)
        units = "units that enrolled"
    files[path] = changed_file(files.get(path, b""), path, said)
    experiments = json.dumps([record_document(record)], indent=2)
    return Preview(experiments, files, said.dates, _note(wanted.sample, units, said.dates))


def _enrolled(wanted: Wanted, configuration: AnalysisConfiguration, dates: PreviewDates) -> Said:
    query = sampled_query(configuration, wanted.sample)
    size = configuration.sample_size if query else min(wanted.sample, configuration.sample_size)
    return Said(dates, wanted.dataset, size, query)


def _population(
    wanted: Wanted, record: ExperimentRecord, configuration: AnalysisConfiguration
) -> tuple[ExperimentRecord, Said]:
    """Everybody is in one branch, for a difference between branches would mean nothing."""
    dates = dates_of_population(wanted.days, wanted.latest)
    experiment, signal = configuration.experiment, configuration.exposure_signal
    first = next((branch.slug for branch in experiment.branches), "control")
    branch = experiment.reference_branch or first
    sources = [metric.data_source for metric in configuration.metrics]
    sources += [signal.data_source] if signal else []
    return replace(record, branches=(Branch(branch),), is_rollout=False), Said(
        dates,
        wanted.dataset,
        configuration.sample_size,
        population_query(configuration, dates, branch, wanted.sample),
        # Rows of units that are not enrolled say so, and would be left out.
        {source.name for source in sources if source is not None},
    )


def _files(repository: ConfigurationRepository) -> dict[str, bytes]:
    return {
        document.path: document.content
        for group in repository.documents.values()
        for document in group
        if isinstance(document.content, bytes)
    }


def _own_path(slug: str, repository: ConfigurationRepository) -> str:
    """The experiment's file, the highest of several; where it would be when it has none."""
    found = repository.documents.get((Kind.EXPERIMENT, slug, ""), ())
    return found[-1].path if found else f"{DIRECTORIES[-1]}{slug}.toml"


def _record(
    wanted: Wanted, repository: ConfigurationRepository, records: Mapping[str, ExperimentRecord]
) -> ExperimentRecord:
    known = records.get(wanted.slug)
    if known is not None:
        return known
    if not repository.experiment(wanted.slug):
        problem = "No record of the experiment was read, and the configuration has no file of it."
        raise ConfigError(wanted.slug, "", problem, "Check the slug, or name a file with --file.")
    likely = likely_records(wanted.slug, repository)
    found = [one for one in likely if wanted.app_name in (None, one.app_name)]
    if not found:
        allowed = one_of(sorted(one.app_name for one in likely))
        problem = f"There is no application {shown(wanted.app_name)}; it must be {allowed}."
        raise ConfigError(wanted.slug, "", problem)
    # A draft has no dates yet, whatever was invented for it.
    return replace(found[0], start_date=None, end_date=None, enrollment_end_date=None)


def _note(sample: int, units: str, dates: PreviewDates) -> str:
    share = "all" if sample >= _EVERYBODY else f"{sample} % of the"
    return (
        f"A preview, which decides nothing: {share} {units}. From {dates.start_date} to "
        f"{dates.last_enrollment_date}; results of {dates.first} to {dates.last}."
    )

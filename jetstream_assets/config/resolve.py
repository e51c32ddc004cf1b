"""From an experiment's record and the configuration repository to what is meant, complete.

Belongs here: the order in which the parts are resolved. Does not: the parts; each has its module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.config import snippets
from jetstream_assets.config.decision import resolve_decision
from jetstream_assets.config.document import Document
from jetstream_assets.config.effective import (
    Settings,
    effective_experiment,
    experiment_origin,
    fold_settings,
    overrides,
)
from jetstream_assets.config.hypotheses import resolve_multiple_comparisons, resolve_power
from jetstream_assets.config.metrics import MetricResolver
from jetstream_assets.config.parameters import merge_parameters
from jetstream_assets.config.schema.documents import AnalysisDocument, OutcomeDocument
from jetstream_assets.config.scope import Scope
from jetstream_assets.config.segments import resolve_exposure_signal, resolve_segment
from jetstream_assets.config.summaries import resolve_periods
from jetstream_assets.config.templates import TemplateExperiment, render_experiment
from jetstream_assets.config.warnings import told_warnings
from jetstream_assets.config.wording import did_you_mean, shown
from jetstream_assets.experiments.configuration import AnalysisConfiguration, Outcome
from jetstream_assets.experiments.platforms import platform_of

if TYPE_CHECKING:
    from jetstream_assets.config.layers import Origin
    from jetstream_assets.config.repository import ConfigurationRepository
    from jetstream_assets.errors import ConfigError
    from jetstream_assets.experiments.experiment import Experiment
    from jetstream_assets.experiments.metrics import ExposureSignal, Segment
    from jetstream_assets.experiments.record import ExperimentRecord


OutcomeDocuments = tuple[tuple[str, Document[OutcomeDocument]], ...]


def resolve(
    record: ExperimentRecord, repository: ConfigurationRepository, *, strict: bool = False
) -> AnalysisConfiguration:
    """Everything that is to be computed for an experiment.

    Args:
        record: What Experimenter says about it.
        repository: The configuration files at one state. It is not changed.
        strict: Whether a key that nothing reads is an error instead of a warning.

    Raises:
        ConfigError: A file that the experiment needs cannot be used, or something in it is not
            allowed or not there; names the file and the key.
    """
    analysis = (*repository.defaults(record.app_name), *repository.experiment(record.slug))
    settings = fold_settings(analysis)
    experiment = effective_experiment(record, settings)
    outcomes = _outcomes(experiment, settings, record, repository)
    scope = _scope(experiment, analysis, outcomes, repository)
    resolver = MetricResolver(scope)
    periods = resolve_periods(resolver)
    metrics = {name: found.metric for name, found in sorted(resolver.resolved.items())}
    said = settings.value
    default_type = platform_of(experiment.app_name).enrollments_query_type
    configuration = AnalysisConfiguration(
        experiment=experiment,
        enrollments_query_type=said.enrollments_query_type or default_type,
        enrollment_query=_enrollment_query(experiment, settings),
        enrollment_query_origin=(
            str(settings.at("enrollment_query")) if settings.value.enrollment_query else ""
        ),
        exposure_signal=_exposure_signal(scope, settings),
        sample_size=said.sample_size,
        several_branches=said.several_branches,
        segments=_segments(scope, settings, record),
        metrics=tuple(metrics.values()),
        periods=periods,
        outcomes=tuple(_outcome(slug, found, repository) for slug, found in outcomes),
        dataset_id=said.dataset_id,
        is_private=said.is_private,
        skip=said.skip,
        multiple_comparisons=resolve_multiple_comparisons(settings, periods),
        power=resolve_power(settings),
        decision=resolve_decision(settings, periods, metrics),
        overrides=overrides(record, experiment),
        commit=repository.commit,
    )
    documents = (*analysis, *(document for _, document in outcomes))
    return told_warnings(configuration, documents, repository, strict=strict)


def scope_of(record: ExperimentRecord, repository: ConfigurationRepository) -> Scope:
    """What the names of an experiment's configuration refer to, before any is looked up.

    Raises:
        ConfigError: A file of the experiment cannot be used, or an outcome of it does not exist.
    """
    analysis = (*repository.defaults(record.app_name), *repository.experiment(record.slug))
    settings = fold_settings(analysis)
    experiment = effective_experiment(record, settings)
    outcomes = _outcomes(experiment, settings, record, repository)
    return _scope(experiment, analysis, outcomes, repository)


def _outcomes(
    experiment: Experiment,
    settings: Settings,
    record: ExperimentRecord,
    repository: ConfigurationRepository,
) -> OutcomeDocuments:
    """The documents of the experiment's outcomes, Experimenter's first."""
    found = []
    for slug in experiment.outcomes:
        document = repository.outcome(slug, experiment.app_name)
        if document is None:
            is_registered = slug in record.outcomes
            origin = experiment_origin(record, "outcomes")
            wanted = origin if is_registered else settings.at("outcomes")
            raise _no_outcome(slug, experiment.app_name, wanted, repository)
        found.append((slug, document))
    return tuple(found)


def _no_outcome(
    slug: str, app_name: str, wanted: Origin, repository: ConfigurationRepository
) -> ConfigError:
    elsewhere = repository.applications_of(slug)
    others = f" There is one for {', '.join(elsewhere)}." if elsewhere else ""
    problem = f"There is no outcome {shown(slug)} for {app_name}.{others}"
    return wanted.error(problem, did_you_mean(slug, repository.outcome_slugs(app_name)))


def _scope(
    experiment: Experiment,
    analysis: tuple[Document[AnalysisDocument], ...],
    outcomes: OutcomeDocuments,
    repository: ConfigurationRepository,
) -> Scope:
    own = tuple(document.layer for document in analysis)
    # Layers are given lowest first, and the first outcome wins.
    below = tuple(document.layer for _, document in reversed(outcomes))
    definitions = repository.definitions(experiment.app_name)
    parameters = merge_parameters(
        ((document.path, document.value.parameters) for document in analysis),
        ((document.path, document.value.parameters) for _, document in outcomes),
    )
    return Scope(
        experiment,
        (*below, *own),
        tuple(document.layer for document in definitions),
        repository.functions,
        parameters,
    )


def _enrollment_query(experiment: Experiment, settings: Settings) -> str | None:
    text = settings.value.enrollment_query
    if text is None:
        return None
    origin = settings.at("enrollment_query")
    return snippets.query(render_experiment(text, TemplateExperiment(experiment), origin), origin)


def _exposure_signal(scope: Scope, settings: Settings) -> ExposureSignal | None:
    table = settings.value.exposure_signal
    if table is None:
        return None
    return resolve_exposure_signal(scope, table, settings.at("exposure_signal"))


def _segments(scope: Scope, settings: Settings, record: ExperimentRecord) -> tuple[Segment, ...]:
    configured, registered = settings.at("segments"), experiment_origin(record, "segments")
    return tuple(
        resolve_segment(scope, name, configured if name in settings.value.segments else registered)
        for name in scope.experiment.segments
    )


def _outcome(
    slug: str, document: Document[OutcomeDocument], repository: ConfigurationRepository
) -> Outcome:
    outcome = document.value
    return Outcome(
        slug=slug,
        friendly_name=outcome.friendly_name,
        description=outcome.description,
        metrics=tuple(outcome.metrics),
        default_metrics=outcome.default_metrics,
        commit=repository.commit,
    )

"""Sensors that tell a chat of failed runs and failed checks, and results what became of their run.

Belongs here: when something is told, and telling it again where it was not delivered. Does not:
what is said and how it is sent (`report.notifications`), what is known of a run (`ended_runs`).

Dagster's own run failure sensor passes over a run for which it raised. These keep it in their
cursor until it is told; one that cannot be told keeps no other from being told.
"""

import time
from collections.abc import Callable

from dagster import (
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    sensor,
)
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.ended_runs import (
    Followed,
    attempt_of,
    cells_of,
    dates_of,
    failed_checks,
    failed_steps,
    reason_of,
)
from jetstream_assets.orchestration.resources import DocumentsResource
from jetstream_assets.orchestration.settings import NotifiedChecks, Settings
from jetstream_assets.orchestration.warehouse_resource import WarehouseResource

FAILED_RUNS = "failed_runs"
FAILED_CHECKS = "failed_checks"
EXPORT = "statistics_export"

_INTERVAL_SECONDS = 15
# Dagster gives a look one minute.
_SECONDS_A_LOOK = 30.0
# Until then Dagster's daemon has started the new attempt that it announced, or will not.
_SECONDS_TO_RETRY = 600.0
_NO_WEBHOOK = "Nobody is told: JETSTREAM_WEBHOOK_URL is not set."

Message = dict[str, str]


def notification_sensors(settings: Settings) -> list[SensorDefinition]:
    """The sensors of failed runs and of failed checks."""
    return [_failed_runs(settings), _failed_checks(settings)]


def _failed_runs(settings: Settings) -> SensorDefinition:
    @sensor(
        name=FAILED_RUNS,
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="Tell of runs that failed in their last attempt, and mark their results.",
    )
    def failed_runs(
        context: SensorEvaluationContext, warehouse: WarehouseResource, documents: DocumentsResource
    ) -> SensorResult:
        instance, followed = context.instance, Followed.loaded(context.cursor)
        followed.look(instance, DagsterEventType.RUN_FAILURE)
        ended, followed.waiting = followed.waiting, []
        until = time.monotonic() + _SECONDS_A_LOOK
        for run in _runs(instance, ended):
            if time.monotonic() > until or _may_be_retried(run, instance):
                followed.waiting.append(run.run_id)
            elif AUTO_RETRY_RUN_ID_TAG not in run.tags:
                _mark_results(run, instance, warehouse, documents)
                followed.undelivered.append(run.run_id)
        return _told(instance, followed, settings, lambda run: _failure(run, instance, settings))

    return failed_runs


def _failed_checks(settings: Settings) -> SensorDefinition:
    @sensor(
        name=FAILED_CHECKS,
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="Tell of the checks that failed in runs that ended.",
    )
    def failed_checks_of_runs(context: SensorEvaluationContext) -> SensorResult:
        instance, followed = context.instance, Followed.loaded(context.cursor)
        followed.look(instance, DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE)
        followed.undelivered += followed.waiting
        followed.waiting = []
        return _told(instance, followed, settings, lambda run: _checks(run, instance, settings))

    return failed_checks_of_runs


def _told(
    instance: DagsterInstance,
    followed: Followed,
    settings: Settings,
    message_of: Callable[[DagsterRun], Message | None],
) -> SensorResult:
    """Post what has to be told; what is not delivered stays in the cursor."""
    from jetstream_assets.report.notifications import NotificationError, post  # noqa: PLC0415

    url = settings.webhook_url
    untold, followed.undelivered = followed.undelivered, []
    if url is None:
        return SensorResult(skip_reason=_NO_WEBHOOK, cursor=followed.model_dump_json())
    until, trouble, told = time.monotonic() + _SECONDS_A_LOOK / 2, "", 0
    for run in _runs(instance, untold):
        message = message_of(run)
        if message is None:
            continue
        if time.monotonic() > until:
            followed.undelivered.append(run.run_id)
            continue
        try:
            post(url.get_secret_value(), message)
            told += 1
        except NotificationError as error:
            followed.undelivered.append(run.run_id)
            trouble = f" {len(followed.undelivered)} wait to be told again: {error}"
    return SensorResult(
        skip_reason=f"{told} messages were sent.{trouble}", cursor=followed.model_dump_json()
    )


def _failure(run: DagsterRun, instance: DagsterInstance, settings: Settings) -> Message:
    from jetstream_assets.report.notifications import Occasion, failure_message  # noqa: PLC0415

    slug, dates = _named(run, instance)
    occasion = Occasion(slug, dates, run.run_id, settings.ui_url)
    return failure_message(occasion, reason_of(run, instance), attempt_of(run))


def _checks(run: DagsterRun, instance: DagsterInstance, settings: Settings) -> Message | None:
    from jetstream_assets.report.notifications import Occasion, checks_message  # noqa: PLC0415

    warnings = settings.notified_checks is NotifiedChecks.WARN
    failed = list(failed_checks(run, instance, warnings=warnings))
    if not failed or settings.notified_checks is NotifiedChecks.NONE:
        return None
    slug, dates = _named(run, instance)
    return checks_message(Occasion(slug, dates, run.run_id, settings.ui_url), failed)


def _named(run: DagsterRun, instance: DagsterInstance) -> tuple[str, str]:
    cells = cells_of(run, instance)
    slugs = {cell.slug for cell in cells}
    return slugs.pop() if len(slugs) == 1 else "", dates_of(cells)


def _runs(instance: DagsterInstance, run_ids: list[str]) -> list[DagsterRun]:
    """The runs that are still there, in this order."""
    found = (instance.get_run_by_id(run_id) for run_id in run_ids)
    return [run for run in found if run is not None]


def _may_be_retried(run: DagsterRun, instance: DagsterInstance) -> bool:
    """Whether a new attempt is announced and neither started nor overdue."""
    if run.tags.get(WILL_RETRY_TAG) != "true" or AUTO_RETRY_RUN_ID_TAG in run.tags:
        return False
    record = instance.get_run_record_by_id(run.run_id)
    ended = None if record is None else record.end_time
    return ended is not None and time.time() - ended < _SECONDS_TO_RETRY


def _mark_results(
    run: DagsterRun,
    instance: DagsterInstance,
    warehouse: WarehouseResource,
    documents: DocumentsResource,
) -> None:
    """Store with the results of a run's cells that it failed, and tell it in the errors documents.

    Not where a newer run has the word, nor where only the export failed: what became of the
    results was stored before it.
    """
    from jetstream_assets.analysis.result_status import store_run_failure  # noqa: PLC0415
    from jetstream_assets.experiments.plan import AnalysisPlan  # noqa: PLC0415
    from jetstream_assets.orchestration.plan_store import find_plan  # noqa: PLC0415
    from jetstream_assets.report.publish import publish_errors  # noqa: PLC0415

    if _is_superseded(run, instance) or failed_steps(run, instance) == {EXPORT}:
        return
    store, tables = documents.open(), warehouse.open()
    plans = [
        find_plan(store, cell) or AnalysisPlan(cell.slug, cell.date)
        for cell in cells_of(run, instance)
    ]
    store_run_failure(plans, tables, reason_of(run, instance), run_id=run.run_id)
    for last in {plan.slug: plan for plan in plans}.values():
        publish_errors(last, tables, store)


def _is_superseded(run: DagsterRun, instance: DagsterInstance) -> bool:
    slug = run.tags.get(run_tags.EXPERIMENT)
    if slug is None:
        return False
    newest = instance.get_runs(RunsFilter(tags={run_tags.EXPERIMENT: slug}), limit=1)
    failed = {DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}
    return any(other.run_id != run.run_id and other.status not in failed for other in newest)

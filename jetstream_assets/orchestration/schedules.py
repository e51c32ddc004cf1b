"""The daily run: a schedule for the day that has ended, and a sensor for what it could not run.

Belongs here: when a day is looked at, run requests, the partition space kept up to date. Does not:
which cells a day asks for (`daily`).

The schedule asks for the cells of yesterday. A cell whose sources are not there yet is not run on
them; the sensor looks again until they are, and catches up days on which no daemon was there.
Whatever asks first tags the run with the day, and the other one then leaves the cell alone.
"""

from datetime import UTC

from dagster import (
    DefaultScheduleStatus,
    DefaultSensorStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    schedule,
    sensor,
)

from jetstream_assets.errors import JetstreamError
from jetstream_assets.orchestration.clock import DAY, Clock, now
from jetstream_assets.orchestration.daily_look import loaded, open_look
from jetstream_assets.orchestration.jobs import analysis_job
from jetstream_assets.orchestration.resources import (
    DocumentsResource,
    InputsResource,
)
from jetstream_assets.orchestration.settings import Settings
from jetstream_assets.orchestration.warehouse_resource import WarehouseResource

DAILY = "daily_analysis"
WAITING = "waiting_cells"


def daily_schedule(settings: Settings) -> ScheduleDefinition:
    """Each day, the due cells of all active experiments for the day before (UTC)."""

    @schedule(
        name=DAILY,
        cron_schedule=f"{settings.daily_at.minute} {settings.daily_at.hour} * * *",
        job=analysis_job,
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        description="Analyse every active experiment for which something is due yesterday (UTC).",
    )
    def daily_analysis(
        context: ScheduleEvaluationContext,
        inputs: InputsResource,
        warehouse: WarehouseResource,
        documents: DocumentsResource,
    ) -> list[RunRequest] | SkipReason:
        today = context.scheduled_execution_time.astimezone(UTC).date()
        try:
            look = open_look(context.instance, inputs, warehouse, documents, settings, today)
            found = look.at(today - DAY)
        except JetstreamError as error:
            return SkipReason(f"Nothing could be planned; {WAITING} tries again. {error}")
        for slug in look.retire(found.on):
            context.log.info("%s ended long ago and leaves the partitions.", slug)
        for sentence in found.sentences:
            context.log.info(sentence)
        return look.requests(found) or SkipReason("\n".join(found.sentences))

    return daily_analysis


def waiting_sensor(settings: Settings, at: Clock = now) -> SensorDefinition:
    """Until a day is settled: its cells whose sources have come, or that nobody asked for."""

    @sensor(
        name=WAITING,
        job=analysis_job,
        minimum_interval_seconds=settings.waiting_seconds,
        default_status=DefaultSensorStatus.RUNNING,
        description="Analyse the cells whose sources were late, or that the schedule missed.",
    )
    def waiting_cells(
        context: SensorEvaluationContext,
        inputs: InputsResource,
        warehouse: WarehouseResource,
        documents: DocumentsResource,
    ) -> SensorResult:
        moment = at()
        days = loaded(context.cursor, moment.date() - DAY)
        due = days.due(moment, settings.daily_at)
        if not due:
            reason = f"All cells up to {days.looked} are requested."
            return SensorResult(skip_reason=reason, cursor=days.model_dump_json())
        try:
            look = open_look(
                context.instance, inputs, warehouse, documents, settings, moment.date()
            )
            return look.settle(days, due)
        except JetstreamError as error:
            return SensorResult(skip_reason=f"Nothing could be planned: {error}")

    return waiting_cells

"""The sensor that watches the configuration and asks for what a commit changes.

Belongs here: ticks, run requests, what the UI shows of a tick. Does not: what a look finds
(`configuration_watch`).
"""

from dagster import (
    AddDynamicPartitionsRequest,
    DagsterInstance,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    sensor,
)
from pydantic import ValidationError

from jetstream_assets.errors import JetstreamError
from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.accepted_configuration import prune_snapshots
from jetstream_assets.orchestration.clock import DAY, Clock, now
from jetstream_assets.orchestration.configuration_check import check_of_commit
from jetstream_assets.orchestration.configuration_watch import (
    AffectedExperiment,
    Look,
    Seen,
    Watch,
    look,
)
from jetstream_assets.orchestration.jobs import analysis_job
from jetstream_assets.orchestration.partitions import EXPERIMENT
from jetstream_assets.orchestration.resources import (
    DocumentsResource,
    InputsResource,
)
from jetstream_assets.orchestration.settings import Settings
from jetstream_assets.orchestration.warehouse_resource import WarehouseResource

CONFIGURATION = "configuration_changes"

_LONGEST_TAG = 200
_UNFINISHED = (
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
)


def configuration_sensor(settings: Settings, at: Clock = now) -> SensorDefinition:
    """Accept each new commit, and request the experiments that it changes."""

    @sensor(
        name=CONFIGURATION,
        job=analysis_job,
        minimum_interval_seconds=settings.configuration_seconds,
        default_status=DefaultSensorStatus.RUNNING,
        description="Accept new commits of the configuration, and analyse again the experiments "
        "that they change, from launch until yesterday (UTC) or their end.",
    )
    def configuration_changes(
        context: SensorEvaluationContext,
        inputs: InputsResource,
        documents: DocumentsResource,
        warehouse: WarehouseResource,
    ) -> SensorResult:
        store, yesterday = documents.open(), at().date() - DAY
        first, shards = settings.first_date, settings.shards
        watch = Watch(inputs.source, inputs.experiments, store, first, yesterday, shards)
        try:
            found = look(watch, _seen(context.cursor))
            _mark_unfollowed(found, warehouse)
            if found.is_news:
                prune_snapshots(store, {*found.seen.accepted.commits, *_tagged(context.instance)})
        except JetstreamError as error:
            # The cursor stays, so the next tick sees the same news.
            return SensorResult(skip_reason=f"Nothing was accepted; the next tick tries. {error}")
        for sentence in (found.summary, *found.told) if found.is_news else ():
            context.log.info(sentence)
        return _result(found)

    return configuration_changes


def _mark_unfollowed(found: Look, warehouse: WarehouseResource) -> None:
    """Results that a commit changes and asks no run for are stale from now on."""
    if not found.unfollowed:
        return
    from jetstream_assets.analysis.unfollowed_changes import mark_unfollowed  # noqa: PLC0415

    tables = warehouse.open()
    for change in found.unfollowed:
        mark_unfollowed(change.configuration, tables, change.reason)


def _result(found: Look) -> SensorResult:
    requests = [_request(found.seen, affected) for affected in found.affected]
    slugs = [affected.change.slug for affected in found.affected]
    return SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "\n".join((found.summary, *found.told)),
        cursor=found.seen.model_dump_json(),
        dynamic_partitions_requests=(
            [AddDynamicPartitionsRequest(EXPERIMENT, slugs)] if slugs else []
        ),
        asset_events=[check_of_commit(found.broken, found.problems)] if found.is_news else [],
    )


def _request(seen: Seen, affected: AffectedExperiment) -> RunRequest:
    """One run over all dates of the experiment."""
    slug, commit = affected.change.slug, seen.accepted.commit
    return RunRequest(
        # With the number a commit that comes back after a force-push asks again.
        run_key=f"{seen.number}:{commit}:{slug}",
        tags={
            run_tags.EXPERIMENT: slug,
            run_tags.RANGE_START: str(affected.first.key),
            run_tags.RANGE_END: str(affected.last.key),
            run_tags.COMMIT: commit,
            run_tags.CHANGE: _shortened("; ".join(affected.change.what)),
            **affected.size,
        },
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TAG else f"{text[: _LONGEST_TAG - 3]}..."


def _seen(cursor: str | None) -> Seen | None:
    """What the last tick saw; a cursor that a person wrote otherwise is none."""
    try:
        return Seen.model_validate_json(cursor or "")
    except ValidationError:
        return None


def _tagged(instance: DagsterInstance) -> set[str]:
    """The commits that runs which have not finished will read."""
    runs = instance.get_runs(RunsFilter(statuses=_UNFINISHED))
    return {run.tags[run_tags.COMMIT] for run in runs if run_tags.COMMIT in run.tags}

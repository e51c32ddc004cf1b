"""Which failed runs are tried again: those that may succeed although nobody mends anything.

Belongs here: the hook that every step has. Does not: how often and after which pause
(`dagster.yaml`, `run_queue`); which errors may pass (`errors`).
"""

from dagster import HookContext, failure_hook
from dagster._core.storage.tags import MAX_RETRIES_TAG

from jetstream_assets.errors import JetstreamError


@failure_hook
def retry_only_what_may_pass(context: HookContext) -> None:
    """Forbid further attempts of a run whose step failed for what a person has to mend.

    A tag of the run decides, since Dagster's daemon reads no step's exception. It is set before
    the run ends, and so before the daemon looks.
    """
    if needs_a_person(context.op_exception):
        context.instance.add_run_tags(context.run_id, {MAX_RETRIES_TAG: "0"})


def needs_a_person(error: BaseException | None) -> bool:
    """Whether an error, or what it was raised from, is one that will not pass by itself."""
    while error is not None:
        if isinstance(error, JetstreamError):
            return not error.may_pass
        error = error.__cause__
    return False

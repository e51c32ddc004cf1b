"""Asset checks: what each step says of the asset that it has just made.

Belongs here: specifications, results and the refusal to export. Does not: judging
(`analysis.checks`, `report.document_checks`).

The step of an asset judges it, since a step of its own would cost more than most checks do. A check
that blocks does not stop the step that finds it: results are computed and stored, so that a person
can look at them. It stops the export, which asks the blocking checks again, whichever run made what
they judge.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    MetadataValue,
)

from jetstream_assets.errors import CheckError
from jetstream_assets.experiments.checks import Check
from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.metadata import Metadata
from jetstream_assets.orchestration.plan_store import Plans
from jetstream_assets.orchestration.resources import ChecksResource

if TYPE_CHECKING:
    from jetstream_assets.analysis.checks import Judged
    from jetstream_assets.experiments.checks import Verdict
    from jetstream_assets.report.store import Document
    from jetstream_assets.warehouse.base import Warehouse

_ROWS_SHOWN = 30


def check_specs(asset: str) -> list[AssetCheckSpec]:
    """The checks that an asset's step answers."""
    return [
        AssetCheckSpec(check.value, asset=asset, description=check.description)
        for check in _checks(asset)
    ]


def check_results(
    asset: str, plans: Plans, tables: "Warehouse", quality: ChecksResource
) -> list[AssetCheckResult]:
    """What the checks of an asset say of a run's cells; one result for each check."""
    from jetstream_assets.analysis.checks import judge  # noqa: PLC0415

    return results_of(judge(plans, tables, _checks(asset), quality.limits()), quality)


def results_of(judged: "Iterable[Judged]", quality: ChecksResource) -> list[AssetCheckResult]:
    """One result for each check, over the experiments of a run."""
    ordered = sorted(judged, key=lambda one: one.verdict.check)
    groups = groupby(ordered, key=lambda one: one.verdict.check)
    return [_result(check, list(group), quality) for check, group in groups]


def reasons_to_block(
    plans: Plans, tables: "Warehouse", documents: "Sequence[Document]", quality: ChecksResource
) -> list[str]:
    """Why an experiment is not exported: the blocking checks that fail; empty when none does."""
    from jetstream_assets.analysis.checks import judge  # noqa: PLC0415
    from jetstream_assets.report.document_checks import check_documents  # noqa: PLC0415

    blocking = [Check(name) for name in quality.blocking]
    verdicts = [one.verdict for one in judge(plans, tables, blocking, quality.limits())]
    if Check.DOCUMENTS_MATCH_THEIR_SCHEMA in blocking:
        verdicts.append(check_documents(documents))
    slug = plans[0].slug
    return [f"{slug}: {v.check}: {v.message}" for v in verdicts if not v.passed]


def refuse_export(context: AssetExecutionContext, reasons: Sequence[str]) -> None:
    """End the step if there is any reason; the run is not tried again, since nothing would change.

    Raises:
        CheckError: There is a reason.
    """
    if not reasons:
        return
    context.instance.add_run_tags(context.run.run_id, {run_tags.RETRIED: "false"})
    told = "\n".join(reasons)
    raise CheckError(
        f"Nothing was exported, since checks that block the export failed:\n{told}\nEarlier "
        "documents stay. Mend what the checks found and run the cell again, or take them out of "
        "JETSTREAM_BLOCKING_CHECKS."
    )


def _checks(asset: str) -> list[Check]:
    return [check for check in Check if check.asset == asset]


def _result(check: Check, judged: "list[Judged]", quality: ChecksResource) -> AssetCheckResult:
    is_blocking = check.value in quality.blocking
    is_grave = check.is_invariant or is_blocking
    failed = [one for one in judged if not one.verdict.passed]
    (shown, *_) = [*failed, *judged]
    metadata: Metadata = {
        "judged": _judged_text(judged),
        "blocks_export": MetadataValue.bool(is_blocking),
    }
    return AssetCheckResult(
        passed=not failed,
        asset_key=check.asset,
        check_name=check.value,
        severity=AssetCheckSeverity.ERROR if is_grave else AssetCheckSeverity.WARN,
        description=" ".join(_sentences(failed or judged, is_one=len(judged) == 1)),
        metadata=metadata | _verdict_metadata(shown.verdict),
    )


def _sentences(judged: "list[Judged]", *, is_one: bool) -> Iterator[str]:
    for one in judged:
        yield one.verdict.message if is_one else f"{one.plan.slug}: {one.verdict.message}"


def _judged_text(judged: "list[Judged]") -> str:
    """Which cells were looked at: the last of each experiment that has something due."""
    told = [
        f"{one.plan.slug} on {one.plan.date}"
        + (f", the last of {one.cells} cells that has something due" if one.cells > 1 else "")
        for one in judged
    ]
    return "; ".join(told)


def _verdict_metadata(verdict: "Verdict") -> Metadata:
    from jetstream_assets.report.markdown import table_markdown  # noqa: PLC0415

    metadata: Metadata = {name: _value(fact) for name, fact in verdict.facts.items()}
    if verdict.listing is not None and verdict.listing.rows:
        listing = verdict.listing
        table = table_markdown(listing.header, listing.rows, _ROWS_SHOWN)
        metadata["details"] = MetadataValue.md(table)
    return metadata


def _value(fact: float | str) -> MetadataValue[Any]:
    if isinstance(fact, str):
        return MetadataValue.text(fact)
    if isinstance(fact, int):
        return MetadataValue.int(fact)
    # The UI's JSON has no infinity.
    return MetadataValue.float(fact) if abs(fact) < float("inf") else MetadataValue.text(str(fact))

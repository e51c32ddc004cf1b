"""What a step did, as metadata that a person reads beside the asset in the UI.

Belongs here: the mapping from results to Dagster's metadata values. Does not: the Markdown itself
(`report.markdown`).
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

from dagster import MetadataValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from jetstream_assets.analysis.daily_aggregates import DailyAggregates
    from jetstream_assets.analysis.observed import Asked
    from jetstream_assets.analysis.stage import StageResult
    from jetstream_assets.analysis.stored_results import ResultStatus
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.report.page.publishing import PublishedPages
    from jetstream_assets.report.store import Published

Metadata = dict[str, MetadataValue[Any] | str]

_SQL_SHOWN = 8_000
_ROWS_SHOWN = 100
_REASONS_SHOWN = 20


def plan_metadata(plan: "AnalysisPlan") -> Metadata:
    """What is due, or why nothing is."""
    from jetstream_assets.report.markdown import plan_markdown  # noqa: PLC0415

    metadata: Metadata = {
        "plan": MetadataValue.md(plan_markdown(plan)),
        "windows": MetadataValue.int(len(plan.windows)),
        "summaries": MetadataValue.int(sum(len(w.summaries) for w in plan.windows)),
        "refused": MetadataValue.bool(plan.refusal is not None),
    }
    if plan.note:
        metadata["note"] = plan.note
    return metadata


def stage_metadata(result: "StageResult") -> Metadata:
    """Rows, bytes, seconds, statements and failures of a step."""
    from jetstream_assets.report.markdown import escaped, failures_markdown  # noqa: PLC0415

    metadata: Metadata = {
        "rows": MetadataValue.int(result.rows),
        "failures": MetadataValue.int(len(result.failures)),
    }
    if result.written:
        metadata |= _written_metadata(result)
    if result.reused:
        reused = ", ".join(f"{s.table} of {s.date}" for s in result.reused)
        metadata["reused"] = reused
    if result.failures:
        metadata["reasons"] = MetadataValue.md(failures_markdown(result.failures))
    if result.warnings:
        metadata["warnings"] = MetadataValue.md("\n\n".join(map(escaped, result.warnings)))
    if result.note:
        metadata["note"] = result.note
    return metadata


def aggregates_metadata(
    plan: "AnalysisPlan", aggregates: "DailyAggregates | None", *, is_last: bool
) -> Metadata:
    """What was read of which source, which metrics are computed from rows, and what changed."""
    from jetstream_assets.report.markdown import (  # noqa: PLC0415
        escaped,
        scans_markdown,
        windowed_markdown,
    )

    if not plan.windows:
        return {"note": plan.note}
    if aggregates is None:
        return {"note": "Nothing is kept of days: windows are computed from rows."}
    if not is_last:
        return {"note": "Read together with the days of the run's last date."}
    scans = aggregates.scans
    metadata: Metadata = {
        "scans": MetadataValue.int(len(scans)),
        "rows": MetadataValue.int(sum(scan.written.rows for scan in scans)),
        "bytes_read": MetadataValue.int(sum(scan.written.bytes_read for scan in scans)),
        "seconds": MetadataValue.float(round(sum((s.written.seconds for s in scans), 0.0), 3)),
        "sources": MetadataValue.md(scans_markdown([scan.told for scan in scans])),
    }
    if scans:
        statements = "\n\n".join(f"```sql\n{scan.written.sql}\n```" for scan in scans)
        metadata["sql"] = MetadataValue.md(statements[:_SQL_SHOWN])
    if aggregates.windowed:
        metadata["computed_from_rows"] = MetadataValue.md(windowed_markdown(aggregates.windowed))
    if aggregates.warnings:
        metadata["warnings"] = MetadataValue.md("\n\n".join(map(escaped, aggregates.warnings)))
    return metadata


def statistics_metadata(
    result: "StageResult", rows: "pa.Table", asked: "Sequence[Asked]"
) -> Metadata:
    """The step's own metadata, the rows by status, and the results of all units.

    Results by segment, and those that are many points of one statistic (deciles, curves), are left
    to the exports: they would bury the others.
    """
    import pyarrow.compute as pc  # noqa: PLC0415

    from jetstream_assets.report.markdown import statistics_markdown  # noqa: PLC0415

    metadata = stage_metadata(result)
    # What has no result is told by the rows, which say why; the step itself has no other failures.
    del metadata["failures"]
    metadata |= _asked_metadata(asked)
    for count in rows.group_by("status").aggregate([("status", "count")]).to_pylist():
        metadata[f"rows_{count['status']}"] = MetadataValue.int(count["status_count"])
    shown = rows.filter((pc.field("segment") == "all") & pc.field("parameter").is_null())
    if shown.num_rows:
        metadata["results"] = MetadataValue.md(statistics_markdown(shown, _ROWS_SHOWN))
    return metadata


def status_metadata(result: "StageResult", statuses: "Sequence[ResultStatus]") -> Metadata:
    """How many results have which status, and the most frequent reasons of those that have none."""
    from jetstream_assets.report.markdown import table_markdown  # noqa: PLC0415

    counts = Counter(found.status.value for found in statuses)
    metadata = stage_metadata(result)
    # The statuses tell of failures; the step itself has none.
    del metadata["failures"]
    metadata |= {f"results_{status}": MetadataValue.int(n) for status, n in sorted(counts.items())}
    metadata["status"] = MetadataValue.md(
        table_markdown(("status", "results"), sorted(counts.items()), _ROWS_SHOWN)
    )
    reasons = Counter((found.status.value, found.reason) for found in statuses if found.reason)
    if reasons:
        ordered = sorted(reasons.items(), key=lambda item: (item[0][0], -item[1], item[0][1] or ""))
        rows = [(status, reason, number) for (status, reason), number in ordered]
        header = ("status", "reason", "results")
        metadata["reasons"] = MetadataValue.md(table_markdown(header, rows, _REASONS_SHOWN))
    return metadata


def published_metadata(published: "Sequence[Published]") -> Metadata:
    """What publishing did to each document, and the place they are in."""
    from jetstream_assets.report.markdown import published_markdown  # noqa: PLC0415

    places = {document.location.removesuffix(document.name) for document in published}
    return {
        "documents": MetadataValue.md(published_markdown(published)),
        "place": MetadataValue.text(", ".join(sorted(places))),
    }


def pages_metadata(pages: "PublishedPages | None") -> Metadata:
    """What the results say at a glance, and where their pages are."""
    if pages is None:
        return {"note": "No page: the experiment is private, or nothing of it is exported."}
    return {
        "results": MetadataValue.md(pages.summary),
        "page": _place(pages.page.location),
        "all experiments": _place(pages.index.location),
    }


def _place(location: str) -> MetadataValue[Any]:
    """What a person clicks: an address of the web, or a path of this machine."""
    is_address = location.startswith(("http://", "https://"))
    return MetadataValue.url(location) if is_address else MetadataValue.path(location)


def _asked_metadata(asked: "Sequence[Asked]") -> Metadata:
    """Seconds and bytes of all queries, and the statements as far as an event log should hold."""
    if not asked:
        return {}
    statements, shown = "", 0
    for query in asked:
        if shown and len(statements) + len(query.sql) > _SQL_SHOWN:
            break
        statements += f"```sql\n{query.sql}\n```\n\n"
        shown += 1
    more = f"{len(asked) - shown} more statements of the same kind." if shown < len(asked) else ""
    return {
        "queries": MetadataValue.int(len(asked)),
        "seconds": MetadataValue.float(round(sum(query.seconds for query in asked), 3)),
        "bytes_read": MetadataValue.int(sum(query.bytes_read for query in asked)),
        "sql": MetadataValue.md(statements + more),
    }


def _written_metadata(result: "StageResult") -> Metadata:
    metadata: Metadata = {
        "bytes_written": MetadataValue.int(sum(w.bytes_written for w in result.written))
    }
    ran = [written for written in result.written if written.sql]
    if not ran:
        # Rows computed here: the seconds of storing them would pass for those of the step.
        return metadata
    statements = "\n\n".join(f"```sql\n{written.sql}\n```" for written in ran)
    return metadata | {
        "bytes_read": MetadataValue.int(sum(written.bytes_read for written in ran)),
        "seconds": MetadataValue.float(round(sum(written.seconds for written in ran), 3)),
        "sql": MetadataValue.md(statements),
    }

"""The transaction that puts new content in the place of slices, with their entries of the manifest.

Belongs here: the statements. Does not: running them, the scratch table with the new content.

A reader of one table sees the rows before or after, never between; and what fails or is cancelled
before the end has changed nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.warehouse.base import Provenance
from jetstream_assets.warehouse.bigquery_columns import (
    DATE,
    EXPERIMENT,
    OWN_COLUMNS,
    PART,
    StoredColumn,
    encoded,
)
from jetstream_assets.warehouse.tables import Slice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.bigquery import TableReference

# The column of the content that says which of several dates a row belongs to.
DAY = "day"
_SCRATCH = "content"


@dataclass(frozen=True)
class Replacement:
    """Slices that are replaced together.

    Args:
        like: One of them; the others differ in their date only.
        days: Their dates, ascending.
        version: What tells this replacement from any other.
        provenance: What is stored with each.
        columns: The columns of the content, and where each goes.
        is_by_day: Whether the content's column ``day`` says which slice a row belongs to.
    """

    like: Slice
    days: tuple[date, ...]
    version: str
    provenance: Provenance
    columns: tuple[StoredColumn, ...]
    is_by_day: bool


def replacement_script(
    replacement: Replacement,
    rows: TableReference,
    manifest: TableReference,
    scratch: TableReference,
) -> str:
    """All statements of the transaction.

    Args:
        replacement: What is replaced by what.
        rows: The table of the slices.
        manifest: The experiment's manifest.
        scratch: The table with the content.
    """
    statements = [
        _delete(replacement, rows, in_manifest=False),
        _insert(rows, _content(replacement, scratch)),
        _delete(replacement, manifest, in_manifest=True),
        _insert(manifest, _entries(replacement)),
    ]
    rendered = [statement.sql(dialect="bigquery") for statement in statements]
    return ";\n".join(["BEGIN TRANSACTION", *rendered, "COMMIT TRANSACTION;"])


def table_of(reference: TableReference, alias: str | None = None) -> exp.Table:
    """A table of BigQuery in a tree."""
    return exp.Table(
        this=exp.to_identifier(reference.table_id, quoted=True),
        db=exp.to_identifier(reference.dataset_id, quoted=True),
        catalog=exp.to_identifier(reference.project, quoted=True),
        alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)) if alias else None,
    )


def day_literal(day: date) -> exp.Expr:
    """A date in a tree."""
    return exp.cast(exp.Literal.string(day.isoformat()), exp.DType.DATE)


def in_slices(days: tuple[date, ...], part: str | None) -> exp.Expr:
    """Whether a row belongs to a part, or to any, of one of some dates."""
    is_of_days = _column(DATE).isin(*map(day_literal, days))
    if part is None:
        return is_of_days
    return exp.and_(is_of_days, _column(PART).eq(exp.Literal.string(part)))


def _column(name: str, table: str | None = None) -> exp.Column:
    return exp.column(name, table=table, quoted=True)


def _delete(replacement: Replacement, table: TableReference, *, in_manifest: bool) -> exp.Expr:
    condition = in_slices(replacement.days, replacement.like.part)
    if in_manifest:
        kind = exp.Literal.string(str(replacement.like.table))
        condition = exp.and_(condition, _column("result_table").eq(kind))
    return exp.delete(table_of(table), where=condition)


def _insert(table: TableReference, content: exp.Select) -> exp.Expr:
    names = [exp.to_identifier(name, quoted=True) for name in content.named_selects]
    return exp.insert(content, table_of(table), columns=names)


def _content(replacement: Replacement, scratch: TableReference) -> exp.Select:
    """The rows of the scratch table as rows of the slices' table."""
    like, by_day = replacement.like, _column(DAY, _SCRATCH)
    own = {
        EXPERIMENT: exp.Literal.string(like.experiment),
        DATE: by_day if replacement.is_by_day else day_literal(like.date),
        PART: exp.Literal.string(like.part),
    }
    told = [exp.alias_(own[name], name, quoted=True) for name in OWN_COLUMNS]
    moved = [
        exp.alias_(_column(stored.name, _SCRATCH), stored.column, quoted=True)
        for stored in replacement.columns
    ]
    query = exp.select(*told, *moved).from_(table_of(scratch, _SCRATCH))
    if replacement.is_by_day:
        query = query.where(by_day.copy().isin(*map(day_literal, replacement.days)))
    return query


def _entries(replacement: Replacement) -> exp.Select:
    """One row of the manifest a slice; texts that may be long stand in the statement once."""
    told = dict(_told(replacement))
    day = exp.to_identifier(DAY, quoted=True)
    days = exp.Array(expressions=[day_literal(day) for day in replacement.days])
    columns = [exp.alias_(value, name, quoted=True) for name, value in told.items()]
    listed = exp.Unnest(expressions=[days], alias=exp.TableAlias(columns=[day]))
    return exp.select(*columns).from_(listed)


def _told(replacement: Replacement) -> Iterator[tuple[str, exp.Expr]]:
    like, origin = replacement.like, replacement.provenance
    yield DATE, exp.column(DAY, quoted=True)
    yield "written_at", exp.CurrentTimestamp()
    texts = {
        EXPERIMENT: like.experiment,
        "result_table": str(like.table),
        PART: like.part,
        "version": replacement.version,
        "fingerprint": origin.fingerprint,
        "config_commit": origin.config_commit,
        "code_version": origin.code_version,
        "details": origin.details,
        "columns": encoded(replacement.columns),
    }
    for name, text in texts.items():
        yield name, exp.Literal.string(text)

"""Names of tables in a statement, bound to what is stored; views in the place of their names.

Belongs here: parsing, qualifying, expanding and naming, on trees. Does not: running them
(`reading`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from jetstream_assets.warehouse.named_tables import named_tables
from jetstream_assets_tests.bigquery.names import TableKey
from jetstream_assets_tests.bigquery.refusals import invalid_query, not_found
from jetstream_assets_tests.bigquery.tables import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Scope:
    """Where a query looks for names: a snapshot, and the defaults of names that leave parts out.

    A query that would bill more than ``most_billed`` is refused before it runs.
    """

    project: str
    dataset: str | None
    find: Callable[[TableKey], Stored | None]
    most_billed: int | None = None
    read: dict[TableKey, Stored] = field(default_factory=dict)

    def key(self, table: exp.Table) -> TableKey:
        """The full name of a table in a statement."""
        parts = [part.name for part in table.parts]
        if len(parts) == 1 and self.dataset is not None:
            parts.insert(0, self.dataset)
        if not 2 <= len(parts) <= 3 or not all(parts):
            raise invalid_query(
                f'Table "{".".join(parts)}" must be qualified with a dataset (e.g. dataset.table).'
            )
        return TableKey(*parts) if len(parts) == 3 else TableKey(self.project, *parts)

    def table(self, key: TableKey) -> Stored:
        """A table that must be there; it counts as read."""
        if key not in self.read:
            stored = self.find(key)
            if stored is None:
                raise not_found("Table", str(key), "US")
            self.read[key] = stored
        return self.read[key]


def parsed(sql: str) -> list[exp.Expr]:
    """The statements of a script."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect="bigquery") if tree is not None]
    except sqlglot.ParseError as error:
        first = error.errors[0] if error.errors else {}
        where = f" at [{first.get('line', 1)}:{first.get('col', 1)}]"
        raise invalid_query(f"Syntax error: {first.get('description', error)}{where}") from error
    except sqlglot.TokenError as error:
        raise invalid_query(f"Syntax error: {error}") from error
    if not trees:
        raise invalid_query("Syntax error: Unexpected end of statement at [1:1]")
    return trees


def expanded(tree: exp.Expr, scope: Scope) -> exp.Expr:
    """A copy of the tree with every view replaced by its query."""
    tree = tree.copy()
    for table in tables(tree):
        key = scope.key(table)
        stored = scope.table(key)
        if not stored.fields and not stored.is_view:
            name = f"{key.project}.{key.dataset}.{key.table}"
            raise invalid_query(f"Table {name} does not have a schema.")
        if stored.is_view:
            (inner,) = parsed(stored.resource["view"]["query"])
            name_columns(inner)
            inner_scope = Scope(key.project, key.dataset, scope.find, read=scope.read)
            alias = table.args.get("alias") or exp.TableAlias(this=table.this.copy())
            body = expanded(_qualified(inner, inner_scope), scope)
            table.replace(exp.Subquery(this=body, alias=alias.copy()))
    return tree


def _qualified(tree: exp.Expr, scope: Scope) -> exp.Expr:
    for table in tables(tree):
        key = scope.key(table)
        if not table.alias:
            table.set("alias", exp.TableAlias(this=table.this.copy()))
        for part, name in zip(("catalog", "db", "this"), key, strict=True):
            table.set(part, exp.to_identifier(name, quoted=True))
    return tree


def bound(tree: exp.Expr, scope: Scope) -> exp.Expr:
    """The tree with every table replaced by its relation in DuckDB; the tree is changed."""
    for table in tables(tree):
        alias = table.args.get("alias") or exp.TableAlias(this=table.this.copy())
        name = exp.to_identifier(relation_name(scope.key(table)), quoted=True)
        table.replace(exp.Table(this=name, alias=alias.copy()))
    return tree


def tables(tree: exp.Expr) -> list[exp.Table]:
    """Tables that a statement reads; no names of WITH and no arrays of a row."""
    found = []
    for table in named_tables(tree):
        parts = [part.name for part in table.parts]
        if len(parts) == 1 or not _is_alias(parts[0], table):
            found.append(table)
    return found


def _is_alias(name: str, table: exp.Table) -> bool:
    """Whether a path starts at another source of the same query or of one around it."""
    select = table.find_ancestor(exp.Select)
    while select is not None:
        if name.lower() in set(_aliases(select, table)):
            return True
        select = select.find_ancestor(exp.Select)
    return False


def _aliases(select: exp.Select, table: exp.Table) -> Iterator[str]:
    for clause in (select.args.get("from_"), *select.args.get("joins", ())):
        if clause is not None and clause.this is not table:
            yield clause.this.alias_or_name.lower()


def relation_name(key: TableKey) -> str:
    """The name of a stored table in DuckDB."""
    return f"stored {key}"


def name_columns(tree: exp.Expr) -> None:
    """Columns without a name are ``f0_``, ``f1_``; two of one name are refused."""
    if not isinstance(tree, exp.Query):
        return
    nameless, seen = 0, set()
    for column in list(tree.selects):
        name = column.alias_or_name
        if isinstance(column, exp.Star) or (isinstance(column, exp.Column) and column.is_star):
            continue
        if not name or not isinstance(column, exp.Alias | exp.Column | exp.Dot):
            name = f"f{nameless}_"
            nameless += 1
            column.replace(exp.alias_(column.copy(), name, quoted=True))
        if name.lower() in seen:
            raise invalid_query(
                "Duplicate column names in the result are not supported. "
                f"Found duplicate(s): {name}"
            )
        seen.add(name.lower())

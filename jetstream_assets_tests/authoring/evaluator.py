"""Google's own evaluator of SQL, as a second opinion on what an expression gives in BigQuery.

Belongs here: asking it, and its answers as Python values. Does not: the rows (`random_rows`).

It comes as WebAssembly, so importing it takes half a minute.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

_EPOCH = date(1970, 1, 1)
_PLAIN = ("int64_value", "bool_value", "double_value", "string_value")


class NotEvaluated(Exception):  # noqa: N818  no fault, but a limit
    """It does not know a function, or refuses the values."""


@cache
def _catalog() -> tuple[Any, Any]:
    from zetasql.api import CatalogBuilder  # noqa: PLC0415
    from zetasql.types import (  # noqa: PLC0415
        AnalyzerOptions,
        LanguageOptions,
        ZetaSQLBuiltinFunctionOptions,
    )

    language = LanguageOptions.maximum_features()
    functions = ZetaSQLBuiltinFunctionOptions(language_options=language)
    catalog = CatalogBuilder("any").with_builtin_functions(functions).build()
    return AnalyzerOptions(language_options=language, default_timezone="UTC"), catalog


def evaluated(sql: str) -> Any:  # noqa: ANN401  any value of SQL
    """The first value of a query's first row.

    Raises:
        NotEvaluated: It gives no answer, with its reason.
    """
    from zetasql.api import PreparedQuery  # noqa: PLC0415
    from zetasql.core import ZetaSQLError  # noqa: PLC0415

    options, catalog = _catalog()
    builder = PreparedQuery.builder().set_sql(sql).set_analyzer_options(options)
    try:
        with builder.set_catalog(catalog).prepare() as query:
            (row,) = query.execute().content.table_data.row
    except ZetaSQLError as error:
        raise NotEvaluated(str(error)) from error
    return _value(row.cell[0])


def _value(cell: Any) -> Any:  # noqa: ANN401
    for kind in _PLAIN:
        found = getattr(cell, kind)
        if found is not None:
            return found
    if cell.date_value is not None:
        return _EPOCH + timedelta(days=cell.date_value)
    if cell.timestamp_value is not None:
        return datetime.fromtimestamp(cell.timestamp_value.seconds, UTC)
    if cell.array_value is not None:
        return [_value(element) for element in cell.array_value.element]
    if cell.struct_value is not None:
        return [_value(field) for field in cell.struct_value.field]
    return None

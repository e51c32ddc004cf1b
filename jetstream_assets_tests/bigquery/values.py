"""Values as they travel: rows in answers, rows in newline-delimited JSON.

Belongs here: one value in and out of JSON by its field. Does not: types (`fields`).
"""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jetstream_assets_tests.bigquery.fields import arrow_schema
from jetstream_assets_tests.bigquery.refusals import Json, invalid

if TYPE_CHECKING:
    from collections.abc import Callable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_NUMBERS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def rows_as_json(rows: pa.Table, fields: list[Json], *, as_integers: bool) -> list[Json]:
    """Rows as an answer has them; a TIMESTAMP is microseconds, or else seconds with a fraction."""
    columns = [
        [_cell(value, field, as_integers=as_integers) for value in rows.column(place).to_pylist()]
        for place, field in enumerate(fields)
    ]
    if not columns:
        return [{"f": []} for _ in range(rows.num_rows)]
    return [{"f": list(cells)} for cells in zip(*columns, strict=True)]


def _cell(value: Any, field: Json, *, as_integers: bool) -> Json:  # noqa: ANN401  any SQL value
    if field["mode"] == "REPEATED":
        one = {**field, "mode": "REQUIRED"}
        return {"v": [_cell(element, one, as_integers=as_integers) for element in value or ()]}
    if value is None:
        return {"v": None}
    if field["type"] == "RECORD":
        inner = field["fields"]
        cells = [_cell(value[f["name"]], f, as_integers=as_integers) for f in inner]
        return {"v": {"f": cells}}
    if field["type"] == "TIMESTAMP" and not as_integers:
        return {"v": repr(_microseconds(value) / 1e6)}
    return {"v": _OUT[field["type"]](value)}


def _microseconds(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _float(value: float) -> str:
    return _NO_NUMBERS.get(str(value), repr(value))


def _numeric(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_OUT: dict[str, Callable[[Any], str]] = {
    "INTEGER": str,
    "FLOAT": _float,
    "BOOLEAN": lambda value: "true" if value else "false",
    "STRING": str,
    "JSON": str,
    "BYTES": lambda value: base64.b64encode(value).decode(),
    "DATE": lambda value: value.isoformat(),
    "TIME": lambda value: value.isoformat(),
    "DATETIME": lambda value: value.isoformat(),
    "TIMESTAMP": lambda value: str(_microseconds(value)),
    "NUMERIC": _numeric,
}


def _moment(text: str | float) -> datetime:
    if isinstance(text, int | float):
        return datetime.fromtimestamp(text, UTC)
    moment = datetime.fromisoformat(text.replace(" UTC", "Z").replace(" ", "T"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(value: str | float) -> float:
    return float(value)  # "NaN", "Infinity" and "-Infinity", too


def _truth(value: str | bool) -> bool:  # noqa: FBT001  a JSON value
    return value if isinstance(value, bool) else {"true": True, "false": False}[value.lower()]


def _whole(value: str | float) -> int:
    if isinstance(value, float) and not (math.isfinite(value) and value == int(value)):
        raise ValueError(value)
    return int(value)


_IN: dict[str, Callable[[Any], Any]] = {
    "INTEGER": _whole,
    "FLOAT": _number,
    "BOOLEAN": _truth,
    "STRING": lambda value: value if isinstance(value, str) else json.dumps(value),
    "JSON": json.dumps,
    "BYTES": base64.b64decode,
    "DATE": date.fromisoformat,
    "TIME": time.fromisoformat,
    "DATETIME": lambda text: datetime.fromisoformat(text.replace(" ", "T")),
    "TIMESTAMP": _moment,
    "NUMERIC": lambda value: Decimal(str(value)),
}


def rows_of_json(lines: bytes, fields: list[Json]) -> pa.Table:
    """The rows of newline-delimited JSON with these fields."""
    known = {field["name"].lower(): field for field in fields}
    rows = []
    for number, line in enumerate(lines.splitlines(), 1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
            unknown = [name for name in told if name.lower() not in known]
            if unknown:
                raise invalid(f"JSON parsing error in row {number}: No such field: {unknown[0]}.")
            rows.append(
                {known[n.lower()]["name"]: _in(v, known[n.lower()]) for n, v in told.items()}
            )
        except (ValueError, KeyError, TypeError) as error:
            raise invalid(f"JSON parsing error in row {number}: {error}") from error
    return pa.Table.from_pylist(rows, schema=arrow_schema(fields))


def _in(value: Any, field: Json) -> Any:  # noqa: ANN401  any JSON value
    if field["mode"] == "REPEATED":
        return [_in(one, {**field, "mode": "REQUIRED"}) for one in value or ()]
    if value is None:
        return None
    if field["type"] == "RECORD":
        inner = {one["name"].lower(): one for one in field["fields"]}
        return {inner[n.lower()]["name"]: _in(v, inner[n.lower()]) for n, v in value.items()}
    return _IN[field["type"]](value)


def scalar(kind: str, text: str) -> Any:  # noqa: ANN401  any SQL value
    """The value of a query parameter."""
    return _IN[kind](text)

"""Statistics for programs: one JSON array for each period of an experiment.

Belongs here: which rows become records, and the shape of a record, which is that of schema version
4 of the consumer's statistics. Does not: the numbers (`statistics`), where documents are stored
(`store`).
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jetstream_assets.errors import JetstreamError
from jetstream_assets.experiments.windows import Period
from jetstream_assets.report.json_text import array_bytes, finite
from jetstream_assets.report.store import Document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.experiments.experiment import Experiment

    Row = dict[str, Any]
    Key = tuple[object, ...]

# What tells records apart, the parameter last: without it these are the key of one curve.
_KEYS = (
    "window_index",
    "analysis_basis",
    "segment",
    "metric",
    "statistic",
    "branch",
    "comparison",
    "comparison_to_branch",
    "ci_width",
    "parameter",
)
_NUMBERS = ("point", "lower", "upper")
# The consumer ignores keys that it does not know; these are ours.
_OWN = ("units", "covariate", "p_value", "p_value_adjusted", "is_provisional")
_PARAMETER_DECIMALS = 6


class DuplicateRecordError(JetstreamError):
    """Two rows of one experiment would be one record: the keys do not tell them apart."""


def statistics_documents(experiment: Experiment, rows: pa.Table) -> Iterator[Document]:
    """The documents of all periods that have rows, in the order of `Period`.

    A record is a row that has a branch and is ``ok``, or has a point although the data are
    insufficient. Null, NaN and infinite fields are left out of it, and so is ``is_provisional``
    unless it is true. A period whose rows are all
    without a result has an empty document. ``as_of`` is the newest date among a period's rows.

    Args:
        experiment: The experiment whose rows these are.
        rows: All slices of its statistics: the columns of `STATISTICS_SCHEMA` and ``date``.

    Raises:
        DuplicateRecordError: Two rows have the same key fields.
    """
    for period in Period:
        of_period = rows.filter(pc.equal(rows["period"], period.value))
        if of_period.num_rows:
            name = f"statistics/statistics_{experiment.normalized_slug}_{period.suffix}.json"
            body = array_bytes(_records(experiment.slug, of_period))
            yield Document(name, body, as_of=pc.max(of_period["date"]).as_py())


def _records(slug: str, rows: pa.Table) -> Iterator[Row]:
    needed = rows.filter(_is_meaningful(rows)).select(["period", "date", *_KEYS, *_NUMBERS, *_OWN])
    meaningful = sorted(needed.to_pylist(), key=_order)
    _check_unique(slug, meaningful)
    crowded = _crowded_curves(meaningful)
    for row in meaningful:
        yield _record(row, is_exact=_curve(row) in crowded)


def _is_meaningful(rows: pa.Table) -> pa.ChunkedArray:
    has_number = pc.and_(pc.equal(rows["status"], "insufficient_data"), pc.is_valid(rows["point"]))
    return pc.and_(pc.is_valid(rows["branch"]), pc.or_(pc.equal(rows["status"], "ok"), has_number))


def _order(row: Row) -> Key:
    # Null before any value: a branch alone stands before its comparisons.
    keys = ((row[key] is not None, row[key]) for key in _KEYS)
    return (*keys, row["date"])


def _check_unique(slug: str, rows: list[Row]) -> None:
    for former, row in pairwise(rows):
        if all(former[key] == row[key] for key in _KEYS):
            named = ", ".join(f"{key}={row[key]!r}" for key in ("period", *_KEYS))
            raise DuplicateRecordError(
                f"the statistics of {slug!r} hold two rows for one record: {named}; their slices "
                f"are of {former['date']} and {row['date']}. Consumers tell records apart by "
                "these fields alone, so nothing was exported. Either one metric lists one "
                "statistic twice with parameters that the fields do not show, or one window was "
                "computed under two dates: run the date on which it is not due any more again."
            )


def _curve(row: Row) -> Key:
    return tuple(row[key] for key in _KEYS[:-1])


def _crowded_curves(rows: list[Row]) -> set[Key]:
    """The curves whose grid points lie so close that rounding would make two of them one."""
    rounded: defaultdict[Key, list[float]] = defaultdict(list)
    for row in rows:
        if row["parameter"] is not None:
            rounded[_curve(row)].append(round(row["parameter"], _PARAMETER_DECIMALS))
    return {curve for curve, points in rounded.items() if len(set(points)) < len(points)}


def _record(row: Row, *, is_exact: bool) -> Row:
    record = {
        "metric": row["metric"],
        "statistic": row["statistic"],
        "parameter": _parameter(finite(row["parameter"]), is_exact=is_exact),
        "branch": row["branch"],
        "comparison": row["comparison"],
        "comparison_to_branch": row["comparison_to_branch"],
        "ci_width": finite(row["ci_width"]),
        **{name: finite(row[name]) for name in _NUMBERS},
        "segment": row["segment"],
        "analysis_basis": row["analysis_basis"],
        "window_index": str(row["window_index"]),
        **{name: row[name] for name in _OWN},
        # A final number is what a consumer expects, so only the others say what they are.
        "is_provisional": True if row["is_provisional"] else None,
    }
    return {key: value for key, value in record.items() if value is not None}


def _parameter(value: float | None, *, is_exact: bool) -> str | None:
    if value is None:
        return None
    # Adding zero turns -0.0, which rounding can make, into 0.0.
    return str(float(value) if is_exact else round(float(value), _PARAMETER_DECIMALS) + 0.0)

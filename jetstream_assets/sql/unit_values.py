"""The values of units, one row per unit, segment and analysis basis, before anything is summed.

Belongs here: which unit rows enter (window, basis, segment), the covariates joined to them, the
pre-treatments, and leaving out what is infinite. Does not: what is collected of the values
(`sufficient_statistics`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.needs import Value
from jetstream_assets.experiments.windows import Period
from jetstream_assets.sql.fragments import int64, name, text_literal
from jetstream_assets.sql.memberships import membership, segment_numbers
from jetstream_assets.sql.pre_treatments import QuantileCensor, Step, finite, is_odd, steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# The group of units that a collected number is about; column names of every query here.
SCOPE = ("segment", "analysis_basis")
GROUP = (*SCOPE, "branch")


@dataclass(frozen=True)
class UnitRows:
    """The relation of unit rows of one window, and what is known of its columns.

    Args:
        metrics: One row per unit, window and analysis basis: ``analysis_id``, ``branch``,
            ``period``, ``window_index``, ``analysis_basis``, a BOOL column per segment and a
            numeric or BOOL column per metric.
        period: The window's period.
        window_index: The window's index.
        window_length: Its length in days.
        bases: The analysis bases to collect.
        segments: The segments to collect beside the whole; the whole is segment 0, these are 1,
            2 and so on in this order.
        integers: The (period or None, metric) whose column is an integer or BOOL.
        flags: Those of them whose column is BOOL.
        preenrollment: The relation of pre-enrollment windows, of the same shape; None when there
            is none.
    """

    metrics: exp.Table
    period: Period
    window_index: int
    window_length: int
    bases: tuple[AnalysisBasis, ...]
    segments: tuple[str, ...] = ()
    integers: frozenset[tuple[Period | None, str]] = frozenset()
    preenrollment: exp.Table | None = None
    flags: frozenset[tuple[Period | None, str]] = frozenset()

    def is_integer(self, value: Value) -> bool:
        """Whether the metric's column holds integers."""
        return (value.period, value.metric) in self.integers

    def is_whole(self, value: Value) -> bool:
        """Whether the value is an integer for certain, so that it is a number and finite."""
        return self.is_integer(value) and not value.pre_treatments

    def is_flag(self, value: Value) -> bool:
        """Whether the value is TRUE or FALSE, counted as 1 and 0, for certain."""
        return (value.period, value.metric) in self.flags and not value.pre_treatments


@dataclass(frozen=True)
class UnitValues:
    """A query's common table expressions up to ``unit_values``.

    ``unit_values`` has the columns `GROUP`, and per value its column (`column`) and, where it may
    not be finite, ``odd_...``: whether it was infinite or not a number and is NULL for that reason;
    NULL where it was NULL before.
    """

    ctes: tuple[tuple[str, exp.Query], ...]
    values: tuple[Value, ...]
    wholes: frozenset[Value]

    def column(self, value: Value) -> exp.Expr:
        """The column of a value."""
        return exp.column(f"value_{self.values.index(value)}")

    def odd(self, value: Value) -> exp.Expr | None:
        """The column that marks what was left out of a value; None where nothing ever is."""
        if value in self.wholes:
            return None
        return exp.column(f"odd_{self.values.index(value)}")

    def query(self, select: exp.Select, *more: tuple[str, exp.Query]) -> exp.Select:
        """The select, with these common table expressions and more before it."""
        for alias, cte in (*self.ctes, *more):
            # A name in text would be parsed, which takes longer than all else here.
            named = exp.TableAlias(this=exp.to_identifier(alias))
            select = select.with_(named, as_=cte, copy=False)
        return select


def unit_values(
    rows: UnitRows, values: Sequence[Value], *, by_membership: bool = False
) -> UnitValues:
    """The values of every unit in every segment and basis that it belongs to.

    Args:
        rows: The unit rows.
        values: The values.
        by_membership: Whether a unit is one row of its basis, its membership (`memberships`) in
            the place of the segment.

    Raises:
        QueryError: A pre-treatment is not known or has wrong arguments.
    """
    chains = [steps(value.pre_treatments, rows.window_length) for value in values]
    scoped = (_with_membership if by_membership else _scoped)(rows, len(values))
    ctes: list[tuple[str, exp.Query]] = [("units", _units(rows, values)), ("scoped", scoped)]
    for number, level in enumerate(zip_longest(*chains)):
        ctes.append((f"treated_{number}", _treated(level, ctes[-1][0])))
    ctes.append(("unit_values", _finite(rows, values, ctes[-1][0])))
    return UnitValues(tuple(ctes), tuple(values), frozenset(filter(rows.is_whole, values)))


def group_columns(table: str = "") -> list[exp.Column]:
    """The columns of `GROUP`."""
    return [exp.column(column, table=table or None) for column in GROUP]


def _units(rows: UnitRows, values: Sequence[Value]) -> exp.Select:
    """The window's units with raw values and segments, covariates joined."""
    segments = [
        exp.column(name(segment), table="m").as_(f"segment_{index}", copy=False)
        for index, segment in enumerate(rows.segments, start=1)
    ]
    raw = [
        exp.cast(_as_number(rows, value), exp.DType.DOUBLE, copy=False).as_(
            f"value_{index}", copy=False
        )
        for index, value in enumerate(values)
    ]
    bases = [text_literal(basis.value) for basis in rows.bases]
    select = (
        exp.select(*_columns("m", "analysis_basis", "branch"), *segments, *raw, copy=False)
        .from_(exp.alias_(rows.metrics.copy(), "m", table=True), copy=False)
        .where(_of_window("m", rows.period, rows.window_index), copy=False)
        .where(exp.column("analysis_basis", table="m").isin(*bases), copy=False)
    )
    for period, covariates in _covariates(values).items():
        joined = _preenrollment(rows, period, covariates)
        keys = [
            exp.column(key, table="m").eq(exp.column(key, table=_alias(period)))
            for key in ("analysis_id", "branch")
        ]
        select = select.join(joined, on=exp.and_(*keys, copy=False), join_type="left", copy=False)
    return select


def _as_number(rows: UnitRows, value: Value) -> exp.Expr:
    column = exp.column(name(value.metric), table=_alias(value.period))
    # A BOOL does not become FLOAT64 in one step in BigQuery.
    return int64(column) if (value.period, value.metric) in rows.flags else column


def _covariates(values: Iterable[Value]) -> Mapping[Period, list[str]]:
    found: dict[Period, list[str]] = {}
    for value in values:
        if value.period is not None and value.metric not in found.setdefault(value.period, []):
            found[value.period].append(value.metric)
    return found


def _preenrollment(rows: UnitRows, period: Period, metrics: Sequence[str]) -> exp.Subquery:
    if rows.preenrollment is None:
        raise ValueError(f"a covariate of {period} needs the pre-enrollment relation")
    basis = exp.column("analysis_basis", table="p").eq(text_literal(AnalysisBasis.ENROLLMENTS))
    return (
        exp.select(
            *_columns("p", "analysis_id", "branch"),
            *(exp.column(name(metric), table="p") for metric in metrics),
            copy=False,
        )
        .from_(exp.alias_(rows.preenrollment.copy(), "p", table=True), copy=False)
        .where(_of_window("p", period, 1), copy=False)
        .where(basis, copy=False)
        .subquery(_alias(period), copy=False)
    )


def _of_window(table: str, period: Period, index: int) -> exp.Expr:
    return exp.and_(
        exp.column("period", table=table).eq(text_literal(period.value)),
        exp.column("window_index", table=table).eq(exp.Literal.number(index)),
        copy=False,
    )


def _alias(period: Period | None) -> str:
    return f"covariates_{period.value}" if period else "m"


def _scoped(rows: UnitRows, count: int) -> exp.Select:
    """Each unit once for the whole and once for each segment it belongs to.

    A cross join with the few segment numbers reads the units once; a union of one part per segment
    would read or keep all of them for each.
    """
    kept = [*_columns("units", "analysis_basis", "branch"), *_value_columns(count)]
    if not rows.segments:
        return exp.select(int64(0).as_("segment", copy=False), *kept, copy=False).from_(
            "units", copy=False
        )
    number = exp.column("segment", table="s")
    belongs = [
        exp.and_(number.eq(n), exp.column(f"segment_{n}"), copy=False)
        for n in range(1, len(rows.segments) + 1)
    ]
    return (
        exp.select(number.copy(), *kept, copy=False)
        .from_(exp.table_("units"), copy=False)
        .join(segment_numbers(len(rows.segments)), join_type="cross", copy=False)
        .where(exp.or_(number.eq(0), *belongs, copy=False), copy=False)
    )


def _with_membership(rows: UnitRows, count: int) -> exp.Select:
    kept = [*_columns("units", "analysis_basis", "branch"), *_value_columns(count)]
    number = membership(len(rows.segments)).as_("segment", copy=False)
    return exp.select(number, *kept, copy=False).from_(exp.table_("units"), copy=False)


def _treated(level: Sequence[Step | None], source: str) -> exp.Select:
    """The next step of every value; a value without one is passed on."""
    columns = [
        _apply(step, exp.column(f"value_{index}")).as_(f"value_{index}", copy=False)
        for index, step in enumerate(level)
    ]
    return exp.select(*group_columns(), *columns, copy=False).from_(exp.table_(source), copy=False)


def _apply(step: Step | None, value: exp.Expr) -> exp.Expr:
    if step is None:
        return value
    if isinstance(step, QuantileCensor):
        return step.apply(value, quantile(finite(value), step.fraction, SCOPE))
    return step.apply(value)


def quantile(value: exp.Expr, fraction: float, partition: Sequence[str]) -> exp.Expr:
    """The quantile by linear interpolation, NULL ignored, of a row's partition."""
    # Only the form over a partition exists in both dialects.
    # A bare number: the fraction must be a constant.
    constant = exp.Literal.number(repr(float(fraction)))
    percentile = exp.PercentileCont(this=value.copy(), expression=constant)
    return exp.Window(this=percentile, partition_by=[exp.column(column) for column in partition])


def _finite(rows: UnitRows, values: Sequence[Value], source: str) -> exp.Select:
    columns: list[exp.Expr] = []
    for index, value in enumerate(values):
        column = exp.column(f"value_{index}")
        if rows.is_whole(value):
            columns.append(column)
            continue
        columns.append(finite(column).as_(f"value_{index}", copy=False))
        columns.append(is_odd(column).as_(f"odd_{index}", copy=False))
    return exp.select(*group_columns(), *columns, copy=False).from_(exp.table_(source), copy=False)


def _columns(table: str, *names: str) -> list[exp.Column]:
    return [exp.column(column, table=table) for column in names]


def _value_columns(count: int) -> list[exp.Column]:
    return [exp.column(f"value_{index}") for index in range(count)]

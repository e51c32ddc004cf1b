"""The segments that a unit belongs to, as one number, so that units can be counted before segments.

Belongs here: the number, and what belongs to a segment by it. Does not: which values units have
(`unit_values`), what is counted (`distributions`).

A unit in three segments is a row of each of them, and one of the whole. What only counts rows can
count them once for each combination of segments and then add the few counts.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.sql.fragments import int64
from jetstream_assets.sql.pre_treatments import QuantileCensor, steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.experiments.needs import Value

# There are twice as many combinations with each more, of which each counts by itself.
_MOST_SEGMENTS = 5


def is_worth_it(segments: int, values: Sequence[Value], window_length: int) -> bool:
    """Whether values can be counted by membership: they are the same in every segment."""
    treatments = (step for value in values for step in steps(value.pre_treatments, window_length))
    depends_on_segment = any(isinstance(step, QuantileCensor) for step in treatments)
    return 1 <= segments <= _MOST_SEGMENTS and not depends_on_segment


def membership(segments: int) -> exp.Expr:
    """The number of a unit, of its columns ``segment_1``, ``segment_2``, ..., NULL being FALSE."""
    bits: list[exp.Expr] = [
        exp.case()
        .when(exp.column(f"segment_{number}"), _bit(number), copy=False)
        .else_(exp.Literal.number(0), copy=False)
        for number in range(1, segments + 1)
    ]
    return int64(reduce(lambda a, b: exp.Add(this=a, expression=b), bits))


def segment_numbers(segments: int) -> exp.Subquery:
    """The segments' numbers, ``s.segment``; 0 is the whole."""
    numbers = [
        exp.select(int64(number).as_("segment", copy=False), copy=False)
        for number in range(segments + 1)
    ]
    return exp.union(*numbers, distinct=False).subquery("s", copy=False)


def belongs(segments: int, of: exp.Column) -> exp.Expr:
    """Whether what has the membership ``of`` belongs to the segment of `segment_numbers`."""
    number = exp.column("segment", table="s")
    inside = [
        exp.and_(
            number.eq(n),
            exp.GT(
                this=exp.paren(exp.BitwiseAnd(this=of.copy(), expression=_bit(n))),
                expression=exp.Literal.number(0),
            ),
            copy=False,
        )
        for n in range(1, segments + 1)
    ]
    return exp.or_(number.eq(0), *inside, copy=False)


def _bit(number: int) -> exp.Expr:
    return exp.Literal.number(2 ** (number - 1))

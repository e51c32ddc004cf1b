"""A FLOAT64 written into SQL comes back as the same FLOAT64, in every dialect.

Belongs here: number literals that keep all their bits. Does not: names, text and dates
(`fragments`).
"""

from __future__ import annotations

import math

from sqlglot import exp

_SPECIAL = {math.inf: "inf", -math.inf: "-inf"}


def float64(number: float) -> exp.Expr:
    """The number as FLOAT64; infinities and "not a number" included."""
    if math.isnan(number):
        return exp.cast(exp.Literal.string("nan"), exp.DType.DOUBLE)
    if number in _SPECIAL:
        return exp.cast(exp.Literal.string(_SPECIAL[number]), exp.DType.DOUBLE)
    # With an exponent it is a double, not a decimal, in DuckDB too; 17 digits keep all bits.
    return exp.cast(exp.Literal.number(f"{number:.16e}"), exp.DType.DOUBLE)

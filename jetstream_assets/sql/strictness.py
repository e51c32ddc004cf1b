"""Which operators and functions give NULL wherever an argument is NULL.

Belongs here: the lists, and what organisations' functions give for NULL. Does not: reducing
expressions by them (`empty_rows`).

What is listed holds in every warehouse; tests ask the embedded one. GREATEST, LEAST and CONCAT are
not listed, for warehouses differ; nor is what turns NULL into a text (TO_JSON_STRING, FORMAT).
"""

from __future__ import annotations

from sqlglot import exp

# Organisations' functions that give NULL for a NULL first argument.
STRICT_FUNCTIONS = frozenset(
    {
        "mozfun.bits28.days_since_seen",
        "mozfun.hist.extract",
        "mozfun.map.extract_keyed_scalar_sum",
        "mozfun.map.get_key",
        "mozfun.norm.extract_version",
        "mozfun.norm.fenix_build_to_datetime",
        "mozfun.norm.truncate_version",
        "udf.get_key",
        "udf.histogram_max_key_with_nonzero_value",
        "udf.json_extract_histogram",
        "udf.keyed_histogram_get_sum",
        "udf.normalize_search_engine",
    }
)
# Those that count nothing in a NULL first argument.
ZERO_FUNCTIONS = frozenset({"mozfun.hist.threshold_count", "udf.histogram_to_threshold_count"})

STRICT_OPERATORS = (
    exp.Add,
    exp.BitwiseAnd,
    exp.BitwiseLeftShift,
    exp.BitwiseNot,
    exp.BitwiseOr,
    exp.BitwiseRightShift,
    exp.BitwiseXor,
    exp.Div,
    exp.DPipe,
    exp.EQ,
    exp.Escape,
    exp.GT,
    exp.GTE,
    exp.Interval,
    exp.LT,
    exp.LTE,
    exp.Like,
    exp.Mod,
    exp.Mul,
    exp.NEQ,
    exp.Neg,
    exp.Sub,
)
STRICT_BUILT_IN = (
    exp.Abs,
    exp.ArraySize,
    exp.Cast,
    exp.Ceil,
    exp.Contains,
    exp.Date,
    exp.DateAdd,
    exp.DateDiff,
    exp.DateSub,
    exp.DateTrunc,
    exp.EndsWith,
    exp.Exp,
    exp.Extract,
    exp.Floor,
    exp.IntDiv,
    exp.IsInf,
    exp.IsNan,
    exp.JSONExtract,
    exp.JSONExtractArray,
    exp.JSONExtractScalar,
    exp.JSONValueArray,
    exp.Left,
    exp.Length,
    exp.Ln,
    exp.Log,
    exp.Lower,
    exp.ParseDatetime,
    exp.Pow,
    exp.RegexpExtract,
    exp.RegexpLike,
    exp.RegexpReplace,
    exp.Replace,
    exp.Reverse,
    exp.Right,
    exp.Round,
    exp.SafeDivide,
    exp.SafeFunc,
    exp.Sign,
    exp.Sqrt,
    exp.StartsWith,
    exp.StrPosition,
    exp.Substring,
    exp.TimeToStr,
    exp.TimestampAdd,
    exp.TimestampDiff,
    exp.TimestampSub,
    exp.TimestampTrunc,
    exp.Trim,
    exp.TryCast,
    exp.TsOrDsToDate,
    exp.UnixSeconds,
    exp.Upper,
)
# These answer otherwise each time they are asked, so no day's answer stands for a later one.
CHANGING = (
    exp.CurrentDate,
    exp.CurrentDatetime,
    exp.CurrentTime,
    exp.CurrentTimestamp,
    exp.CurrentUser,
    exp.Rand,
    exp.SessionUser,
    exp.Uuid,
)


def is_strict(node: exp.Expr) -> bool:
    """Whether a built-in operator or function is certainly NULL when any argument is."""
    return type(node) in STRICT_OPERATORS or type(node) in STRICT_BUILT_IN


def on_null(function: str) -> exp.Expr | None:
    """What an organisation's function gives for a NULL first argument; None when unknown.

    Args:
        function: Its name with dots, with or without project and backticks, in any case.
    """
    parts = function.replace("`", "").lower().split(".")
    name = ".".join(parts if parts[0] == "mozfun" else parts[-2:])
    if name in STRICT_FUNCTIONS:
        return exp.null()
    return exp.convert(0) if name in ZERO_FUNCTIONS else None

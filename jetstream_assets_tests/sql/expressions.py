"""Random metrics: every aggregate that is split, over every kind of row expression, in scalars.

Values are small whole numbers and quarters, so that sums are the same in any order.
"""

from __future__ import annotations

from hypothesis import strategies as st

from jetstream_assets_tests.sql.unit_days import Row, Unit

Text = st.SearchStrategy[str]

_WHOLE_LEAVES = st.sampled_from(
    [
        "ds.n",
        "m",
        "deep.a",
        "0",
        "2",
        "COALESCE(n, 0)",
        "IFNULL(ds.m, 1)",
        "NULLIF(n, 0)",
        "ARRAY_LENGTH(ds.items)",
        "(SELECT SUM(v) FROM UNNEST(ds.items) AS v)",
        "(SELECT COUNT(*) FROM UNNEST(items) AS v WHERE v > 1)",
        "(SELECT ARRAY_LENGTH(ARRAY_AGG(v IGNORE NULLS)) FROM UNNEST(ds.items) AS v)",
        "(SELECT SUM(pair.value) FROM UNNEST(pairs) AS pair WHERE pair.key = 'k')",
        "mozfun.map.get_key(ds.pairs, 'k')",
        "LENGTH(t)",
        "DATE_DIFF(ds.submission_date, e.enrollment_date, DAY)",
        "EXTRACT(HOUR FROM ts)",
        "SAFE_CAST(t AS INT64)",
        "ARRAY_LENGTH(SPLIT(t, ','))",
        "items[SAFE_OFFSET(0)]",
    ]
)
_CONDITION_LEAVES = st.sampled_from(
    [
        "ds.b",
        "NOT b",
        "COALESCE(n, 1) = 1",
        "IFNULL(t, 'a') <> 'a'",
        "COALESCE(m, 5) BETWEEN n AND 3",
        "TRUE",
        "n IS NULL",
        "ds.m IS NOT NULL",
        "b IS TRUE",
        "t LIKE 'a%'",
        "t IN ('a', 'b')",
        "n NOT IN (1, 2)",
        "n BETWEEN 1 AND 2",
        "1 BETWEEN n AND m",
        "REGEXP_CONTAINS(COALESCE(t, ''), 'a')",
        "STARTS_WITH(t, 'a')",
        "EXISTS(SELECT 1 FROM UNNEST(ds.items) AS v WHERE v = 1)",
        "e.branch = 'treatment'",
        "branch = 'treatment'",
        "ds.submission_date > e.enrollment_date",
    ]
)


def _more_whole(inner: Text, conditions: Text) -> Text:
    two = st.tuples(inner, inner)
    return st.one_of(
        two.map(lambda p: f"({p[0]} + {p[1]})"),
        two.map(lambda p: f"{p[0]} * {p[1]}"),
        two.map(lambda p: f"COALESCE({p[0]}, {p[1]})"),
        st.tuples(conditions, inner, inner).map(lambda p: f"IF({p[0]}, {p[1]}, {p[2]})"),
        st.tuples(conditions, inner).map(lambda p: f"CASE WHEN {p[0]} THEN {p[1]} END"),
        st.tuples(inner, inner, inner).map(
            lambda p: f"CASE {p[0]} WHEN 1 THEN {p[1]} ELSE {p[2]} END"
        ),
        conditions.map(lambda c: f"CAST({c} AS INT64)"),
        inner.map(lambda one: f"ABS({one})"),
    )


def _more_conditions(inner: Text, whole: Text) -> Text:
    two = st.tuples(inner, st.sampled_from(["AND", "OR"]), inner)
    compared = st.tuples(whole, st.sampled_from(["=", "<>", "<", ">="]), whole)
    return st.one_of(
        two.map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        inner.map(lambda one: f"(NOT {one})"),
        inner.map(lambda one: f"({one}) IS NULL"),
        compared.map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(inner, inner).map(lambda p: f"COALESCE({p[0]}, {p[1]})"),
    )


_SHALLOW = st.one_of(_CONDITION_LEAVES, _more_conditions(_CONDITION_LEAVES, _WHOLE_LEAVES))
whole = st.recursive(_WHOLE_LEAVES, lambda inner: _more_whole(inner, _SHALLOW), max_leaves=3)
conditions = st.recursive(
    _CONDITION_LEAVES, lambda inner: _more_conditions(inner, whole), max_leaves=3
)
fractions = st.one_of(
    st.sampled_from(["f", "COALESCE(ds.f, 0)", "ds.f * 2", "f / 4"]),
    whole.map(lambda one: f"({one}) / 4"),
)


def _called(functions: list[str], arguments: Text) -> Text:
    return st.tuples(st.sampled_from(functions), arguments).map(lambda p: f"{p[0]}({p[1]})")


# Places differ, so that both ways of asking must choose the same row.
_firsts = st.tuples(
    whole,
    st.sampled_from(["", " IGNORE NULLS"]),
    st.sampled_from(["place", "ds.place DESC", "place * 2 DESC"]),
    st.sampled_from(["OFFSET(0)", "SAFE_OFFSET(0)", "ORDINAL(1)"]),
).map(lambda p: f"ARRAY_AGG({p[0]}{p[1]} ORDER BY {p[2]} LIMIT 1)[{p[3]}]")
_extremes = st.tuples(st.sampled_from(["MAX_BY", "MIN_BY"]), whole).map(
    lambda p: f"{p[0]}({p[1]}, ds.place)"
)
_LAST_DAY = "DATE_DIFF(MAX(ds.submission_date), MIN(e.enrollment_date), DAY)"
_distinct = st.one_of(
    st.sampled_from(["submission_date", "client_id"]).map(lambda c: f"COUNT(DISTINCT {c})"),
    st.tuples(conditions, st.sampled_from(["ds.submission_date", "ds.client_id"])).map(
        lambda p: f"COUNT(DISTINCT IF({p[0]}, {p[1]}, NULL))"
    ),
)
whole_aggregates = st.one_of(
    _called(["SUM", "COUNT", "MIN", "MAX", "MAX", "SUM"], whole),
    _called(["COUNTIF"], conditions),
    _called(["MIN", "MAX"], whole.map(lambda one: f"DISTINCT {one}")),
    _firsts,
    _extremes,
    _distinct,
    st.sampled_from(["COUNT(*)", "SUM(1)", _LAST_DAY]),
)
truths = _called(["LOGICAL_OR", "LOGICAL_AND"], conditions)
_means = _called(["AVG", "SUM", "MIN", "MAX"], fractions)

aggregates = st.one_of(whole_aggregates, truths, _means)
_surrounded = st.one_of(
    st.tuples(whole_aggregates, whole_aggregates).map(lambda p: f"{p[0]} + {p[1]}"),
    st.tuples(whole_aggregates, whole_aggregates).map(lambda p: f"SAFE_DIVIDE({p[0]}, {p[1]})"),
    st.tuples(_means, whole_aggregates).map(lambda p: f"SAFE_DIVIDE({p[0]}, {p[1]})"),
    whole_aggregates.map(lambda one: f"COALESCE({one}, 0)"),
    truths.map(lambda one: f"CAST(COALESCE({one}, FALSE) AS INT64)"),
    st.tuples(truths, whole_aggregates).map(lambda p: f"IF({p[0]}, {p[1]}, -1)"),
    st.tuples(whole_aggregates, whole_aggregates).map(
        lambda p: f"CASE WHEN {p[0]} > 1 THEN {p[1]} WHEN e.branch = 'treatment' THEN 7 END"
    ),
    whole_aggregates.map(lambda one: f"IF(e.exposure_date IS NULL, {one}, -2)"),
    whole_aggregates.map(lambda one: f"LEAST(GREATEST({one}, 0), 3)"),
)
metrics = st.one_of(aggregates, _surrounded)

_WHOLE = st.one_of(st.none(), st.integers(-3, 3))
UNITS = [Unit("a"), Unit("b", "treatment", 1), Unit("c", "treatment"), Unit("d", exposed=2)]


def _placed(rows: list[Row]) -> list[Row]:
    """The rows with a place of their own; one of them has none."""
    return [
        Row(**{**row.__dict__, "place": None if number == 2 else (number * 7) % 31})
        for number, row in enumerate(rows)
    ]


rows = st.lists(
    st.builds(
        Row,
        unit=st.sampled_from(["a", "a", "b", "b", "d", "nobody"]),
        day=st.integers(-1, 4),
        n=_WHOLE,
        m=_WHOLE,
        f=st.one_of(st.none(), st.integers(-8, 8).map(lambda n: n / 4)),
        t=st.one_of(st.none(), st.sampled_from(["", "a", "ab", "b", "2", "1,2"])),
        b=st.one_of(st.none(), st.booleans()),
        items=st.one_of(st.none(), st.lists(_WHOLE, max_size=3).map(tuple)),
        pairs=st.one_of(
            st.none(), st.lists(st.tuples(st.sampled_from("kl"), _WHOLE), max_size=2).map(tuple)
        ),
    ),
    max_size=12,
).map(_placed)

"""An organisation's functions give what theirs give, on values worked out by hand."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import duckdb
import pytest

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.duckdb_macros import ALL_MACROS, create_macros, macros_of

if TYPE_CHECKING:
    from jetstream_assets_tests.warehouse.laboratory import Laboratory

JSON_HISTOGRAM = (
    '\'{"bucket_count": 10, "histogram_type": 1, "sum": 60, "range": [1, 100], '
    '"values": {"0": 4, "1": 0, "13": 6}}\''
)
PAIRS = "[STRUCT('a' AS key, 1 AS value), STRUCT('b', 2), STRUCT('a', 9)]"
UNNESTED = f"(SELECT SUM(value) FROM UNNEST(mozfun.hist.extract({JSON_HISTOGRAM}).values))"  # noqa: S608
UDF = "`moz-fx-data-shared-prod`.udf"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (f"mozfun.map.get_key({PAIRS}, 'a')", 1),
        (f"mozfun.map.get_key({PAIRS}, 'b')", 2),
        (f"mozfun.map.get_key({PAIRS}, 'z')", None),
        (f"`mozfun.map.get_key`({PAIRS}, 'b')", 2),
        (f"`mozfun`.`map`.`get_key`({PAIRS}, 'b')", 2),
        (f"{UDF}.get_key({PAIRS}, 'b')", 2),
        (f"`moz-fx-data-shared-prod.udf.get_key`({PAIRS}, 'b')", 2),
        (f"`mozdata.udf.get_key`({PAIRS}, 'b')", 2),
        (f"MozFun.Map.Get_Key({PAIRS}, 'b')", 2),
        (f"mozfun.map.extract_keyed_scalar_sum({PAIRS})", 12),
        ("mozfun.map.extract_keyed_scalar_sum([])", None),
        (f"mozfun.hist.extract({JSON_HISTOGRAM}).sum", 60),
        (f"mozfun.hist.extract({JSON_HISTOGRAM}).`range`[OFFSET(1)]", 100),
        (f"mozfun.map.get_key(mozfun.hist.extract({JSON_HISTOGRAM}).values, 13)", 6),
        (UNNESTED, 10),
        ("mozfun.hist.extract('3;2;5;1,2;0:0,1:5,2:0').sum", 5),
        ("mozfun.map.get_key(mozfun.hist.extract('3;2;5;1,2;0:0,1:5,2:0').values, 1)", 5),
        ("ARRAY_LENGTH(mozfun.hist.extract('51;1;0;1,50;').values)", 0),
        ("mozfun.map.get_key(mozfun.hist.extract('4,31').values, 0)", 4),
        ("mozfun.hist.extract('4,31').sum", 31),
        ("mozfun.map.get_key(mozfun.hist.extract('37').values, 0)", 37),
        ("mozfun.hist.extract('37').histogram_type", 4),
        ("mozfun.hist.extract(CAST(NULL AS STRING)).sum", None),
        ("mozfun.hist.extract('{broken').sum", None),
        (f"mozfun.hist.threshold_count({JSON_HISTOGRAM}, 1)", 6),
        ("mozfun.hist.threshold_count(CAST(NULL AS STRING), 1)", 0),
        (f"{UDF}.histogram_to_threshold_count({JSON_HISTOGRAM}, 0)", 10),
        (f"{UDF}.histogram_max_key_with_nonzero_value({JSON_HISTOGRAM})", 13),
        (f"{UDF}.histogram_max_key_with_nonzero_value('{{}}')", None),
        (f"{UDF}.json_extract_histogram({JSON_HISTOGRAM}).bucket_count", 10),
        (f"{UDF}.keyed_histogram_get_sum([STRUCT('k' AS key, '5' AS value)], 'k')", 5),
        ("mozfun.bits28.days_since_seen(0)", None),
        ("mozfun.bits28.days_since_seen(1)", 0),
        ("mozfun.bits28.days_since_seen(24)", 3),
        ("mozfun.bits28.days_since_seen(134217728)", 27),
        ("mozfun.norm.extract_version('100.04.1', 'major')", 100),
        ("mozfun.norm.extract_version('100.04.1', 'minor')", 4),
        ("mozfun.norm.extract_version('5.1.7-ubuntu', 'patch')", 7),
        ("mozfun.norm.extract_version('foo-1', 'major')", None),
        ("mozfun.norm.truncate_version('16.1.1', 'major')", 16),
        ("mozfun.norm.truncate_version('16.1.1', 'minor')", 16.1),
        ("mozfun.norm.browser_version_info('96.0').major_version", 96),
        ("mozfun.norm.browser_version_info('96.0').is_major_release", True),
        ("mozfun.norm.browser_version_info('96.0.1').is_major_release", False),
        ("mozfun.norm.os('Windows_NT')", "Windows"),
        ("mozfun.norm.os('Darwin')", "Mac"),
        ("mozfun.norm.os('GNU/kFreeBSD')", "Linux"),
        ("mozfun.norm.os('IOS')", "Other"),
        ("mozfun.norm.windows_version_info('Windows_NT', '10.0', 22000)", "Windows 11"),
        ("mozfun.norm.windows_version_info('Windows_NT', '10.0', 21999)", "Windows 10"),
        ("mozfun.norm.windows_version_info('Windows_NT', '6.1', NULL)", "Windows 7"),
        ("mozfun.norm.windows_version_info('Darwin', '10.0', 22000)", None),
        ("mozfun.norm.fenix_build_to_datetime('21571434')", datetime(2020, 6, 5, 14, 34)),  # noqa: DTZ001
        ("mozfun.norm.fenix_build_to_datetime('2015757667')", datetime(2020, 8, 13, 4, 0)),  # noqa: DTZ001
        ("mozfun.norm.fenix_build_to_datetime('11831860')", None),
        ("mozfun.norm.fenix_build_to_datetime('hi')", None),
        ("mozfun.stats.mode_last(['foo', 'bar', 'baz', 'bar', 'baz', 'fred'])", "baz"),
        ("mozfun.stats.mode_last([NULL, 'foo', NULL])", "foo"),
        ("mozfun.json.mode_last([STRUCT('x' AS a), STRUCT('y'), STRUCT('y')]).a", "y"),
        (f"{UDF}.normalize_search_engine('google-b-d')", "Google"),
        (f"{UDF}.normalize_search_engine('ddg')", "DuckDuckGo"),
        (f"{UDF}.normalize_search_engine('mojeek')", "Other"),
    ],
)  # fmt: skip
def test_functions(duckdb: Laboratory, expression: str, expected: object) -> None:
    assert duckdb.value(expression) == expected


def test_functions_of_aggregates(duckdb: Laboratory) -> None:
    found = duckdb.rows(
        "SELECT mozfun.stats.mode_last(ARRAY_AGG(h ORDER BY h)) AS mode, "
        "mozfun.hist.merge(ARRAY_AGG(mozfun.hist.extract(h) IGNORE NULLS)).sum AS total, "
        "mozfun.hist.percentiles(mozfun.hist.merge(ARRAY_AGG(mozfun.hist.extract(h))), "
        "[.05, .95])[SAFE_OFFSET(1)].value AS top, "
        "ARRAY_AGG(mozfun.hist.extract(h).sum IGNORE NULLS ORDER BY h) AS sums "
        "FROM UNNEST(['5', '5', '1,3']) AS h"
    )
    # Buckets: 0 has 5 + 5 + 1 observations, 1 has 3: 14 in all, 11 of them are 79 %.
    assert found == [{"mode": "5", "total": 13, "top": 1, "sums": [3, 5, 5]}]


def test_an_alias_is_not_hidden_by_a_macro(duckdb: Laboratory) -> None:
    call = f"mozfun.map.get_key({PAIRS}, e.key)"
    rows = duckdb.rows(f"WITH e AS (SELECT 'b' AS key) SELECT {call} AS x FROM e")  # noqa: S608
    assert rows == [{"x": 2}]


def test_an_unknown_function_says_so(duckdb: Laboratory) -> None:
    with pytest.raises(QueryError, match=r"udf\.monetized_search .*no macro"):
        duckdb.value(f"{UDF}.monetized_search('a', 'b', 'c', NULL)")
    with pytest.raises(QueryError, match="Did you mean mozfun_map_get_key"):
        duckdb.value("mozfun.map.get_keys([], 1)")


@pytest.mark.parametrize("name", sorted(ALL_MACROS))
def test_a_macro_is_created_with_all_that_it_calls_and_nothing_else(name: str) -> None:
    called = macros_of(f"{name.upper()}(x)")
    with duckdb.connect() as connection:
        create_macros(connection, called)
        made = connection.execute(
            "SELECT function_name FROM duckdb_functions() WHERE database_name = 'memory'"
        ).fetchall()
    assert name in called
    assert {row[0] for row in made} == called


def test_a_macro_that_is_called_later_is_created_then(laboratory: Laboratory) -> None:
    assert laboratory.value("CAST(2.5 AS INT64)") == 3
    assert laboratory.value(f"{UDF}.get_key({PAIRS}, 'b')") == 2
    assert laboratory.value(f"mozfun.map.get_key({PAIRS}, 'b')") == 2


def test_only_macros_that_are_called_are_created() -> None:
    assert macros_of("TO_INT64(x) + as_date") == {"to_int64", "as_date"}
    assert macros_of("not_to_int64x") == set()

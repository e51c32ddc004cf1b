"""What DuckDB lacks is said once, as a named macro, and reads as its name in every statement.

Belongs here: the SQL of macros that the translation calls (`DIALECT_MACROS`) and of an
organisation's own functions (`ORGANISATION_MACROS`). Does not: when they are called
(`duckdb_dialect`, `duckdb_functions`).

A map is an array of (key, value) structs, as BigQuery exports it to Parquet; a histogram is a
struct (bucket_count, histogram_type, sum, range, values) with values such a map of integers. The
macros use list functions, never sub-queries, so that an aggregate may be their argument; names of
lambda arguments end in an underscore, so that they never hide a column or an alias.

What an organisation does not publish has no macro here (``udf.monetized_search``): a guess would
be a silent wrong answer.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    import duckdb

_WORDS = re.compile(r"\w+")

_WHOLE_NUMBER = r"'\s*[+-]?\d+\s*'"
_TRUTH = r"'(?i)\s*(true|false)\s*'"

# A value that BigQuery refuses is replaced by a sentence that no cast accepts: the cast fails and
# its message quotes the sentence. error() would do, but TRY refuses volatile functions.
DIALECT_MACROS = {
    "as_date": (
        "(x) AS CASE WHEN typeof(x) IN ('DATE', 'VARCHAR', '\"NULL\"') THEN CAST(x AS DATE) "
        "ELSE CAST('DATE_ADD, DATE_SUB and DATE_TRUNC need a DATE, not a ' || typeof(x) AS DATE) "
        "END"
    ),
    "to_int64": (
        "(x) AS CASE "
        "WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN CAST(round(CAST(x AS DOUBLE)) AS BIGINT) "
        "WHEN typeof(x) IN ('VARCHAR', 'JSON') "
        f"AND NOT regexp_full_match(CAST(x AS VARCHAR), {_WHOLE_NUMBER}) "
        "THEN CAST('Bad INT64 value: ' || CAST(x AS VARCHAR) AS BIGINT) "
        "ELSE CAST(x AS BIGINT) END"
    ),
    "safe_to_int64": (
        "(x) AS CASE "
        "WHEN typeof(x) IN ('DOUBLE', 'FLOAT') "
        "THEN TRY_CAST(round(TRY_CAST(x AS DOUBLE)) AS BIGINT) "
        "WHEN typeof(x) IN ('VARCHAR', 'JSON') "
        f"AND NOT regexp_full_match(CAST(x AS VARCHAR), {_WHOLE_NUMBER}) THEN NULL "
        "ELSE TRY_CAST(x AS BIGINT) END"
    ),
    "to_bool": (
        "(x) AS CASE WHEN typeof(x) IN ('VARCHAR', 'JSON') "
        f"AND NOT regexp_full_match(CAST(x AS VARCHAR), {_TRUTH}) "
        "THEN CAST('Bad BOOL value: ' || CAST(x AS VARCHAR) AS BOOLEAN) "
        "ELSE CAST(x AS BOOLEAN) END"
    ),
    "safe_to_bool": (
        "(x) AS CASE WHEN typeof(x) IN ('VARCHAR', 'JSON') "
        f"AND NOT regexp_full_match(CAST(x AS VARCHAR), {_TRUTH}) THEN NULL "
        "ELSE TRY_CAST(x AS BOOLEAN) END"
    ),
    "to_string": (
        "(x) AS CASE WHEN typeof(x) IN ('DOUBLE', 'FLOAT') "
        "THEN regexp_replace(CAST(x AS VARCHAR), '[.]0$', '') ELSE CAST(x AS VARCHAR) END"
    ),
    # Text that is no JSON gives NULL; so does a JSON null, and an object where a scalar is asked.
    "json_scalar": "(doc, path) AS CASE WHEN json_valid(doc) "
    "THEN json_value(doc, path) ->> '$' END",
    "json_part": "(doc, path) AS CASE WHEN json_valid(doc) THEN json_extract(doc, path) END",
    "json_list": "(doc, path) AS CASE WHEN json_valid(doc) "
    "THEN TRY_CAST(json_extract(doc, path) AS JSON[]) END",
    "json_text_list": "(doc, path) AS CASE WHEN json_valid(doc) "
    "THEN TRY_CAST(json_extract(doc, path) AS VARCHAR[]) END",
}

_JSON_HISTOGRAM = (
    '\'{"bucket_count": "BIGINT", "histogram_type": "BIGINT", "sum": "BIGINT", '
    '"range": ["BIGINT"], "values": "MAP(BIGINT, BIGINT)"}\''
)

_MAPS = {
    "mozfun_map_get_key": (
        "(entries, k) AS list_filter(entries, lambda entry_: entry_.key = k)[1].value"
    ),
    "mozfun_map_extract_keyed_scalar_sum": (
        "(entries) AS CAST(list_sum(list_transform(entries, lambda entry_: entry_.value)) "
        "AS BIGINT)"
    ),
    "udf_get_key": "(entries, k) AS mozfun_map_get_key(entries, k)",
}

_HISTOGRAMS = {
    # Private: the four spellings of a histogram. JSON; "buckets;type;sum;range;key:value,...";
    # "false count,true count"; "count".
    "histogram_from_parsed": (
        "(parsed) AS {'bucket_count': parsed.bucket_count, "
        "'histogram_type': parsed.histogram_type, 'sum': parsed.sum, 'range': parsed.range, "
        "'values': COALESCE(map_entries(parsed.values), [])}"
    ),
    "histogram_from_fields": (
        "(fields) AS {'bucket_count': CAST(fields[1] AS BIGINT), "
        "'histogram_type': CAST(fields[2] AS BIGINT), 'sum': CAST(fields[3] AS BIGINT), "
        "'range': CAST(str_split(fields[4], ',') AS BIGINT[]), "
        "'values': list_transform("
        "list_filter(str_split(fields[5], ','), lambda pair_: length(pair_) >= 3), "
        "lambda pair_: {'key': CAST(split_part(pair_, ':', 1) AS BIGINT), "
        "'value': CAST(split_part(pair_, ':', 2) AS BIGINT)})}"
    ),
    "histogram_from_counts": (
        "(kind, total, counts) AS {'bucket_count': CAST(3 AS BIGINT), "
        "'histogram_type': CAST(kind AS BIGINT), 'sum': CAST(total AS BIGINT), "
        "'range': CAST([1, 2] AS BIGINT[]), 'values': list_transform(counts, "
        "lambda count_, index_: {'key': CAST(index_ - 1 AS BIGINT), "
        "'value': CAST(count_ AS BIGINT)})}"
    ),
    "mozfun_hist_extract": (
        "(h) AS CASE "
        "WHEN starts_with(trim(h), '{') THEN "
        f"CASE WHEN json_valid(h) THEN histogram_from_parsed(from_json(h, {_JSON_HISTOGRAM})) END "
        "WHEN len(str_split(h, ';')) = 5 THEN histogram_from_fields(str_split(h, ';')) "
        "WHEN len(str_split(h, ',')) = 2 THEN histogram_from_counts("
        "2, split_part(h, ',', 2), [split_part(h, ',', 1), split_part(h, ',', 2), '0']) "
        "WHEN len(str_split(h, ',')) = 1 THEN histogram_from_counts(4, h, [h, '0']) END"
    ),
    "mozfun_hist_threshold_count": (
        "(h, threshold) AS COALESCE(mozfun_map_extract_keyed_scalar_sum(list_filter("
        "mozfun_hist_extract(h).values, lambda bucket_: bucket_.key >= threshold)), 0)"
    ),
    "histogram_sum_by_key": (
        "(buckets) AS list_transform("
        "list_sort(list_distinct(list_transform(buckets, lambda bucket_: bucket_.key))), "
        "lambda key_: {'key': key_, 'value': mozfun_map_extract_keyed_scalar_sum("
        "list_filter(buckets, lambda bucket_: bucket_.key = key_))})"
    ),
    "mozfun_hist_merge": (
        # Bound once, in a list of one: DuckDB 2.0 cannot plan an aggregate repeated in lambdas.
        "(histograms) AS list_transform([histograms], lambda all_: {"
        "'bucket_count': mozfun_stats_mode_last("
        "list_transform(all_, lambda hist_: hist_.bucket_count)), "
        "'sum': CAST(list_sum(list_transform(all_, lambda hist_: hist_.sum)) AS BIGINT), "
        "'histogram_type': mozfun_stats_mode_last("
        "list_transform(all_, lambda hist_: hist_.histogram_type)), "
        "'range': [mozfun_stats_mode_last("
        "list_transform(all_, lambda hist_: hist_.range[1])), "
        "mozfun_stats_mode_last(list_transform(all_, lambda hist_: hist_.range[2]))], "
        "'values': histogram_sum_by_key("
        "flatten(list_transform(all_, lambda hist_: hist_.values)))})[1]"
    ),
    "histogram_quantile": (
        "(buckets, percentile) AS list_min(list_transform(list_filter(buckets, "
        "lambda bucket_: mozfun_map_extract_keyed_scalar_sum(list_filter(buckets, "
        "lambda below_: below_.key <= bucket_.key)) / "
        "NULLIF(mozfun_map_extract_keyed_scalar_sum(buckets), 0) >= percentile), "
        "lambda bucket_: bucket_.key))"
    ),
    # The smallest bucket at which the share of all observations reaches the percentile.
    "mozfun_hist_percentiles": (
        "(histogram, percentiles) AS list_transform([histogram], lambda one_: "
        "list_transform(list_filter(list_sort(percentiles), "
        "lambda percentile_: histogram_quantile(one_.values, percentile_) IS NOT NULL), "
        "lambda percentile_: {'percentile': CAST(percentile_ AS DOUBLE), "
        "'value': histogram_quantile(one_.values, percentile_)}))[1]"
    ),
    "udf_json_extract_histogram": "(h) AS mozfun_hist_extract(h)",
    "udf_histogram_to_threshold_count": (
        "(h, threshold) AS mozfun_hist_threshold_count(h, threshold)"
    ),
    "udf_histogram_max_key_with_nonzero_value": (
        "(h) AS list_max(list_transform(list_filter(mozfun_hist_extract(h).values, "
        "lambda bucket_: bucket_.value > 0), lambda bucket_: bucket_.key))"
    ),
    "udf_keyed_histogram_get_sum": (
        "(entries, k) AS mozfun_hist_extract(mozfun_map_get_key(entries, k)).sum"
    ),
}

_VALUES = {
    # The most frequent element; of equally frequent ones the last; NULLs do not count.
    "mozfun_stats_mode_last": (
        "(elements) AS list_reverse_sort(list_transform(list_distinct(elements), "
        "lambda element_: {'times': len(list_filter(elements, lambda other_: other_ = element_)), "
        "'last': -list_position(list_reverse(elements), element_), "
        "'element': element_}))[1].element"
    ),
    "mozfun_json_mode_last": "(elements) AS mozfun_stats_mode_last(elements)",
    # The position of the lowest bit set: days since the last active day. NULL for no bit.
    "mozfun_bits28_days_since_seen": (
        "(bits) AS CASE WHEN bits <> 0 THEN CAST(round(log2(bits & -bits)) AS BIGINT) END"
    ),
    "mozfun_norm_extract_version": (
        "(version, level) AS CAST(NULLIF(CASE level "
        "WHEN 'major' THEN regexp_extract(version, '^([0-9]+)', 1) "
        "WHEN 'minor' THEN regexp_extract(version, '^[0-9]+[.]([0-9]+)', 1) "
        "WHEN 'patch' THEN regexp_extract(version, '^[0-9]+[.][0-9]+[.]([0-9]+)', 1) END, '') "
        "AS BIGINT)"
    ),
    "mozfun_norm_truncate_version": (
        "(version, level) AS CAST(NULLIF(CASE level "
        "WHEN 'major' THEN regexp_extract(version, '^([0-9]+)', 1) "
        "WHEN 'minor' THEN regexp_extract(version, '^([0-9]+([.][0-9]+)?)', 1) END, '') "
        "AS DOUBLE)"
    ),
    "mozfun_norm_browser_version_info": (
        "(version) AS {'version': version, "
        "'major_version': mozfun_norm_truncate_version(version, 'major'), "
        "'minor_version': mozfun_norm_truncate_version(version, 'minor'), "
        "'is_major_release': len(str_split(version, '.')) = 2 AND ends_with(version, '.0')}"
    ),
    "mozfun_norm_os": (
        "(os) AS CASE WHEN regexp_matches(os, '^(Windows|WINNT)') THEN 'Windows' "
        "WHEN starts_with(os, 'Darwin') THEN 'Mac' "
        "WHEN regexp_matches(os, 'Linux|BSD|SunOS|Solaris') THEN 'Linux' "
        "WHEN regexp_matches(os, '^iOS|iPhone') THEN 'iOS' "
        "WHEN starts_with(os, 'Android') THEN 'Android' ELSE 'Other' END"
    ),
    "mozfun_norm_windows_version_info": (
        "(os, version, build) AS CASE "
        "WHEN os = 'Windows_95' THEN 'Windows 95' WHEN os = 'Windows_98' THEN 'Windows 98' "
        "WHEN os NOT IN ('Windows_NT') THEN NULL "
        "WHEN version = '4.0' AND os = 'Windows_NT' THEN 'Windows NT 4.0' "
        "WHEN version = '5.0' THEN 'Windows 2000' "
        "WHEN version IN ('5.1', '5.2') THEN 'Windows XP' "
        "WHEN version = '6.0' THEN 'Windows Vista' WHEN version = '6.1' THEN 'Windows 7' "
        "WHEN version = '6.2' THEN 'Windows 8' WHEN version = '6.3' THEN 'Windows 8.1' "
        "WHEN version = '10.0' AND build >= 22000 THEN 'Windows 11' "
        "WHEN version = '10.0' AND build < 22000 THEN 'Windows 10' END"
    ),
    # Eight digits: years since 2018, day of the year, hour, minute. Ten digits: bits 3 to 19 are
    # hours since 2014-12-28.
    "mozfun_norm_fenix_build_to_datetime": (
        "(build) AS CASE "
        "WHEN length(build) = 8 AND build[5:6] < '24' AND build[7:8] < '60' THEN "
        "make_timestamp(2018 + TRY_CAST(build[1] AS BIGINT), 1, 1, "
        "TRY_CAST(build[5:6] AS BIGINT), TRY_CAST(build[7:8] AS BIGINT), 0.0) "
        "+ to_days(TRY_CAST(build[2:4] AS INTEGER) - 1) "
        "WHEN length(build) = 10 THEN TIMESTAMP '2014-12-28 00:00:00' "
        "+ to_hours((TRY_CAST(build AS BIGINT) & 1048575) >> 3) END"
    ),
    # By the first letters; the organisation's own list is not public.
    "udf_normalize_search_engine": (
        "(engine) AS CASE WHEN engine IS NULL THEN NULL "
        + " ".join(
            f"WHEN regexp_matches(lower(engine), '^(other-)?({pattern})') THEN '{name}'"
            for name, pattern in {
                "Google": "google",
                "Bing": "bing",
                "DuckDuckGo": "duckduckgo|ddg",
                "Yandex": "yandex|yasearch",
                "Baidu": "baidu",
                "Qwant": "qwant",
                "Ecosia": "ecosia",
                "Yahoo": "yahoo",
                "Amazon": "amazon",
                "eBay": "ebay",
            }.items()
        )
        + " ELSE 'Other' END"
    ),
}

ORGANISATION_MACROS = {
    name: definition
    for name, definition in (_MAPS | _HISTOGRAMS | _VALUES).items()
    if name.startswith(("mozfun_", "udf_"))
}


# A macro is checked when it is made, so those that it calls come first.
_MACROS = DIALECT_MACROS | _MAPS | _VALUES | _HISTOGRAMS
ALL_MACROS = frozenset(_MACROS)


def create_macros(
    connection: duckdb.DuckDBPyConnection, names: Collection[str] = ALL_MACROS
) -> None:
    """Create macros in an in-memory database; cursors of it see them too.

    Args:
        connection: The database.
        names: Which; those that they call are there or among them. Default: every one.
    """
    for name, definition in _MACROS.items():
        if name in names:
            connection.execute(f"CREATE MACRO {name}{definition}")


def macros_of(statement: str) -> frozenset[str]:
    """The shipped macros that a statement may call, and those that they call in turn.

    A column with the name of a macro counts, too: one macro more does no harm.
    """
    found = ALL_MACROS.intersection(_WORDS.findall(statement.lower()))
    return found.union(*map(_with_called, found))


@cache
def _with_called(name: str) -> frozenset[str]:
    return macros_of(_MACROS[name]) | {name}

"""Names in BigQuery are allowed ones, and one for every text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.bigquery_names import (
    column_name,
    experiment_name,
    is_table_path,
    job_name,
    label_value,
    table_name,
)
from jetstream_assets.warehouse.bigquery_options import BigQueryOptions

LABEL = re.compile(r"[a-z0-9_-]{0,63}")
JOB = re.compile(r"[A-Za-z0-9_-]{1,1024}")


def test_a_usual_slug_is_written_as_the_original_wrote_it() -> None:
    assert experiment_name("compact-toolbar-2026") == "compact_toolbar_2026"
    assert table_name("metrics", "compact-toolbar-2026") == "metrics__compact_toolbar_2026"


@pytest.mark.parametrize("slug", ["a_b", "A-b", "a--b", "-a", "a-", "", "ä", "x" * 201, "a b"])
def test_an_unusual_slug_has_a_digest(slug: str) -> None:
    assert re.fullmatch(r"[a-z0-9_]*__[0-9a-f]{16}", experiment_name(slug))


@given(st.text(), st.text())
def test_names_are_allowed_and_different_for_different_slugs(first: str, second: str) -> None:
    names = [table_name("statistics", slug) for slug in (first, second)]
    assert all(re.fullmatch(r"[a-z0-9_]{1,300}", name) for name in names)
    assert (names[0] == names[1]) == (first == second)


def test_no_experiment_has_the_name_of_a_view_or_table_of_another() -> None:
    # The original's views of one experiment, as another's slug.
    assert table_name("statistics", "a") == "statistics__a"
    assert table_name("statistics", "a-weekly") == "statistics__a_weekly"
    assert table_name("statistics", "_a") != "statistics___a"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("compact-toolbar-2026", "compact-toolbar-2026"),
        ("week", "week"),
        ("", ""),
        ("weekly,overall", "weekly_overall-59f18e97"),
    ],
)
def test_a_label_is_its_text_where_that_is_allowed(text: str, label: str) -> None:
    found = label_value(text)
    assert found[:-8] == label[:-8]
    assert len(found) == len(label)


@given(st.text(), st.text())
def test_labels_are_allowed_and_different_for_different_texts(first: str, second: str) -> None:
    labels = [label_value(text) for text in (first, second)]
    assert all(LABEL.fullmatch(label) for label in labels)
    assert (labels[0] == labels[1]) == (first == second)


def test_a_job_is_named_by_all_that_decides_it() -> None:
    name = job_name("store", "SELECT 1", "v1")
    assert name == job_name("store", "SELECT 1", "v1")
    others = {job_name("store", "SELECT 1", "v2"), job_name("store", "SELECT 1v", "1")}
    assert name not in others
    assert len(others) == 2
    assert JOB.fullmatch(name)


def test_a_column_of_another_type_has_its_type_in_its_name() -> None:
    assert column_name("a", "STRING", {"a"}) == "a__string"
    assert column_name("a", "ARRAY<STRUCT<`k` STRING>>", {"a"}) == "a__array_struct_k_s"
    taken = {"a", "a__string"}
    assert column_name("a", "STRING", taken) not in taken


@pytest.mark.parametrize(
    "parts",
    [["p-x", "d", "main-v5"], ["d", "t_2"], ["t"], ["example.org:p", "d", "t"], ["p", "d", "日本"]],
)
def test_tables_of_sources_may_be_named_so(parts: list[str]) -> None:
    assert is_table_path(parts)


@pytest.mark.parametrize(
    "parts", [[], ["..", "t"], ["d", "a/b"], ["d", ""], ["a", "p", "d", "t"], ["d/x", "t"]]
)
def test_tables_of_sources_may_not_be_named_so(parts: list[str]) -> None:
    assert not is_table_path(parts)


def test_the_default_dataset_is_that_of_the_options() -> None:
    options = BigQueryOptions("p", "results")
    assert options.physical("jetstream") == "results"
    assert options.physical("secret_experiments") == "secret_experiments"
    with pytest.raises(QueryError, match="no name of a dataset"):
        options.physical("../other")

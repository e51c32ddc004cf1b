"""The tables have the columns that Mozilla's public definitions for desktop name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from jetstream_assets.simulation.telemetry import simulate
from jetstream_assets_tests.simulation.conftest import small_world

HUB = Path(__file__).parents[2] / "../shared/data/metric-hub"
# A call of one of the hub's functions, with its argument in one or in three quotes.
CALL = re.compile(r"""\{\{\s*\w+\(\s*("{3}|"|')(.*?)\1\s*\)\s*\}\}""", re.DOTALL)
FIRST_SEGMENTS = ("us", "regular_users_v3", "new_or_resurrected_v3", "activity_core",
                  "new_unique_profiles", "profile_age_0_to_7_days", "suggest_online",
                  "windows_10_v1", "linux_v1")  # fmt: skip


def read(path: str) -> dict[str, Any]:
    if not (HUB / path).exists():
        pytest.skip(f"the public definitions are not beside the repository: no {HUB / path}")
    return tomllib.loads((HUB / path).read_text())


def columns(select_expression: str) -> set[str]:
    """The columns of the data source that an expression names."""
    sql = CALL.sub(r"(\2)", select_expression).replace("{experiment_slug}", "slug")
    tree = sqlglot.parse_one(sql, dialect="bigquery")
    # A column with a table is the enrollment's, or a field of a record.
    return {
        column.parts[0].name
        for column in tree.find_all(exp.Column)
        if column.parts[0].name not in {"e", "mozfun"}
    }


def folder(from_expression: str) -> str:
    """The folder of the table that a data source reads."""
    tree = sqlglot.parse_one(f"SELECT * FROM {from_expression}", dialect="bigquery")  # noqa: S608  # parsed, not run
    (table,) = tree.find_all(exp.Table)
    return f"{table.db}/{table.name}"


def needs() -> dict[str, set[str]]:
    """Table's folder to the columns that the default metrics and some segments need."""
    definitions = read("definitions/firefox_desktop.toml")
    defaults = read("jetstream/defaults/firefox_desktop.toml")["metrics"]
    listed = {name for names in defaults.values() if isinstance(names, list) for name in names}
    segments = definitions["segments"]
    uses = [
        (definitions["data_sources"][metric["data_source"]], metric["select_expression"])
        for metric in (definitions["metrics"][name] for name in sorted(listed))
    ] + [
        (segments["data_sources"][segment["data_source"]], segment["select_expression"])
        for segment in (segments[name] for name in FIRST_SEGMENTS)
    ]
    found: dict[str, set[str]] = {}
    for source, expression in uses:
        found.setdefault(folder(source["from_expression"]), set()).update(columns(expression))
    return found


@pytest.mark.slow
def test_the_default_metrics_find_their_tables_and_columns(tmp_path: Path) -> None:
    needed = needs()
    simulate(small_world(), tmp_path)
    assert needed.keys() == {
        "telemetry/clients_daily",
        "telemetry/clients_last_seen",
        "telemetry/desktop_active_users",
        "telemetry/events",
        "search/search_clients_engines_sources_daily",
    }
    for table, names in needed.items():
        files = f"{tmp_path}/{table}/**/*.parquet"
        described = duckdb.read_parquet(files, hive_partitioning=True).columns
        assert names
        assert names - set(described) == set()
        assert {"client_id", "profile_group_id", "submission_date"} <= set(described)

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from jetstream_assets_tests.cli.command import jetstream
from jetstream_assets_tests.orchestration.laboratory import (
    EXPERIMENT,
    FIRST_WEEK,
    Laboratory,
)


def _told(laboratory: Laboratory, *options: str) -> list[dict[str, object]]:
    where = ("--warehouse", str(laboratory.settings.warehouse))
    shown = jetstream("cost", *where, "--json", *options)
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.output)
    assert isinstance(found, list)
    return found


def test_every_query_of_every_run_is_counted_once(computed: Laboratory) -> None:
    stored = computed.rows("query_costs")
    sums = _told(computed)
    assert {row["experiment"] for row in sums} == {EXPERIMENT.slug}
    assert sum(int(str(row["queries"])) for row in sums) == len(stored)
    for column in ("bytes_read", "bytes_billed"):
        assert sum(int(str(row[column])) for row in sums) == sum(row[column] for row in stored)
    slots = sum(float(str(row["slot_seconds"])) for row in sums)
    assert slots == pytest.approx(sum(row["slot_seconds"] for row in stored))
    assert {"enrollments", "daily_aggregates", "metrics", "statistics"} <= {
        row["asset"] for row in sums
    }
    periods = {(row["asset"], row["period"]) for row in sums}
    assert {("statistics", "week"), ("metrics", "day,week"), ("enrollments", "")} <= periods
    # DuckDB bills nothing, and one thread is one slot.
    assert {row["bytes_billed"] for row in stored} == {0}
    assert all(row["slot_seconds"] == row["seconds"] > 0 for row in stored)
    assert len({row["run_id"] for row in stored}) == 1


def test_costs_are_those_of_the_asked_dates_and_experiments(computed: Laboratory) -> None:
    all_dates = _told(computed, "--slug", EXPERIMENT.slug)
    assert _told(computed, "--from", str(FIRST_WEEK), "--to", str(FIRST_WEEK)) == all_dates
    assert _told(computed, "--from", str(FIRST_WEEK + timedelta(days=1))) == []
    assert _told(computed, "--to", str(FIRST_WEEK - timedelta(days=1))) == []
    assert _told(computed, "--slug", "another") == []


def test_costs_are_a_table_with_their_sum(computed: Laboratory) -> None:
    where = ("--warehouse", str(computed.settings.warehouse))
    shown = jetstream("cost", *where)
    assert shown.exit_code == 0, shown.output
    told = " ".join(shown.output.split())
    assert "asset period queries bytes read bytes billed slot hours" in told
    assert EXPERIMENT.slug in told
    assert f" {len(computed.rows('query_costs')):,} " in told
    none = jetstream("cost", *where, "--slug", "another")
    assert none.exit_code == 2
    assert "No costs are stored" in none.output

"""Which sources hold a cell up, and that a look asks each of them once."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from jetstream_assets.analysis.freshness import Freshness, needed_sources
from jetstream_assets.config.planning import open_planner
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets_tests.orchestration.laboratory import (
    CONFIGURATION,
    EXPERIMENT,
    FIRST_WEEK,
    LAST_ENROLLMENT,
    make_laboratory,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sqlglot import exp

    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import SourceDay
    from jetstream_assets_tests.orchestration.laboratory import Laboratory


class Counting(DuckDBParquetWarehouse):
    """The real warehouse, which remembers what it was asked."""

    asked = 0

    def source_days(
        self, relation: exp.Expr, day: exp.Expr, first: date, last: date
    ) -> dict[date, SourceDay]:
        self.asked += 1
        return super().source_days(relation, day, first, last)


def _plan(laboratory: Laboratory, on: date) -> AnalysisPlan:
    settings = laboratory.settings
    return open_planner(settings.experiments, settings.configuration).plan(EXPERIMENT.slug, on)


def test_events_are_awaited_while_units_enroll_and_rows_always(tmp_path: Path) -> None:
    laboratory = make_laboratory(tmp_path)
    names = {
        on: [needed.source.name for needed in needed_sources(_plan(laboratory, on))]
        for on in (EXPERIMENT.start_date, LAST_ENROLLMENT, FIRST_WEEK)
    }
    enrolling = ["clients_daily", "moz-fx-data-shared-prod.telemetry.events"]
    assert names == {
        EXPERIMENT.start_date: enrolling,
        LAST_ENROLLMENT: enrolling,
        FIRST_WEEK: ["clients_daily"],
    }


def test_each_source_is_asked_once(tmp_path: Path) -> None:
    laboratory = make_laboratory(tmp_path)
    warehouse = Counting(laboratory.root / "warehouse")
    freshness = Freshness(warehouse, FIRST_WEEK + timedelta(days=1))
    plan = _plan(laboratory, FIRST_WEEK)
    assert [freshness.missing(plan) for _ in range(3)] == [(), (), ()]
    assert warehouse.asked == 1


def test_a_later_day_shows_that_a_quiet_one_is_complete(tmp_path: Path) -> None:
    laboratory = make_laboratory(tmp_path)
    quiet = laboratory.root / f"warehouse/telemetry/clients_daily/day={FIRST_WEEK}"
    quiet.rename(laboratory.root / "quiet")
    warehouse = DuckDBParquetWarehouse(laboratory.root / "warehouse")
    plan = _plan(laboratory, FIRST_WEEK)
    assert Freshness(warehouse, FIRST_WEEK).missing(plan) == ("clients_daily",)
    assert Freshness(warehouse, FIRST_WEEK + timedelta(days=1)).missing(plan) == ()


def test_a_table_that_does_not_exist_is_not_waited_for(tmp_path: Path) -> None:
    laboratory = make_laboratory(tmp_path)
    definitions = laboratory.root / "configuration/definitions/firefox_desktop.toml"
    definitions.write_text(definitions.read_text().replace("telemetry.clients_daily", "a.b"))
    laboratory.configure(CONFIGURATION)
    warehouse = DuckDBParquetWarehouse(laboratory.root / "warehouse")
    assert Freshness(warehouse, FIRST_WEEK).missing(_plan(laboratory, FIRST_WEEK)) == ()

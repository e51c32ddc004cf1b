"""While units enroll, a cell has the numbers of those who have lived through a window."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from dagster import AssetKey, AssetRecordsFilter, DagsterInstance

from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets_tests.orchestration.laboratory import EXPERIMENT, LAST_ENROLLMENT, days
from jetstream_assets_tests.report.consumer import Statistics

if TYPE_CHECKING:
    from datetime import date

    from jetstream_assets_tests.orchestration.laboratory import Laboratory

FIRST = EXPERIMENT.start_date
OPEN = days(FIRST, LAST_ENROLLMENT - timedelta(days=1))
DAILY = "output/statistics/statistics_small_experiment_daily.json"
CLOSED_TABLES = ("preenrollment_metrics", "metrics", "statistics")


def _telemetry(laboratory: Laboratory, table: str) -> pd.DataFrame:
    folder = laboratory.root / "warehouse/telemetry" / table
    frames = (pq.read_table(file, partitioning=None) for file in sorted(folder.rglob("*.parquet")))
    found: pd.DataFrame = pd.concat([f.to_pandas() for f in frames], ignore_index=True)
    return found


def _value(pairs: Any, key: str) -> str | None:  # noqa: ANN401  # a list as pandas holds it
    return next((pair["value"] for pair in pairs if pair["key"] == key), None)


def _first_days(laboratory: Laboratory, method: str, branch_key: str, on: date) -> pd.DataFrame:
    """The first day of each client and branch on which an event of that kind came, up to a date."""
    events = _telemetry(laboratory, "events")
    events = events[
        (events.event_category == "normandy")
        & (events.event_method == method)
        & (events.event_string_value == EXPERIMENT.slug)
        & (events.submission_date >= FIRST)
        & (events.submission_date <= on)
    ]
    branch = events.event_map_values.map(lambda pairs: _value(pairs, branch_key))
    first = events.assign(branch=branch).groupby(["client_id", "branch"]).submission_date.min()
    return first.reset_index()


def _enrolled(laboratory: Laboratory, on: date) -> pd.DataFrame:
    units = _first_days(laboratory, "enroll", "branch", on)
    return units[~units.client_id.duplicated(keep=False)]


def _searches(laboratory: Laboratory, units: pd.DataFrame, day: int, on: date) -> pd.Series:
    """Per unit that has lived through a day since its anchor, the searches of that day."""
    lived = units[units.anchor + timedelta(days=day) <= on]
    rows = _telemetry(laboratory, "clients_daily")
    joined = lived.merge(rows, on="client_id")
    is_day = joined.submission_date == joined.anchor + timedelta(days=day)
    is_marked = joined.experiments.map(lambda pairs: _value(pairs, EXPERIMENT.slug)).notna()
    counts = joined[is_day & (is_marked | (joined.submission_date != joined.enrolled))]
    summed = counts.groupby("client_id").search_count_all.sum()
    return summed.reindex(lived.client_id, fill_value=0).sort_index()


@pytest.mark.parametrize("on", OPEN, ids=str)
def test_provisional_metrics_are_what_a_count_by_hand_gives(
    laboratory: Laboratory, on: date
) -> None:
    assert all(run.succeeded for run in laboratory.run(on))
    enrolled = _enrolled(laboratory, on).rename(columns={"submission_date": "enrolled"})
    exposed = _first_days(laboratory, "expose", "branchSlug", on)
    exposed = exposed.rename(columns={"submission_date": "anchor"})
    units = {
        "enrollments": enrolled.assign(anchor=enrolled.enrolled),
        "exposures": enrolled.merge(exposed, on=["client_id", "branch"]),
    }
    windows = {row["window_index"] for row in laboratory.rows("metrics")}
    assert windows == set(range(1, (on - FIRST).days + 2))
    for index in windows:
        for basis, of_basis in units.items():
            rows = laboratory.rows(
                "metrics", f"window_index = {index} AND analysis_basis = '{basis}'"
            )
            found = pd.Series({row["analysis_id"]: row["searches"] for row in rows}).sort_index()
            expected = _searches(laboratory, of_basis, index - 1, on)
            assert len(expected) > 20
            assert found.to_dict() == expected.to_dict()


def test_provisional_statistics_say_what_they_are_and_what_they_wait_for(
    laboratory: Laboratory,
) -> None:
    (run,) = laboratory.run(OPEN[-1])
    assert run.succeeded, run.errors
    rows = laboratory.rows("statistics")
    assert {row["is_provisional"] for row in rows} == {True}
    assert {row["status"] for row in rows} == {"ok", "insufficient_data"}
    whole = [row for row in rows if row["segment"] == "all"]
    adjusted = [row for row in whole if row["statistic"] == "mean_lm"]
    assert {(row["branch"], row["exception_type"]) for row in adjusted} == {(None, None)}
    assert all(f"units enroll until {LAST_ENROLLMENT}" in row["reason"] for row in adjusted)
    assert {row["covariate"] for row in rows} == {None}
    segments = [row for row in rows if row["segment"] == "seen_before"]
    assert {row["metric"] for row in segments} == {"identity", "searches"}
    assert all("'seen_before' is not known yet" in row["reason"] for row in segments)
    assert (
        json.loads((laboratory.root / "output/errors/errors_small_experiment.json").read_text())
        == []
    )


def test_final_results_replace_provisional_ones(laboratory: Laboratory) -> None:
    assert all(run.succeeded for run in laboratory.run(*OPEN))
    provisional = _records(laboratory)
    assert {record["window_index"] for record in provisional} == {"1", "2"}
    assert all(record["is_provisional"] for record in provisional)
    assert all(run.succeeded for run in laboratory.run(LAST_ENROLLMENT))
    of_window: dict[str, set[bool]] = {}
    for record in _records(laboratory):
        of_window.setdefault(record["window_index"], set()).add("is_provisional" in record)
    assert of_window == {"1": {False}, "2": {True}}
    Statistics.model_validate(_records(laboratory))


def test_cells_of_closed_dates_do_not_depend_on_the_provisional_ones(
    laboratory: Laboratory, world: Laboratory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alone = world.copy(tmp_path_factory.mktemp("alone") / "laboratory")
    backwards = world.copy(tmp_path_factory.mktemp("backwards") / "laboratory")
    assert all(run.succeeded for run in alone.run(LAST_ENROLLMENT))
    assert all(run.succeeded for run in laboratory.run(*OPEN, LAST_ENROLLMENT))
    for on in [LAST_ENROLLMENT, *reversed(OPEN)]:
        assert all(run.succeeded for run in backwards.run(on))
    name = f"date={LAST_ENROLLMENT}"
    for table in CLOSED_TABLES:
        closed = {path: of for path, of in laboratory.files(table).items() if name in path}
        assert closed == alone.files(table)
        assert laboratory.files(table) == backwards.files(table)


def test_a_backfill_reads_the_days_of_events_in_one_scan(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    assert all(run.succeeded for run in laboratory.run(*OPEN, LAST_ENROLLMENT, instance=instance))
    wanted = AssetRecordsFilter(asset_key=AssetKey("enrollments"))
    found: dict[str, int] = {}
    for record in instance.fetch_materializations(wanted, limit=10).records:
        assert record.asset_materialization is not None
        metadata = record.asset_materialization.metadata
        found[str(record.partition_key)] = str(metadata["sql"].value).count("```sql")
    # Two kinds of events and the enrollments; the other dates find the events.
    assert sorted(found.values()) == [1, 1, 3]
    assert found[str(Cell(EXPERIMENT.slug, LAST_ENROLLMENT).key)] == 3


def test_an_experiment_that_still_enrolls_has_results_until_its_planned_end(
    laboratory: Laboratory,
) -> None:
    record = experimenter_record(EXPERIMENT)
    laboratory.record(record | {"enrollmentEndDate": None})
    assert all(run.succeeded for run in laboratory.run(OPEN[0]))
    assert laboratory.rows("statistics")
    assert all(run.succeeded for run in laboratory.run(LAST_ENROLLMENT))
    refused = laboratory.rows("plan_failures")
    assert [row["exception_type"] for row in refused] == ["EnrollmentNotCompleteException"]


def _records(laboratory: Laboratory) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads((laboratory.root / DAILY).read_text())
    return records

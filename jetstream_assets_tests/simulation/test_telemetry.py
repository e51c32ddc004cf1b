from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import parquet

from jetstream_assets.simulation import units
from jetstream_assets.simulation.schemas import SCHEMAS
from jetstream_assets.simulation.telemetry import simulate
from jetstream_assets.simulation.world import SimulatedBranch, SimulatedExperiment, TelemetryTable
from jetstream_assets_tests.simulation.conftest import small_world, telemetry

if TYPE_CHECKING:
    from pathlib import Path


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_equal_worlds_give_equal_bytes(tmp_path: Path) -> None:
    simulate(small_world(), tmp_path / "a")
    simulate(small_world(), tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_another_seed_changes_every_file(tmp_path: Path) -> None:
    simulate(small_world(7), tmp_path / "a")
    simulate(small_world(8), tmp_path / "b")
    first, second = digests(tmp_path / "a"), digests(tmp_path / "b")
    assert first.keys() == second.keys()
    # The stream of events has a row only where something happens.
    assert all(first[name] != second[name] for name in first if "events_stream" not in name)


def test_selecting_fewer_tables_does_not_change_the_others(tmp_path: Path) -> None:
    simulate(small_world(), tmp_path / "all")
    one = replace(small_world(), tables=(TelemetryTable.SEARCH,))
    simulate(one, tmp_path / "one")
    everything, some = digests(tmp_path / "all"), digests(tmp_path / "one")
    assert {name.split("/")[0] for name in some} == {"search", "truth.json"}
    assert some == {name: everything[name] for name in some}


def test_adding_an_experiment_does_not_change_the_units_of_another(tmp_path: Path) -> None:
    alone = small_world()
    other = replace(alone.experiments[0], slug="other")
    both = replace(alone, experiments=(other, *alone.experiments))
    of_small = "FROM clients_daily JOIN ids USING (client_id) ORDER BY ALL"
    ids = "SELECT DISTINCT client_id FROM events WHERE event_string_value = 'small'"
    found = [
        telemetry(tmp_path / name, world).rows(f"WITH ids AS ({ids}) {of_small}")
        for name, world in (("alone", alone), ("both", both))
    ]
    assert len(found[0]) > 1000
    assert found[0] == found[1]


def test_files_lie_in_one_folder_per_day_with_the_declared_columns(tmp_path: Path) -> None:
    simulate(small_world(), tmp_path)
    for table in TelemetryTable:
        folders = sorted(path.name for path in (tmp_path / table).iterdir())
        assert folders[0] == "day=2026-02-20"
        assert folders[-1] == "day=2026-03-10"
        assert len(folders) == 19
        for folder in folders:
            path = tmp_path / table / folder / "units-0000.parquet"
            read = parquet.ParquetFile(path).read()
            assert read.schema.equals(SCHEMAS[table])
            if "submission_date" in read.schema.names:
                days = set(read["submission_date"].to_pylist())
                assert days <= {date.fromisoformat(folder.removeprefix("day="))}


def test_no_rows_before_or_after_the_bounds_of_each_experiment(tmp_path: Path) -> None:
    world = small_world()
    longer = replace(world.experiments[0], slug="longer", end_date=date(2026, 3, 20))
    seen = telemetry(tmp_path, replace(world, experiments=(*world.experiments, longer)))
    rows = seen.rows("""
        WITH ids AS (SELECT DISTINCT client_id, event_string_value AS slug FROM events
                     WHERE event_method = 'enroll')
        SELECT slug, MIN(submission_date), MAX(submission_date), COUNT(DISTINCT client_id)
        FROM clients_daily JOIN ids USING (client_id) GROUP BY slug ORDER BY slug""")
    assert rows == [
        ("longer", date(2026, 2, 20), date(2026, 3, 20), 300),
        ("small", date(2026, 2, 20), date(2026, 3, 10), 300),
    ]


def test_a_unit_has_one_daily_row_at_most(tmp_path: Path) -> None:
    seen = telemetry(tmp_path, small_world())
    for table in ("clients_daily", "desktop_active_users", "clients_last_seen"):
        found = seen.connection.table(table).project("client_id, day").fetchall()
        assert len(found) == len(set(found)) > 1000


def test_units_are_seen_on_their_enrollment_day_and_not_just_before(tmp_path: Path) -> None:
    seen = telemetry(tmp_path, small_world())
    (row,) = seen.rows("""
        WITH e AS (SELECT client_id, MIN(submission_date) AS enrolled FROM events
                   WHERE event_method = 'enroll' GROUP BY client_id)
        SELECT COUNT(DISTINCT c.client_id) FILTER (c.submission_date = enrolled),
               COUNT(*) FILTER (c.submission_date < enrolled
                                AND c.submission_date >= DATE '2026-03-02'),
               COUNT(*) FILTER (c.submission_date < enrolled),
               MIN(enrolled), MAX(enrolled)
        FROM clients_daily AS c JOIN e USING (client_id)""")
    assert row[:2] == (300, 0)
    assert row[2] > 500
    assert row[3:] == (date(2026, 3, 2), date(2026, 3, 4))


def test_rows_name_the_branch_from_enrollment_to_unenrollment(tmp_path: Path) -> None:
    world = small_world()
    leaving = replace(world.experiments[0], unenrolled_share=0.2)
    seen = telemetry(tmp_path, replace(world, experiments=(leaving,)))
    rows = seen.rows("""
        WITH e AS (
            SELECT client_id, ANY_VALUE(event_map_values[1].value) AS branch,
                   MIN(submission_date) FILTER (event_method = 'enroll') AS enrolled,
                   MIN(submission_date) FILTER (event_method = 'unenroll') AS unenrolled
            FROM events WHERE event_method IN ('enroll', 'unenroll') GROUP BY client_id)
        SELECT c.submission_date >= enrolled
               AND (unenrolled IS NULL OR c.submission_date <= unenrolled) AS inside,
               experiments = [{'key': 'small', 'value': branch}] AS named, experiments = [] AS none,
               COUNT(*) > 100
        FROM clients_daily AS c JOIN e USING (client_id) GROUP BY ALL ORDER BY ALL""")
    assert rows == [(False, False, True, True), (True, True, False, True)]


def test_the_active_users_look_back_28_days(tmp_path: Path) -> None:
    seen = telemetry(tmp_path, small_world())
    (row,) = seen.rows("""
        SELECT COUNT(*) FILTER (is_dau != (q.client_id IS NOT NULL)),
               COUNT(*) FILTER (is_daily_user != (c.client_id IS NOT NULL)),
               COUNT(*) FILTER (is_dau), COUNT(*) FILTER (NOT is_daily_user),
               MAX(days_seen_bits) < (1 << 28), bool_and(is_desktop)
        FROM desktop_active_users AS u
        LEFT JOIN clients_daily AS c USING (client_id, submission_date)
        LEFT JOIN (
            SELECT client_id, submission_date FROM clients_daily
            WHERE active_hours_sum > 0
            AND scalar_parent_browser_engagement_total_uri_count_sum > 0
        ) AS q USING (client_id, submission_date)""")
    assert row[:2] == (0, 0)
    assert row[2] > 1000
    assert row[3] > 1000
    assert row[4:] == (True, True)


def test_late_rows_arrive_within_three_days(tmp_path: Path) -> None:
    on_time = replace(small_world(), as_of=date(2026, 3, 5))
    later = replace(small_world(), as_of=date(2026, 3, 8))
    early = telemetry(tmp_path / "early", on_time)
    late = telemetry(tmp_path / "late", later)
    complete = telemetry(tmp_path / "complete", small_world())
    counts = [
        dict(seen.rows("SELECT submission_date, COUNT(*) FROM clients_daily GROUP BY ALL"))
        for seen in (early, late, complete)
    ]
    known, then, finally_ = counts
    assert max(known) == date(2026, 3, 5)
    assert known[date(2026, 3, 2)] == finally_[date(2026, 3, 2)]
    assert known[date(2026, 3, 5)] < 0.8 * finally_[date(2026, 3, 5)]
    assert then[date(2026, 3, 5)] == finally_[date(2026, 3, 5)]


def test_a_later_evening_adds_to_the_same_folder(tmp_path: Path) -> None:
    simulate(replace(small_world(), as_of=date(2026, 3, 5)), tmp_path / "grown")
    simulate(small_world(), tmp_path / "grown")
    simulate(small_world(), tmp_path / "at_once")
    assert digests(tmp_path / "grown") == digests(tmp_path / "at_once")


def test_progress_is_told_after_each_day(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    simulate(small_world(), tmp_path, on_progress=lambda *step: told.append(step))
    assert told[0] == ("2026-02-20", 1, 19)
    assert told[-1] == ("2026-03-10", 19, 19)


def test_a_large_experiment_is_drawn_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "UNITS_PER_BLOCK", 50)
    told: list[tuple[str, int, int]] = []
    truth = simulate(small_world(), tmp_path, on_progress=lambda *step: told.append(step))
    assert [done for _, done, total in told if total == 38] == list(range(1, 39))
    day = tmp_path / "telemetry/clients_daily/day=2026-03-02"
    assert sorted(path.name for path in day.iterdir()) == [
        "units-0000.parquet",
        "units-0001.parquet",
    ]
    read = parquet.read_table(tmp_path / "telemetry/clients_daily", columns=["client_id"])
    assert len(set(read["client_id"].to_pylist())) == 300
    assert sum(branch.units for branch in truth.experiment("small").branches) == 300


def test_the_truth_lies_beside_the_data(tmp_path: Path) -> None:
    truth = simulate(small_world(), tmp_path)
    written = json.loads((tmp_path / "truth.json").read_text())
    assert written["experiments"][0]["slug"] == "small"
    assert written["experiments"][0]["window_length"] == 6
    measures = {m["measure"]: m for m in written["experiments"][0]["branches"][1]["measures"]}
    assert measures["active_hours"]["relative_uplift"] == 0.0
    expected = truth.experiment("small").branch("treatment").measures[0].expected_mean
    assert measures["active_hours"]["expected_mean"] == expected > 0


def test_the_stream_of_events_names_experiment_and_branch_as_json(tmp_path: Path) -> None:
    world = small_world()
    branches = (SimulatedBranch('the "quoted" branch'),)
    quoted = replace(world.experiments[0], branches=branches)
    seen = telemetry(tmp_path, replace(world, experiments=(quoted,)))
    rows = seen.rows("""
        SELECT event_extra ->> '$.experiment', event_extra ->> '$.branch', COUNT(*)
        FROM events_stream WHERE event_name = 'enrollment' GROUP BY ALL""")
    assert rows == [("small", 'the "quoted" branch', 300)]


def test_impossible_worlds_are_refused() -> None:
    small = small_world().experiments[0]
    with pytest.raises(ValueError, match="slugs repeat: small"):
        small_world(experiments=(small, small))
    with pytest.raises(ValueError, match="telemetry of 'small' ends on None"):
        small_world(experiments=(replace(small, end_date=None),))
    with pytest.raises(ValueError, match="no branches"):
        replace(small, branches=())
    with pytest.raises(ValueError, match=r"exposed_share is 1\.2, must be between 0 and 1"):
        replace(small, exposed_share=1.2)
    with pytest.raises(ValueError, match="one branch"):
        SimulatedExperiment(
            "x", date(2026, 1, 1), 7, None, (SimulatedBranch("a"),), 5, several_branches_share=0.1
        )


def test_schemas_have_a_date_column_and_no_column_like_the_partition_key() -> None:
    for table, schema in SCHEMAS.items():
        assert "day" not in schema.names
        if table is not TelemetryTable.EVENTS_STREAM:
            assert schema.field("submission_date").type == pa.date32()

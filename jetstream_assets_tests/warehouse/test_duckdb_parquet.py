"""The folder of Parquet files: layouts, damage, limits, and what must not be reached."""

from __future__ import annotations

import hashlib
import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb as engine
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from jetstream_assets.errors import QueryError, WarehouseError
from jetstream_assets.warehouse.duckdb_errors import (
    REFUSALS,
    TROUBLES,
    as_warehouse_errors,
    shortened,
)
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets.warehouse.duckdb_session import half_of_memory
from jetstream_assets.warehouse.parquet_slices import encoded, slice_file
from jetstream_assets.warehouse.tables import ResultTable
from jetstream_assets_tests.warehouse.laboratory import (
    PROVENANCE,
    SLUG,
    Laboratory,
    a_slice,
    query,
    write_parquet,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def warehouse_of(laboratory: Laboratory) -> DuckDBParquetWarehouse:
    assert isinstance(laboratory.warehouse, DuckDBParquetWarehouse)
    return laboratory.warehouse


def root_of(laboratory: Laboratory) -> Path:
    return warehouse_of(laboratory).root


def test_a_table_is_all_files_below_its_folder(duckdb: Laboratory) -> None:
    folder = root_of(duckdb) / "telemetry" / "main"
    write_parquet(folder, pa.table({"a": [1]}))
    write_parquet(folder, pa.table({"b": ["x"], "a": [2]}), "part-1.parquet")
    write_parquet(folder / "deep" / "er", pa.table({"a": [3]}))
    rows = duckdb.rows("SELECT a, b FROM telemetry.main ORDER BY a")
    assert rows == [{"a": 1, "b": None}, {"a": 2, "b": "x"}, {"a": 3, "b": None}]


def test_folders_may_be_partitions(duckdb: Laboratory) -> None:
    for day in ("2024-01-01", "2024-01-02"):
        folder = root_of(duckdb) / "telemetry" / "main" / f"day={day}" / "channel=release"
        write_parquet(folder, pa.table({"a": [1, 2]}))
    rows = duckdb.rows(
        "SELECT channel, COUNT(*) AS n FROM telemetry.main WHERE day >= '2024-01-02' GROUP BY ALL"
    )
    assert rows == [{"channel": "release", "n": 2}]


def test_a_column_of_the_files_wins_over_a_partition_of_its_name(duckdb: Laboratory) -> None:
    folder = root_of(duckdb) / "telemetry" / "main" / "channel=beta" / "day=2024-01-01"
    write_parquet(folder, pa.table({"a": [1], "Day": ["mine"]}))
    assert duckdb.rows("SELECT * FROM telemetry.main") == [
        {"a": 1, "Day": "mine", "channel": "beta"}
    ]


def test_names_of_one_part_lie_in_the_root(duckdb: Laboratory) -> None:
    write_parquet(root_of(duckdb) / "flat", pa.table({"a": [1]}))
    write_parquet(root_of(duckdb) / "dataset" / "table", pa.table({"a": [2]}))
    assert duckdb.rows("SELECT a FROM flat") == [{"a": 1}]
    with pytest.raises(QueryError, match="holds no Parquet files"):
        duckdb.rows("SELECT a FROM dataset")


def test_hidden_and_other_files_are_not_data(duckdb: Laboratory) -> None:
    folder = root_of(duckdb) / "telemetry" / "main"
    write_parquet(folder, pa.table({"a": [1]}))
    for name in (".part-1.parquet", "._part-0.parquet", "README.md", ".part-0.parquet.1.tmp"):
        (folder / name).write_text("not parquet")
    assert duckdb.rows("SELECT a FROM telemetry.main") == [{"a": 1}]


@pytest.mark.parametrize("name", ["we[i]rd*?", "with 'quote'", "ünï cödé"])
def test_the_root_may_have_any_name(tmp_path: Path, name: str) -> None:
    warehouse = DuckDBParquetWarehouse(tmp_path / name)
    write_parquet(tmp_path / name / "d" / "t", pa.table({"a": [1]}))
    warehouse.replace(a_slice(), query("SELECT a FROM d.t"), PROVENANCE)
    stored = warehouse.query(exp.select("a").from_(a_slice().reference))
    assert stored.to_pydict() == {"a": [1]}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def scramble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200:3000] = b"\xff" * 2800
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, scramble, empty])
def test_a_damaged_file_is_named(duckdb: Laboratory, damage: Callable[[Path], None]) -> None:
    rows = pa.table({"a": [hashlib.sha256(b"%d" % n).hexdigest() for n in range(5000)]})
    path = root_of(duckdb) / "telemetry" / "main" / "broken.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(rows, path, compression="zstd")
    damage(path)
    with pytest.raises(QueryError, match=r"damaged.*broken\.parquet"):
        duckdb.rows("SELECT COUNT(DISTINCT a) AS m FROM telemetry.main")


def test_a_damaged_slice_has_no_provenance_and_can_be_written_again(duckdb: Laboratory) -> None:
    duckdb.warehouse.replace(a_slice(), pa.table({"a": [1]}), PROVENANCE)
    path = slice_file(root_of(duckdb), a_slice())
    path.write_bytes(path.read_bytes()[:50])
    assert duckdb.warehouse.provenance(a_slice()) is None
    duckdb.warehouse.replace(a_slice(), pa.table({"a": [2]}), PROVENANCE)
    assert duckdb.warehouse.provenance(a_slice()) == PROVENANCE


def test_a_file_of_another_writer_has_no_provenance(duckdb: Laboratory) -> None:
    path = slice_file(root_of(duckdb), a_slice())
    write_parquet(path.parent, pa.table({"a": [1]}), path.name)
    assert duckdb.warehouse.provenance(a_slice()) is None


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_same_content_twice_is_the_same_bytes(tmp_path: Path, threads: int) -> None:
    numbers = pa.table({"n": list(range(400_000))})
    write_parquet(tmp_path / "d" / "t", numbers)
    content = query("SELECT n, MOD(n * 7919, 1000) AS x, CAST(n AS STRING) AS s FROM d.t")
    digests = set()
    for count in (threads, 1):
        warehouse = DuckDBParquetWarehouse(tmp_path, threads=count)
        written = warehouse.replace(a_slice(), content, PROVENANCE)
        bytes_ = slice_file(tmp_path, a_slice()).read_bytes()
        assert written.bytes_written == len(bytes_)
        digests.add(hashlib.sha256(bytes_).hexdigest())
    assert len(digests) == 1


def test_provenance_is_in_the_footer(duckdb: Laboratory) -> None:
    odd = replace(PROVENANCE, config_commit='it\'s; "odd" ü {x}')
    duckdb.warehouse.replace(a_slice(), query("SELECT 1 AS a"), odd)
    assert duckdb.warehouse.provenance(a_slice()) == odd
    footer = pq.read_metadata(slice_file(root_of(duckdb), a_slice())).metadata
    assert footer[b"fingerprint"] == b"f1"


def test_left_overs_are_ignored_and_cleaned_up_when_old(duckdb: Laboratory) -> None:
    duckdb.warehouse.replace(a_slice(), pa.table({"a": [1]}), PROVENANCE)
    folder = slice_file(root_of(duckdb), a_slice()).parent
    young, old = folder / ".part-0.parquet.young.tmp", folder / ".part-0.parquet.old.tmp"
    for path in (young, old):
        path.write_bytes(b"half a file")
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    assert duckdb.read(a_slice()).to_pydict() == {"a": [1]}
    assert duckdb.warehouse.slices(ResultTable.METRICS, SLUG, "jetstream") == (a_slice(),)
    duckdb.warehouse.replace(a_slice(), pa.table({"a": [2]}), PROVENANCE)
    assert sorted(path.name for path in folder.iterdir()) == [young.name, "part-0.parquet"]


def test_a_failed_write_leaves_nothing_behind(duckdb: Laboratory) -> None:
    with pytest.raises(QueryError):
        duckdb.warehouse.replace(a_slice(), query("SELECT CAST('x' AS INT64) AS a"), PROVENANCE)
    folder = slice_file(root_of(duckdb), a_slice()).parent
    assert list(folder.iterdir()) == []


def test_a_disk_that_cannot_be_written_is_trouble(tmp_path: Path) -> None:
    (tmp_path / "jetstream").write_text("a file where a folder should be")
    warehouse = DuckDBParquetWarehouse(tmp_path)
    with pytest.raises(WarehouseError, match="cannot be written") as caught:
        warehouse.replace(a_slice(), pa.table({"a": [1]}), PROVENANCE)
    assert not isinstance(caught.value, QueryError)


def test_too_little_memory_is_trouble_and_nothing_is_spent(tmp_path: Path) -> None:
    warehouse = DuckDBParquetWarehouse(tmp_path / "absent", threads=1, memory_limit="20MB")
    big = query(
        "SELECT ARRAY_LENGTH(ARRAY_AGG(n)) AS n FROM UNNEST(GENERATE_ARRAY(1, 9000000)) AS n"
    )
    with pytest.raises(WarehouseError, match=r"(?i)memory") as caught:
        warehouse.query(big)
    assert not isinstance(caught.value, QueryError)
    assert warehouse.query(query("SELECT 1 AS a")).num_rows == 1
    assert not (tmp_path / "absent").exists()


def test_what_does_not_fit_spills_below_the_root(tmp_path: Path) -> None:
    tmp_path.joinpath("d").mkdir()
    warehouse = DuckDBParquetWarehouse(tmp_path, threads=1, memory_limit="60MB")
    content = query(
        "SELECT n, MD5(CAST(n AS STRING)) AS t FROM UNNEST(GENERATE_ARRAY(1, 1500000)) AS n "
        "ORDER BY t"
    )
    assert warehouse.replace(a_slice(), content, PROVENANCE).rows == 1_500_000
    assert (tmp_path / ".scratch").is_dir()


@pytest.mark.parametrize("kind", REFUSALS)
def test_refusals_are_query_errors(kind: type[engine.Error]) -> None:
    with pytest.raises(QueryError) as caught, as_warehouse_errors("SELECT 1"):
        raise kind("Some Error: what is wrong")
    assert caught.value.problem.endswith("what is wrong")
    assert caught.value.sql == "SELECT 1"


@pytest.mark.parametrize("kind", TROUBLES)
def test_troubles_are_no_query_errors(kind: type[engine.Error]) -> None:
    with pytest.raises(WarehouseError, match="what is wrong") as caught, as_warehouse_errors(""):
        raise kind("Some Error: what is wrong")
    assert not isinstance(caught.value, QueryError)


def test_messages_are_short() -> None:
    long = "Binder Error: " + "word " * 1000 + "\n\nLINE 1: SELECT x\n   ^\nStack Trace:\n0x1"
    assert len(shortened(long)) < 610
    assert shortened("Binder Error: a\nb\n\nLINE 1: SELECT\n  ^") == "a b"


def test_sql_reads_tables_and_nothing_else(duckdb: Laboratory, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    write_parquet(tmp_path, pa.table({"a": [1]}), "secret.parquet")
    for call in (
        f"READ_CSV('{secret}')",
        f"READ_TEXT('{secret}')",
        f"READ_PARQUET('{tmp_path}/secret.parquet')",
        f"READ_PARQUET('{root_of(duckdb)}/../secret.parquet')",
        "READ_TEXT('/etc/passwd')",
        "READ_PARQUET('https://example.com/x.parquet')",
    ):
        with pytest.raises(QueryError):
            duckdb.rows(f"SELECT * FROM {call}")  # noqa: S608
    content = pa.table({"a": [1]})
    with pytest.raises(QueryError, match="does not exist"):
        duckdb.rows("SELECT * FROM content")
    assert content.num_rows == 1, "a Python variable is no table"


def test_everything_needed_is_built_in() -> None:
    loaded = engine.execute(
        "SELECT extension_name FROM duckdb_extensions() WHERE install_mode = 'STATICALLY_LINKED'"
    ).fetchall()
    assert {"core_functions", "json", "parquet", "icu"} <= {name for (name,) in loaded}


def test_times_are_in_utc(duckdb: Laboratory) -> None:
    moment = datetime(2024, 1, 1, 23, 30, tzinfo=UTC)
    duckdb.put("d", "t", pa.table({"ts": pa.array([moment], pa.timestamp("us", tz="Asia/Tokyo"))}))
    rows = duckdb.rows("SELECT ts, CAST(DATE(ts) AS STRING) AS d, CAST(ts AS STRING) AS s FROM d.t")
    assert rows == [{"ts": moment, "d": "2024-01-01", "s": "2024-01-01 23:30:00+00"}]


def test_a_warehouse_is_a_value(tmp_path: Path) -> None:
    warehouse = DuckDBParquetWarehouse(tmp_path, threads=1, memory_limit="1GB")
    warehouse.query(query("SELECT 1 AS a"))
    copy = pickle.loads(pickle.dumps(warehouse))  # noqa: S301  our own bytes
    assert copy == warehouse
    assert copy.query(query("SELECT 2 AS a")).to_pydict() == {"a": [2]}


def test_threads_share_a_warehouse(duckdb: Laboratory) -> None:
    def work(day: int) -> int:
        duckdb.warehouse.replace(a_slice(day), pa.table({"a": [day]}), PROVENANCE)
        found: int = duckdb.read(a_slice(day)).column("a").to_pylist()[0]
        return found

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(1, 29))) == list(range(1, 29))


def test_half_of_memory_is_a_limit_that_duckdb_reads() -> None:
    engine.connect().execute(f"SET memory_limit = '{half_of_memory()}'")
    assert int(half_of_memory().removesuffix("MiB")) >= 512


@given(st.text(), st.text())
def test_encoded_names_are_safe_and_one_to_one(one: str, other: str) -> None:
    assert (encoded(one) == encoded(other)) == (one == other)
    assert len(encoded(one)) <= 200
    assert "/" not in encoded(one)
    assert not encoded(one).startswith(".")


def test_encoded_names_can_be_read() -> None:
    assert encoded("pocket-tiles_2") == "pocket-tiles_2"
    assert encoded("a/b ü@*") == "a%2Fb%20%C3%BC%40%2A"
    assert encoded("x" * 201).startswith("x" * 100 + "~")


def test_rows_keep_their_order(duckdb: Laboratory) -> None:
    numbers = "SELECT n, n * 7 AS x FROM UNNEST(GENERATE_ARRAY(1, 300000)) AS n ORDER BY n DESC"
    duckdb.warehouse.replace(a_slice(), query(numbers), PROVENANCE)
    found = duckdb.read(a_slice()).column("n").to_pylist()
    assert found == list(range(300_000, 0, -1))


def test_a_count_of_all_rows_costs_no_less_than_its_files(duckdb: Laboratory) -> None:
    duckdb.put("d", "t", pa.table({"a": list(range(1000))}))
    count = query("SELECT COUNT(*) AS n FROM d.t")
    assert duckdb.warehouse.replace(a_slice(), count, PROVENANCE).bytes_read > 0


@pytest.mark.parametrize("name", ["`../secret`.`t`", "`..`.`secret`", "`a/../..`.`t`"])
def test_a_folder_beside_the_warehouse_is_no_dataset(duckdb: Laboratory, name: str) -> None:
    duckdb.put("../secret", "t", pa.table({"a": [1]}))
    with pytest.raises(QueryError, match=r"does not exist|is no name of a table"):
        duckdb.rows(f"SELECT * FROM {name}")  # noqa: S608

"""Many processes read and write at once: nobody sees half a slice, nobody waits for a lock."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from sqlglot import exp

from jetstream_assets.errors import WarehouseError
from jetstream_assets.warehouse.base import Provenance
from jetstream_assets.warehouse.tables import ResultTable, all_slices
from jetstream_assets_tests.warehouse.laboratory import PROVENANCE, SLUG, a_slice, query

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

    from jetstream_assets.warehouse.base import Warehouse
    from jetstream_assets_tests.warehouse.laboratory import Laboratory

SPAWN = multiprocessing.get_context("spawn")
PATIENCE = 60.0  # seconds, for a process on a busy machine
ROWS = 4000
BIG = "SELECT n, MD5(CAST(n AS STRING)) AS t FROM UNNEST(GENERATE_ARRAY(1, 40000000)) AS n"


def write_versions(warehouse: Warehouse, worker: int, versions: int, day: int) -> None:
    """Replace one slice many times; every version has its number in every row."""
    for number in range(versions):
        version = worker * 1000 + number
        rows = ROWS + version % 7
        content = pa.table({"version": [version] * rows, "more": ["x"] * rows})
        provenance = Provenance(str(version), "c", "v")
        warehouse.replace(a_slice(day), content, provenance)


def read_versions(warehouse: Warehouse, stop: Event) -> None:
    """Read until told to stop; an exit code other than 0 is a torn read or an error."""
    while not stop.is_set():
        try:
            _read_once(warehouse)
        except WarehouseError as error:
            # On a busy machine reading takes longer than writing; then it is said, and not guessed.
            if "were replaced" not in str(error):
                raise


def _read_once(warehouse: Warehouse) -> None:
    rows = warehouse.query(
        exp.select("MIN(version) AS low", "MAX(version) AS high", "COUNT(*) AS n").from_(
            a_slice(1).reference
        )
    ).to_pylist()[0]
    assert rows["low"] == rows["high"], rows
    assert rows["n"] == ROWS + rows["low"] % 7, rows
    found = warehouse.provenance(a_slice(1))
    assert found is not None
    assert int(found.fingerprint) >= 0
    days = exp.select("date").distinct().from_(all_slices(ResultTable.METRICS, SLUG))
    assert warehouse.query(days).num_rows == 2


def write_something_big(warehouse: Warehouse, started: Event) -> None:
    started.set()
    warehouse.replace(a_slice(), query(BIG), PROVENANCE)


@pytest.mark.slow
def test_readers_never_see_half_a_slice(laboratory: Laboratory) -> None:
    warehouse, rounds = laboratory.warehouse, laboratory.rounds
    for day in (1, 2):
        write_versions(warehouse, 0, 1, day)
    stop = SPAWN.Event()
    readers = [SPAWN.Process(target=read_versions, args=(warehouse, stop)) for _ in range(2)]
    writers = [
        SPAWN.Process(target=write_versions, args=(warehouse, worker, rounds, day))
        for worker, day in ((1, 1), (2, 1), (3, 2))
    ]
    for process in (*readers, *writers):
        process.start()
    for writer in writers:
        writer.join(PATIENCE)
    stop.set()
    for reader in readers:
        reader.join(PATIENCE)
    assert [process.exitcode for process in (*readers, *writers)] == [0] * 5
    last = laboratory.read(a_slice(1)).column("version").to_pylist()[0]
    assert last in {1000 + rounds - 1, 2000 + rounds - 1}


def test_writers_of_other_dates_do_not_disturb_each_other(laboratory: Laboratory) -> None:
    def write(day: int) -> None:
        laboratory.warehouse.replace(a_slice(day), pa.table({"a": [day]}), PROVENANCE)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(1, 9)))
    everything = exp.select("*").from_(all_slices(ResultTable.METRICS, SLUG))
    rows = laboratory.warehouse.query(everything).to_pylist()
    assert sorted((row["date"].day, row["a"]) for row in rows) == [(n, n) for n in range(1, 9)]


def test_a_killed_writer_leaves_the_old_slice(laboratory: Laboratory) -> None:
    laboratory.warehouse.replace(a_slice(), pa.table({"a": [1]}), PROVENANCE)
    started = SPAWN.Event()
    writer = SPAWN.Process(target=write_something_big, args=(laboratory.warehouse, started))
    writer.start()
    assert started.wait(PATIENCE)
    time.sleep(0.7)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join(PATIENCE)
    assert writer.exitcode == -signal.SIGKILL, "the write ended before the kill; make it bigger"
    assert laboratory.read(a_slice()).to_pydict() == {"a": [1]}
    assert laboratory.warehouse.provenance(a_slice()) == PROVENANCE
    assert laboratory.warehouse.slices(ResultTable.METRICS, SLUG, "jetstream") == (a_slice(),)
    laboratory.warehouse.replace(a_slice(), pa.table({"a": [2]}), PROVENANCE)
    assert laboratory.read(a_slice()).to_pydict() == {"a": [2]}


def write_in_a_fork(warehouse: Warehouse) -> None:
    """Use the warehouse, fork, and use it in the fork."""
    warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)  # Python 3.12 warns of threads
    assert warehouse.query(query("SELECT 1 AS a")).num_rows == 1
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=write_versions, args=(warehouse, 1, 2, 1))
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_has_a_connection_of_its_own(laboratory: Laboratory) -> None:
    # In a process without the threads of a test server, which a fork would tear apart.
    parent = SPAWN.Process(target=write_in_a_fork, args=(laboratory.warehouse,))
    parent.start()
    parent.join(2 * PATIENCE)
    assert parent.exitcode == 0
    assert laboratory.read(a_slice(1)).num_rows == ROWS + 1001 % 7

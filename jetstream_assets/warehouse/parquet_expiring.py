"""A folder of tables from which what is old is removed: what BigQuery does by itself.

Belongs here: marking such a folder and clearing it. Does not: what killed processes left behind
(`duckdb_session.remove_left_overs`).
"""

from __future__ import annotations

import shutil
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from jetstream_assets.errors import WarehouseAccessError
from jetstream_assets.warehouse.parquet_slices import encoded
from jetstream_assets.warehouse.tables import DEFAULT_DATASET

if TYPE_CHECKING:
    from pathlib import Path

_MARK = ".expires"
_EXPERIMENTS = "*/experiment=*"


def make_expiring(root: Path, dataset: str, days: int) -> None:
    """Make the folder of a dataset, and remove experiments' tables that are older than some days.

    Raises:
        WarehouseAccessError: The folder is there without having been made so, or cannot be written.
    """
    folder = root / encoded(dataset)
    mark = folder / _MARK
    try:
        if dataset == DEFAULT_DATASET or (folder.exists() and not mark.exists()):
            raise WarehouseAccessError(
                f"The folder {folder} keeps its tables: it was not made for tables that expire. "
                "Name another dataset, which is made then."
            )
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text("Tables of previews; what is older than some days is removed.\n")
    except OSError as error:
        raise WarehouseAccessError(f"The folder {folder} cannot be written: {error}.") from error
    oldest = time.time() - timedelta(days=days).total_seconds()
    for tables in folder.glob(_EXPERIMENTS):
        written = [path.stat().st_mtime for path in tables.rglob("*") if path.is_file()]
        if max(written, default=0.0) < oldest:
            shutil.rmtree(tables, ignore_errors=True)

"""Records put where a warehouse finds them, and questions asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from jetstream_assets.sql.enrollments import enrollments_query
from jetstream_assets.warehouse.base import Provenance
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets_tests.sql.cases import enrollments_slice
from jetstream_assets_tests.sql.records import telemetry_tables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    import pyarrow as pa
    from sqlglot import exp

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.warehouse.base import SourceDay
    from jetstream_assets.warehouse.tables import Slice
    from jetstream_assets_tests.sql.records import Records

_PROVENANCE = Provenance("", "", "")


class Laboratory:
    """A warehouse that holds some records."""

    def __init__(self, records: Records, root: Path) -> None:
        self.records = records
        self._warehouse = DuckDBParquetWarehouse(root, threads=2)
        for (dataset, table), rows in telemetry_tables(records).items():
            folder = root / dataset / table
            folder.mkdir(parents=True)
            pq.write_table(rows, folder / "rows.parquet")

    def ask(self, tree: exp.Select) -> pa.Table:
        """The rows of a query."""
        return self._warehouse.query(tree)

    def put_days(self, targets: Mapping[date, Slice], query: exp.Select) -> None:
        """Store the rows of each day of a query."""
        self._warehouse.replace_days(targets, query, _PROVENANCE)

    def source_days(
        self, relation: exp.Expr, day: exp.Expr, first: date, last: date
    ) -> dict[date, SourceDay]:
        """What is there of a source on each day."""
        return self._warehouse.source_days(relation, day, first, last)

    def enrolled(self, of: AnalysisConfiguration) -> exp.Table:
        """The enrollments of a configuration, computed and stored."""
        target = enrollments_slice(of)
        self._warehouse.replace(target, enrollments_query(of), _PROVENANCE)
        return target.reference

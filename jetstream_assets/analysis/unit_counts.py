"""How many units there are in each branch: counted themselves, not by any metric's values.

Belongs here: the rows of metric ``identity``, statistic ``count``. Does not: units with a value of
a metric (`statistics.totals`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.analysis.obstacles import Obstacle
from jetstream_assets.errors import QueryError
from jetstream_assets.sql.sufficient_statistics import units_query
from jetstream_assets.statistics.base import StatisticRow, status_without_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.experiments.metrics import AnalysisBasis
    from jetstream_assets.sql.unit_values import UnitRows
    from jetstream_assets.warehouse.base import Warehouse

IDENTITY = "identity"
COUNT = "count"


def count_rows(
    warehouse: Warehouse, units: UnitRows, whole: str, branches: Sequence[str]
) -> list[StatisticRow]:
    """One row per analysis basis, segment and branch; 0 for a branch of the experiment without.

    Args:
        warehouse: Where the relations are read.
        units: The unit rows of a window.
        whole: The name of the segment of all units.
        branches: The experiment's branches; others that the data show are counted, too.
    """
    segments = (whole, *units.segments)
    if not units.bases:
        return []
    try:
        found = warehouse.query(units_query(units)).to_pylist()
    except QueryError as error:
        obstacle = Obstacle(error.problem, type(error).__name__)
        return [uncounted(basis, s, obstacle) for basis in units.bases for s in segments]
    counts = {(r["analysis_basis"], r["segment"], r["branch"]): r["units"] for r in found}
    observed = {branch for _, _, branch in counts}
    listed = (*branches, *sorted(observed - set(branches)))
    return [
        _row(basis, segment, branch, counts.get((basis.value, index, branch), 0))
        for basis in units.bases
        for index, segment in enumerate(segments)
        for branch in listed
    ]


def _row(basis: AnalysisBasis, segment: str, branch: str, units: int) -> StatisticRow:
    return StatisticRow(
        basis, segment, IDENTITY, COUNT, branch=branch, point=float(units), units=units
    )


def uncounted(basis: AnalysisBasis, segment: str, obstacle: Obstacle) -> StatisticRow:
    """The row that says why units could not be counted."""
    return StatisticRow(
        basis,
        segment,
        IDENTITY,
        COUNT,
        status=status_without_result(obstacle.exception_type),
        reason=obstacle.reason,
        exception_type=obstacle.exception_type,
    )

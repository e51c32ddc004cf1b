from __future__ import annotations

import pytest

from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.experiment import AnalysisUnit
from jetstream_assets.experiments.metrics import DataSource
from jetstream_assets.sql import fragments, sources

SOURCE = DataSource("pings", "`p.d.pings`")
UNIT_COLUMNS = ("analysis_id", "branch", "enrollment_date")


def _keys(snippet: str) -> list[str]:
    columns = {"m": fragments.parse_expression(snippet, "m")}
    query = sources.per_unit(
        "units", SOURCE, AnalysisUnit.CLIENT, [], columns, unit_columns=UNIT_COLUMNS
    )
    return [key.sql() for key in query.args["group"].expressions]


@pytest.mark.parametrize(
    ("snippet", "keys"),
    [
        ("SUM(x)", ["e.analysis_id"]),
        ("MAX(e.enrollment_date)", ["e.analysis_id"]),
        ("SUM(x) + IF(e.branch = 'a', 1, 0)", ["e.analysis_id", "e.branch"]),
        ("MAX(branch || e.branch) || branch", ["e.analysis_id", "e.branch"]),
        (
            "(SELECT MAX(DATE_DIFF(d, enrollment_date, DAY)) FROM UNNEST(ARRAY_AGG(day)) AS d)",
            ["e.analysis_id", "e.enrollment_date"],
        ),
        (
            "SUM((SELECT MAX(DATE_DIFF(d, e.enrollment_date, DAY)) FROM UNNEST(days) AS d))",
            ["e.analysis_id"],
        ),
    ],
)
def test_bare_unit_columns_become_keys(snippet: str, keys: list[str]) -> None:
    assert _keys(snippet) == keys


def test_id_that_a_source_does_not_have_is_refused_by_name() -> None:
    source = DataSource("pings", "`p.d.pings`", group_id_column="NULL")
    with pytest.raises(QueryError, match=r"'pings', column of the profile_group_id: 'NULL' is not"):
        sources.id_column(source, AnalysisUnit.PROFILE_GROUP)

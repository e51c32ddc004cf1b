"""The golden SQL for DuckDB, run as it stands in its file, against the same sums in pandas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from sqlglot import exp, parse_one

from jetstream_assets.warehouse.duckdb_macros import create_macros
from jetstream_assets_tests.sql.statistics_cases import BEFORE, METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

GOLDEN = Path(__file__).parent / "golden"
SEGMENTS = (None, "busy", "it's `quiet`")
UNITS = 200
Group = tuple[int, str, str]


@pytest.fixture(scope="module")
def units() -> pd.DataFrame:
    """A row per unit and basis; half of the units were exposed, and spent the same."""
    rng = np.random.default_rng(99)
    every = pd.DataFrame(
        {
            "analysis_id": [f"unit-{i}" for i in range(UNITS)],
            "branch": rng.choice(["control", "a", "b"], UNITS),
            "busy": rng.random(UNITS) < 0.4,
            "it's `quiet`": pd.array(
                list(map([True, False, None].__getitem__, rng.integers(0, 3, UNITS))),
                dtype="boolean",
            ),
            "spend": np.where(rng.random(UNITS) < 0.1, np.nan, rng.lognormal(0, 1.5, UNITS)),
            "clicks": pd.array(rng.poisson(4, UNITS), dtype="Int64"),
            "before": np.where(rng.random(UNITS) < 0.2, np.nan, rng.lognormal(0, 1.5, UNITS)),
        }
    )
    every["clicks_before"] = np.arange(UNITS) % 7
    every.loc[3, "spend"] = np.inf
    every.loc[4, "clicks"] = pd.NA
    exposed = every[rng.random(UNITS) < 0.5]
    parts = {"enrollments": every, "exposures": exposed}
    return pd.concat([part.assign(analysis_basis=basis) for basis, part in parts.items()])


@pytest.fixture(scope="module")
def connection(units: pd.DataFrame) -> Iterator[duckdb.DuckDBPyConnection]:
    other = units.assign(period="week", window_index=2, clicks=99)
    metrics = pd.concat([units.assign(period="week", window_index=1), other])
    earlier = units.drop(columns=["spend", "clicks"])
    earlier = earlier.rename(columns={"before": "spend", "clicks_before": "clicks"})
    earlier = earlier.assign(period="preenrollment_week", window_index=1)
    with duckdb.connect() as found:
        create_macros(found)
        found.execute(
            "SET threads = 1; ATTACH ':memory:' AS slices; CREATE SCHEMA slices.jetstream"
        )
        for of, frame in (
            (METRICS, metrics.drop(columns=["before", "clicks_before"])),
            (BEFORE, earlier),
        ):
            table = of.reference.sql(dialect="duckdb")
            found.register("frame", frame)
            # pandas has no NULL of floats.
            types = "CASE WHEN NOT ISNAN(spend) THEN spend END AS spend"
            found.execute(f"CREATE TABLE {table} AS SELECT * REPLACE ({types}) FROM frame")  # noqa: S608 - constants
        yield found


def _run(connection: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    text = (GOLDEN / f"{name}.duckdb.sql").read_text()
    rows: list[dict[str, Any]] = connection.sql(text).to_arrow_table().to_pylist()
    return rows


def _by_group(rows: list[dict[str, Any]]) -> dict[Group, dict[str, Any]]:
    return {(row["segment"], row["analysis_basis"], row["branch"]): row for row in rows}


def _scopes(units: pd.DataFrame) -> Iterator[tuple[int, str, pd.DataFrame]]:
    for number, segment in enumerate(SEGMENTS):
        inside = (
            units if segment is None else units[units[segment].fillna(value=False).astype(bool)]
        )
        for basis, part in inside.groupby("analysis_basis"):
            yield number, str(basis), part


def _groups(units: pd.DataFrame) -> Iterator[tuple[Group, pd.DataFrame, pd.DataFrame]]:
    """Every group, its units, and those of all branches together."""
    for number, basis, pooled in _scopes(units):
        for branch, own in pooled.groupby("branch"):
            yield (number, basis, str(branch)), own, pooled


def _floats(column: pd.Series[Any]) -> Floats:
    found = column.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(found), found, np.nan)


def _capped(column: pd.Series[Any], among: pd.Series[Any], *, rounds_up: bool = False) -> Floats:
    threshold = float(np.nanquantile(_floats(among), 0.95))
    found: Floats = np.minimum(_floats(column), np.ceil(threshold) if rounds_up else threshold)
    return found


def test_units(connection: duckdb.DuckDBPyConnection, units: pd.DataFrame) -> None:
    found = {
        key: row["units"] for key, row in _by_group(_run(connection, "statistics-units")).items()
    }
    assert found == {key: len(own) for key, own, _ in _groups(units)}
    assert len(found) == 18


def test_totals(connection: duckdb.DuckDBPyConnection, units: pd.DataFrame) -> None:
    found = _by_group(_run(connection, "statistics-totals"))
    for key, own, _ in _groups(units):
        clicks = own["clicks"].dropna()
        expected = [len(clicks), int(clicks.sum()), int((clicks > 1).sum())]
        sums = [int(found[key][f"{name}_0"]) for name in ("units", "total", "others")]
        assert sums == expected


@pytest.mark.parametrize("name", ["statistics-moments", "statistics-moments-of-many"])
def test_moments(connection: duckdb.DuckDBPyConnection, units: pd.DataFrame, name: str) -> None:
    found = _by_group(_run(connection, name))
    for key, own, pooled in _groups(units):
        capped = (
            _capped(own["spend"], own["spend"]),
            _capped(own["clicks"], pooled["clicks"], rounds_up=True),
        )
        for index, values in enumerate(capped):
            row, present = found[key], values[~np.isnan(values)]
            assert row[f"units_{index}"] == present.size
            assert row[f"threshold_{index}"] >= present.max() - 1e-12
            assert np.isfinite(row[f"centre_{index}"])
            for k in (1, 2, 3, 4):
                expected = ((present - row[f"centre_{index}"]) ** k).sum()
                assert row[f"power{k}_{index}"] == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert int(found[key]["odd_0"]) == int(np.isinf(own["spend"]).sum())
        assert found[key]["highest_0"] == np.nanmax(_floats(own["spend"]))


def test_covariate(connection: duckdb.DuckDBPyConnection, units: pd.DataFrame) -> None:
    found = _by_group(_run(connection, "statistics-covariate"))
    for key, own, pooled in _groups(units):
        # The covariate's threshold follows from the units that have a value.
        y = _capped(own["spend"], pooled["spend"])
        x = _capped(own["before"], pooled["before"][~np.isnan(_floats(pooled["spend"]))])
        both, row = ~np.isnan(x) & ~np.isnan(y), found[key]
        dy, dx = y[both] - row["centre_0"], x[both] - row["centre_x_0"]
        assert (row["units_0"], row["values_0"]) == (both.sum(), (~np.isnan(y)).sum())
        sums = tuple(row[f"{name}_0"] for name in ("power2", "power2_x", "product"))
        assert sums == pytest.approx((dy @ dy, dx @ dx, dy @ dx), rel=1e-9)


def test_ratio(connection: duckdb.DuckDBPyConnection, units: pd.DataFrame) -> None:
    found = _by_group(_run(connection, "statistics-ratio"))
    for key, own, _ in _groups(units):
        both = own[~np.isnan(_floats(own["spend"])) & ~np.isnan(_floats(own["clicks"]))]
        x, y = (_capped(both[part], both[part]) for part in ("clicks", "spend"))
        row = found[key]
        assert row["units_0"] == len(both)
        for a, b in ((1, 0), (0, 1), (1, 1), (2, 2), (3, 1), (0, 4)):
            expected = ((x - row["centre_0"]) ** a * (y - row["centre_x_0"]) ** b).sum()
            assert row[f"joint{a}{b}_0"] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_adjusted_ratio(connection: duckdb.DuckDBPyConnection, units: pd.DataFrame) -> None:
    found = _by_group(_run(connection, "statistics-adjusted-ratio"))
    for key, own, pooled in _groups(units):
        # Thresholds follow from the units that have both parts, with or without covariates.
        own, pooled = (  # noqa: PLW2901 - of these units alone
            of[~np.isnan(_floats(of["spend"])) & ~np.isnan(_floats(of["clicks"]))]
            for of in (own, pooled)
        )
        parts = [
            _capped(own[name], among[name])
            for name, among in (
                ("clicks", own),
                ("spend", own),
                ("clicks_before", pooled),
                ("before", pooled),
            )
        ]
        row, all_parts = found[key], ~np.isnan(np.stack(parts)).any(axis=0)
        assert (row["units_0"], row["values_0"]) == (all_parts.sum(), len(own))
        centres = ("centre_0", "centre_x_0", "centre_c0_0", "centre_c1_0")
        d = [part[all_parts] - row[c] for part, c in zip(parts, centres, strict=True)]
        for p in range(4):
            assert row[f"part{p}_0"] == pytest.approx(d[p].sum(), rel=1e-9, abs=1e-9)
            for q in range(p, 4):
                expected = pytest.approx(d[p] @ d[q], rel=1e-9, abs=1e-9)
                assert row[f"product{p}{q}_0"] == expected


def test_pre_treatments(connection: duckdb.DuckDBPyConnection, units: pd.DataFrame) -> None:
    found = _by_group(_run(connection, "statistics-pre-treatments"))
    for key, own, pooled in _groups(units):
        values = _floats(own["spend"])
        kept = values[values < np.nanquantile(_floats(pooled["spend"]), 0.95)]
        assert found[key]["units_0"] == kept.size
        mean = found[key]["centre_0"] + found[key]["power1_0"] / kept.size
        assert mean == pytest.approx(np.log10(kept).mean(), rel=1e-12)


def test_distributions(connection: duckdb.DuckDBPyConnection, units: pd.DataFrame) -> None:
    rows = pd.DataFrame(_run(connection, "statistics-distributions"))
    keys = ["segment", "analysis_basis", "branch", "need"]
    found = dict(iter(rows.sort_values("value").groupby(keys)))
    for key, own, _ in _groups(units):
        for need, metric in (("value_0", "spend"), ("value_1", "clicks")):
            values = _floats(own[metric])
            distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
            part = found[*key, need]
            assert part["value"].tolist() == distinct.tolist()
            assert part["units"].tolist() == counts.tolist()
            assert part["upto"].tolist() == np.cumsum(counts).tolist()


def test_pairs(connection: duckdb.DuckDBPyConnection, units: pd.DataFrame) -> None:
    rows = pd.DataFrame(_run(connection, "statistics-pairs"))
    found = rows.groupby(["segment", "analysis_basis", "branch"])["units"].sum().to_dict()
    expected = {}
    for key, own, _ in _groups(units):
        count = (~np.isnan(_floats(own["spend"])) & ~np.isnan(_floats(own["clicks"]))).sum()
        if count <= 40:
            expected[key] = count
    assert found == expected
    assert 0 < len(found) < 18


def test_every_statement_reads_only_slices() -> None:
    for path in GOLDEN.glob("statistics-*.bigquery.sql"):
        tables = parse_one(path.read_text(), dialect="bigquery").find_all(exp.Table)
        assert {table.catalog for table in tables} <= {"slices", ""}

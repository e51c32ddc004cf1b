"""Every metric of a repository is classified, and the real ones by the numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.config.classification import (
    Classified,
    Counts,
    Treatment,
    classify,
    counts,
)
from jetstream_assets.config.layout import Kind
from jetstream_assets.config.named_metrics import NamedMetric, named_metrics
from jetstream_assets.config.repository import open_configuration
from jetstream_assets.sql.day_slices import undividable
from jetstream_assets_tests.config.folder import Folder
from jetstream_assets_tests.sql.unit_days import split_metric

if TYPE_CHECKING:
    from jetstream_assets.experiments.metrics import Metric

ROOT = Path(__file__).resolve().parents[2] / "../shared/data/metric-hub"

DEFINITIONS = """
[metrics.clicks]
select_expression = "SUM(clicks)"
data_source = "events"

[metrics.kinds]
select_expression = "COUNT(DISTINCT kind)"
data_source = "events"

[metrics.rate]
depends_on = ["clicks", "kinds"]

[metrics.ranks]
select_expression = "MAX(rank)"
data_source = "ranked"

[metrics.lost]
select_expression = "SUM(clicks)"
data_source = "nowhere"

[metrics.nobodys]
select_expression = "SUM(clicks)"
data_source = "totals"

[data_sources.events]
from_expression = "telemetry.events"

[data_sources.ranked]
from_expression = \"\"\"(
  SELECT *, RANK() OVER (PARTITION BY client_id ORDER BY clicks) AS rank FROM telemetry.events
)\"\"\"

[data_sources.totals]
from_expression = "telemetry.totals"
client_id_column = "NULL"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "configuration").definitions(DEFINITIONS)


def by_name(folder: Folder, kind: Kind) -> dict[tuple[str, str], Classified]:
    found = (one for one in classify(folder.open()) if one.kind == kind)
    return {(one.metric, one.period): one for one in found}


def test_definitions_are_classified_with_their_reasons(folder: Folder) -> None:
    found = by_name(folder, Kind.DEFINITIONS)
    treated = {name: (one.treatment, one.reason) for (name, _), one in found.items()}
    assert treated["clicks"] == (Treatment.EXACT, "")
    assert treated["kinds"][0] == Treatment.WINDOWED
    assert "COUNT(DISTINCT kind)" in treated["kinds"][1]
    assert treated["ranks"][0] == Treatment.WINDOWED_SOURCE
    assert "ranked has a window function" in treated["ranks"][1]
    assert treated["lost"][0] == Treatment.UNUSABLE
    assert "nowhere" in treated["lost"][1]
    assert treated["nobodys"][0] == Treatment.UNUSABLE
    assert "'NULL'" in treated["nobodys"][1]
    assert "rate" not in treated


def test_a_metric_counts_once_for_every_list(folder: Folder) -> None:
    folder.defaults('[metrics]\nweekly = ["clicks"]\noverall = ["clicks", "kinds", "rate"]\n')
    found = classify(folder.open())
    (one, *_) = (one for one in found if one.kind == Kind.DEFAULTS)
    assert (one.path, one.app_name) == ("jetstream/defaults/fenix.toml", "fenix")
    assert counts(found)[Kind.DEFAULTS] == Counts(
        exact=2, windowed=1, windowed_source=0, unusable=0, exact_sql=1, windowed_sql=1
    )


def test_an_outcome_without_lists_is_weekly_and_overall(folder: Folder) -> None:
    metric = '[metrics.taps]\nselect_expression = "MAX(taps)"\ndata_source = "events"\n'
    folder.outcome("tapping", metric)
    found = by_name(folder, Kind.OUTCOME)
    assert set(found) == {("taps", "weekly"), ("taps", "overall")}
    assert {one.treatment for one in found.values()} == {Treatment.EXACT}


def test_an_experiment_is_taken_for_the_application_that_knows_its_metrics(folder: Folder) -> None:
    folder.own('[metrics]\nweekly = ["clicks", "ranks", "unheard_of"]\n')
    found = by_name(folder, Kind.EXPERIMENT)
    assert {one.app_name for one in found.values()} == {"fenix"}
    assert [found[name, "weekly"].treatment for name in ("clicks", "ranks", "unheard_of")] == [
        Treatment.EXACT,
        Treatment.WINDOWED_SOURCE,
        Treatment.UNUSABLE,
    ]


def test_a_file_that_cannot_be_read_stops_no_other(folder: Folder) -> None:
    folder.own('[metrics]\nweekly = ["clicks"]\n[parameters.one]\n')
    (reference,) = by_name(folder, Kind.EXPERIMENT).values()
    assert reference.treatment == Treatment.UNUSABLE
    assert "parameter" in reference.reason
    assert by_name(folder, Kind.DEFINITIONS)["clicks", ""].treatment == Treatment.EXACT


@cache
def real() -> tuple[Classified, ...]:
    if not ROOT.is_dir():
        pytest.skip(f"the real configuration is not here: no {ROOT}")
    return classify(open_configuration(str(ROOT)))


@pytest.mark.slow
def test_real_metrics_by_the_numbers() -> None:
    found = counts(real())
    assert list(found) == [Kind.DEFAULTS, Kind.OUTCOME, Kind.EXPERIMENT, Kind.DEFINITIONS]
    assert found[Kind.DEFAULTS] == Counts(175, 0, 0, 0, 52, 0)
    # Every number of references that is not exact has a reason; see the next test for the kinds.
    assert found[Kind.OUTCOME] == Counts(428, 0, 12, 0, 184, 6)
    assert found[Kind.EXPERIMENT] == Counts(2840, 67, 730, 127, 675, 379)
    assert found[Kind.DEFINITIONS] == Counts(277, 63, 8, 55, 264, 71)
    assert all(one.reason for one in real() if one.treatment != Treatment.EXACT)


@pytest.mark.slow
def test_real_expressions_alone_by_the_numbers() -> None:
    """Whatever their source: what the expressions themselves allow."""
    if not ROOT.is_dir():
        pytest.skip(f"the real configuration is not here: no {ROOT}")
    found: dict[Kind, Counter[str]] = {}
    for named in named_metrics(open_configuration(str(ROOT))):
        found.setdefault(named.kind, Counter()).update([_of_expression(named)])
    assert found[Kind.DEFAULTS] == {"exact": 175}
    assert found[Kind.OUTCOME] == {"exact": 440, "no SQL": 26}
    assert found[Kind.EXPERIMENT] == {
        "exact": 3570,
        "distinct count": 51,
        "list": 12,
        # MAX_BY of a value that is not NULL on an empty row: warehouses differ.
        "uncertain without rows": 4,
        "no SQL": 143,
        "unresolved": 127,
    }
    # SPLIT of NULL is uncertain.
    assert found[Kind.DEFINITIONS] == {
        "exact": 340,
        "distinct count": 1,
        "list": 61,
        "uncertain without rows": 1,
    }


def _of_expression(named: NamedMetric) -> str:
    if isinstance(named.meant, str):
        # The only expressions that are refused as none are ARRAY_AGG(... IGNORE NULLS).
        return "list" if "not a single SQL expression" in named.meant else "unresolved"
    if named.meant.select_expression is None:
        return "no SQL"
    reason = _reason(named.meant)
    kinds = {
        "several days once": "distinct count",
        "every row": "list",
        "without rows": "uncertain without rows",
    }
    return next((kind for told, kind in kinds.items() if told in reason), reason or "exact")


@cache
def _reason(metric: Metric) -> str:
    source = metric.data_source
    assert source is not None
    if source.client_id_column == "NULL":
        source = replace(source, client_id_column="client_id")
    if undividable(source):
        source = replace(source, from_expression="some_table")
    found = split_metric(metric.select_expression or "", source)
    return found if isinstance(found, str) else ""

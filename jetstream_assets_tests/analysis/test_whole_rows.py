from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jetstream_assets.analysis.power import DETECTABLE
from jetstream_assets.analysis.statistics import whole_rows
from jetstream_assets.experiments.hypotheses import MultipleComparisons, PowerGoal
from jetstream_assets.experiments.plan import make_plan
from jetstream_assets.experiments.windows import Period
from jetstream_assets.warehouse.tables import STATISTICS_SCHEMA
from jetstream_assets_tests.builders import make_configuration, make_summary
from jetstream_assets_tests.report.rows import statistics_rows

if TYPE_CHECKING:
    import pyarrow as pa

WINDOW = {"branch": "treatment", "comparison_to_branch": "control", "comparison": "difference"}
NUMBERS = {"point": 1.0, "lower": 0.5, "upper": 1.5, "ci_width": 0.95}


def _shard(metric: str, p_value: float) -> pa.Table:
    pair = {"metric": metric, "statistic": "mean", **WINDOW, **NUMBERS, "p_value": p_value}
    control = {"metric": metric, "statistic": "mean", "branch": "control", "point": 4.0}
    return statistics_rows(pair, control).select(STATISTICS_SCHEMA.names).cast(STATISTICS_SCHEMA)


def test_a_family_and_power_reach_over_all_shards_however_they_were_cut() -> None:
    listed = {Period.WEEK: (make_summary("clicks"), make_summary("hours"))}
    family = MultipleComparisons(("clicks", "hours"))
    configuration = make_configuration(listed, multiple_comparisons=family, power=PowerGoal(0.1))
    plan = make_plan(configuration, date(2024, 1, 14))
    shards = [_shard("clicks", 0.01), _shard("hours", 0.04)]
    found = whole_rows(plan, shards)
    assert found.schema == STATISTICS_SCHEMA
    assert whole_rows(plan, shards[::-1]) == found
    rows = found.to_pylist()
    adjusted = {r["metric"]: r["p_value_adjusted"] for r in rows if r["p_value"] is not None}
    assert adjusted == {"clicks": 0.02, "hours": 0.04}
    assert [r["metric"] for r in rows if r["statistic"] == DETECTABLE] == ["clicks", "hours"]

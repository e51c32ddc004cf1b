"""Every summary is in one shard, and little work in few of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetstream_assets.analysis.statistics import Shard
from jetstream_assets.experiments.metrics import Segment, SegmentDataSource
from jetstream_assets.experiments.plan import make_plan
from jetstream_assets.experiments.windows import Period
from jetstream_assets_tests.builders import make_configuration, make_experiment, make_summary

if TYPE_CHECKING:
    from jetstream_assets.experiments.plan import AnalysisPlan

USAGE = SegmentDataSource("usage", "telemetry.usage", -7, -1)


def plan_of(metrics: int, segments: int = 0) -> AnalysisPlan:
    """A plan with one week of so many metrics, two summaries each."""
    summaries = tuple(
        make_summary(f"metric_{number}", statistic)
        for number in range(metrics)
        for statistic in ("bootstrap_mean", "deciles")
    )
    configuration = make_configuration(
        {Period.WEEK: summaries},
        segments=tuple(Segment(f"s{n}", USAGE, "COUNT(*) > 0") for n in range(segments)),
    )
    last = make_experiment().timeline.last_enrollment_date
    return make_plan(configuration, last.replace(day=last.day + 6))


@given(st.integers(1, 40), st.integers(0, 3), st.integers(1, 9))
def test_each_summary_is_in_one_shard(metrics: int, segments: int, count: int) -> None:
    plan = plan_of(metrics, segments)
    shards = [Shard(index, count) for index in range(count)]
    (window,) = plan.windows
    found = Counter(s for shard in shards for s in shard.summaries(plan, window))
    assert found == Counter(window.summaries)
    for shard in shards[1:]:
        assert shard.has_work(plan) == bool(shard.summaries(plan, window))


@pytest.mark.parametrize(
    ("metrics", "segments", "used"),
    [(1, 0, 1), (16, 0, 1), (17, 0, 2), (8, 1, 1), (9, 1, 2), (12, 4, 4), (40, 3, 4)],
)
def test_as_many_shards_work_as_the_work_is_worth(metrics: int, segments: int, used: int) -> None:
    plan = plan_of(metrics, segments)
    assert [Shard(index, 4).has_work(plan) for index in range(4)] == [n < used for n in range(4)]

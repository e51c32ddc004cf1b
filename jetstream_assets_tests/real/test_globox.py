"""A real shop's A/B test through the command line, against pandas on the original files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from scipy import stats

from jetstream_assets_tests.pages.checks import check_numbers, check_whole, overview_of
from jetstream_assets_tests.pages.reader import open_reader
from jetstream_assets_tests.real.globox import DEVICES, SLUG, Shop, make_shop

if TYPE_CHECKING:
    from jetstream_assets_tests.real.command import Workplace
    from jetstream_assets_tests.report.consumer import Statistic

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("globox")]

SEGMENTS = ("all", "usa", "android", "ios", "no_device")
# Period in documents: first and last day of its only window.
WINDOWS = {"overall": (0, 5), "weekly": (0, 6)}
BASES = {"spend": ("enrollments", "exposures"), "orders": ("enrollments",)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The shop's folder after one run over all dates, with Dask's worker processes."""
    place = make_shop(tmp_path_factory.mktemp("globox"))
    done = place.run("--slug", SLUG, "--all-dates", "--executor", "dask")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 computed, 6 nothing due" in done.stdout
    assert "0 failures" in done.stdout
    # What the worker processes say about themselves is no news for a user.
    assert "sizeof" not in done.stderr
    return place


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop.read()


class Records:
    """A period's records, found by what tells them apart."""

    def __init__(self, records: list[Statistic]) -> None:
        self._by_key = {_key(record): record for record in records}
        assert len(self._by_key) == len(records)

    def get(self, metric: str, statistic: str, branch: str, **keys: Any) -> Statistic:  # noqa: ANN401  # any field
        wanted = {"segment": "all", "analysis_basis": "enrollments", "window_index": "1"} | keys
        fields = {"metric": metric, "statistic": statistic, "branch": branch} | wanted
        return self._by_key[tuple(fields.get(name) for name in KEYS)]


KEYS = ("metric", "statistic", "branch", "segment", "analysis_basis", "window_index",
        "comparison", "comparison_to_branch", "parameter")  # fmt: skip


def _key(record: Statistic) -> tuple[object, ...]:
    return tuple(getattr(record, name) for name in KEYS)


@pytest.fixture(scope="module", params=WINDOWS)
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def records(place: Workplace, suffix: str) -> Records:
    return Records(place.records(SLUG, suffix))


def test_everybody_who_joined_in_time_is_enrolled(place: Workplace, shop: Shop) -> None:
    enrolled = place.table("enrollments").groupby("branch").analysis_id.nunique()
    assert enrolled.to_dict() == shop.users.groupby("group").uid.nunique().to_dict()
    assert enrolled.sum() > 39_000


@pytest.mark.parametrize("segment", SEGMENTS)
def test_counts_are_those_of_the_groups(records: Records, shop: Shop, segment: str) -> None:
    for branch, users in shop.branches(0, 0, segment):
        for basis in ("enrollments", "exposures"):
            counted = records.get(
                "identity", "count", branch, segment=segment, analysis_basis=basis
            )
            assert counted.point == len(users) > 0


@pytest.mark.parametrize("basis", ["enrollments", "exposures"])
def test_segments_that_share_out_the_users_add_up(records: Records, basis: str) -> None:
    for branch in "AB":
        parts = [
            records.get("identity", "count", branch, segment=s, analysis_basis=basis).point
            for s in (*DEVICES, "no_device")
        ]
        whole = records.get("identity", "count", branch, analysis_basis=basis).point
        assert sum(parts) == whole


@pytest.mark.parametrize("segment", SEGMENTS)
def test_conversion_is_that_of_the_purchases(
    records: Records, shop: Shop, suffix: str, segment: str
) -> None:
    for branch, users in shop.branches(*WINDOWS[suffix], segment):
        bought, units = int((users.spend > 0).sum()), len(users)
        found = records.get("converted", "binomial", branch, segment=segment)
        posterior = stats.beta(1 + bought, 1 + units - bought)
        assert found.point == pytest.approx((bought + 1) / (units + 2), rel=1e-12)
        assert found.lower == pytest.approx(posterior.ppf(0.025), rel=1e-6)
        assert found.upper == pytest.approx(posterior.ppf(0.975), rel=1e-6)


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize("metric", BASES)
def test_means_and_sums_are_those_of_the_purchases(
    records: Records, shop: Shop, suffix: str, metric: str, segment: str
) -> None:
    for branch, users in shop.branches(*WINDOWS[suffix], segment):
        values = users[metric].to_numpy(dtype=float)
        for basis in BASES[metric]:
            of = {"segment": segment, "analysis_basis": basis}
            mean = records.get(metric, "mean_lm", branch, **of)
            within = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
            assert mean.point == pytest.approx(values.mean(), rel=1e-9)
            assert (mean.lower, mean.upper) == pytest.approx(within, rel=1e-6)
            total = records.get(metric, "sum", branch, **of)
            assert total.point == pytest.approx(values.sum(), rel=1e-9)


@pytest.mark.parametrize("segment", SEGMENTS)
def test_the_effect_on_spend_is_that_of_a_t_test(
    records: Records, shop: Shop, suffix: str, segment: str
) -> None:
    a, b = (users.spend for _, users in shop.branches(*WINDOWS[suffix], segment))
    expected = stats.ttest_ind(b, a).confidence_interval(0.95)
    against_a = {"comparison_to_branch": "A", "segment": segment}
    found = records.get("spend", "mean_lm", "B", comparison="difference", **against_a)
    assert found.point == pytest.approx(b.mean() - a.mean(), abs=1e-9)
    assert (found.lower, found.upper) == pytest.approx((expected.low, expected.high), rel=1e-6)
    relative = records.get("spend", "mean_lm", "B", comparison="relative_uplift", **against_a)
    assert relative.point == pytest.approx(b.mean() / a.mean() - 1, abs=1e-9)
    bootstrap = records.get("spend", "mean", "B", comparison="difference", **against_a)
    assert bootstrap.point == pytest.approx(b.mean() - a.mean(), abs=1e-9)


def test_counts_and_deciles_are_those_of_a_metric_that_is_mostly_zero(
    records: Records, shop: Shop
) -> None:
    for branch, users in shop.branches(0, 0):
        assert records.get("spend", "count", branch).point == len(users)
        for tenth in range(1, 10):
            decile = records.get("spend", "deciles", branch, parameter=tenth / 10)
            # Less than a tenth of the users bought anything.
            assert (decile.point, decile.lower, decile.upper) == (0, 0, 0)


def test_daily_conversion_is_that_of_each_day(place: Workplace, shop: Shop) -> None:
    daily = Records(place.records(SLUG, "daily"))
    for day in range(7):
        for branch, users in shop.branches(day, day):
            found = daily.get("converted", "binomial", branch, window_index=str(day + 1))
            expected = ((users.spend > 0).sum() + 1) / (len(users) + 2)
            assert found.point == pytest.approx(expected, rel=1e-12)


def test_tables_and_documents_say_the_same(place: Workplace, suffix: str, records: Records) -> None:
    rows = place.table("statistics")
    assert set(rows.status) <= {"ok", "insufficient_data"}, rows[rows.status == "failed"]
    spend = rows.query("metric == 'spend' and statistic == 'mean_lm' and comparison.isna()")
    own = spend[spend.period == {"weekly": "week"}.get(suffix, suffix)]
    assert len(own) == len(SEGMENTS) * 2 * 2
    for row in own.to_dict("records"):
        where = {key: row[key] for key in ("segment", "analysis_basis")}
        assert records.get("spend", "mean_lm", str(row["branch"]), **where).point == row["point"]


def test_the_other_documents_are_as_the_consumer_expects(place: Workplace) -> None:
    assert place.errors(SLUG) == []
    metadata = place.metadata(SLUG)
    assert set(metadata.metrics) == {"spend", "orders", "converted"}
    assert metadata.metrics["spend"].friendly_name == "Spend"


@pytest.mark.browser
def test_the_page_shows_every_number_of_the_documents(place: Workplace) -> None:
    told = overview_of(place.output, SLUG)
    with open_reader() as reader:
        check_whole(reader, place.output, SLUG, "globox")
        assert check_numbers(reader, place.output, told, ("overall", 1)) == 3
        reader.select("segment", "android")
        reader.select("window", "weekly.1")
        found = check_numbers(reader, place.output, told, ("weekly", 1), segment="android")
        assert found == 3
        reader.select("reference", "B")
        of = {"segment": "android", "reference": "B"}
        assert check_numbers(reader, place.output, told, ("weekly", 1), **of) == 3
        assert not reader.troubles()

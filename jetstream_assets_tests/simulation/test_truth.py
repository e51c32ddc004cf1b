from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from jetstream_assets.simulation.world import Effects, Measure

if TYPE_CHECKING:
    import numpy.typing as npt

    from jetstream_assets_tests.simulation.conftest import Telemetry

COLUMNS = {
    Measure.ACTIVE_HOURS: "active_hours_sum",
    Measure.URI_COUNT: "scalar_parent_browser_engagement_total_uri_count_sum",
    Measure.SEARCH_COUNT: "search_count_all",
    Measure.AD_CLICKS: "ad_clicks",
    Measure.DAYS_OF_USE: "1",
}
# Units with their branch and totals of a window; units without rows have zero.
TOTALS = """
    WITH enrolled AS (
        SELECT client_id, MIN(submission_date) AS enrolled,
               ANY_VALUE(event_map_values[1].value) AS branch
        FROM events WHERE event_method = 'enroll'
        GROUP BY client_id HAVING COUNT(DISTINCT event_map_values[1].value) = 1
    ),
    clicks AS (
        SELECT client_id, submission_date, SUM(ad_click) AS ad_clicks
        FROM search_clients_engines_sources_daily GROUP BY ALL
    ),
    daily AS (
        SELECT client_id, submission_date, COALESCE({column}, 0) AS value
        FROM clients_daily LEFT JOIN clicks USING (client_id, submission_date)
    )
    SELECT branch,
           COALESCE(SUM(value) FILTER (submission_date - enrolled BETWEEN -7 AND -1), 0)::DOUBLE,
           COALESCE(SUM(value) FILTER (submission_date - enrolled BETWEEN 0 AND 20), 0)::DOUBLE
    FROM enrolled LEFT JOIN daily USING (client_id) GROUP BY client_id, branch
"""


def totals(
    large: Telemetry, measure: Measure
) -> dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Totals before and after enrollment of the units of each branch."""
    columns = large.connection.sql(TOTALS.format(column=COLUMNS[measure])).fetchnumpy()
    branch, before, after = columns.values()
    return {slug: (before[branch == slug], after[branch == slug]) for slug in np.unique(branch)}


@pytest.mark.parametrize("measure", list(Measure))
def test_the_relative_effect_is_in_the_files(large: Telemetry, measure: Measure) -> None:
    found = totals(large, measure)
    (_, control), (_, treatment) = found["control"], found["treatment"]
    ratio = treatment.mean() / control.mean()
    # Delta method for the ratio of two independent means.
    error = ratio * np.hypot(*(x.std() / x.mean() / np.sqrt(len(x)) for x in (control, treatment)))
    truth = large.truth.experiment("large").branch("treatment").measure(measure)
    assert abs(ratio - 1 - truth.relative_uplift) < 4 * error
    # The effect is large enough to be told from none at this size.
    assert abs(truth.relative_uplift) > 4 * error


@pytest.mark.parametrize("measure", list(Measure))
def test_the_expected_mean_is_the_mean_in_the_files(large: Telemetry, measure: Measure) -> None:
    for slug, (_, after) in totals(large, measure).items():
        truth = large.truth.experiment("large").branch(slug).measure(measure)
        assert abs(after.mean() - truth.expected_mean) < 4 * after.std() / np.sqrt(len(after))


@pytest.mark.parametrize("measure", list(Measure))
def test_there_is_no_effect_before_enrollment(large: Telemetry, measure: Measure) -> None:
    found = totals(large, measure)
    (control, _), (treatment, _) = found["control"], found["treatment"]
    error = np.hypot(*(x.std() / np.sqrt(len(x)) for x in (control, treatment)))
    assert abs(treatment.mean() - control.mean()) < 4 * error
    assert control.mean() > 0


@pytest.mark.parametrize("measure", list(Measure))
def test_the_week_before_explains_the_weeks_after(large: Telemetry, measure: Measure) -> None:
    before, after = totals(large, measure)["control"]
    assert np.corrcoef(before, after)[0, 1] > 0.4


def test_counts_have_many_zeros_and_a_heavy_tail(large: Telemetry) -> None:
    _, searches = totals(large, Measure.SEARCH_COUNT)["control"]
    assert 0.2 < (searches == 0).mean() < 0.5
    assert searches.max() > 15 * searches.mean()


def test_no_day_has_more_than_24_hours_without_treatment(large: Telemetry) -> None:
    (row,) = large.rows("""
        SELECT MAX(active_hours_sum), MIN(active_hours_sum) FROM clients_daily
        WHERE experiments = [] OR experiments[1].value = 'control'""")
    assert row[0] <= 24
    assert row[1] >= 0


def test_a_compounded_effect_is_the_product_of_its_parts(large: Telemetry) -> None:
    truth = large.truth.experiment("large").branch("treatment")
    uplift = {m: 1 + truth.measure(m).relative_uplift for m in Measure}
    days = uplift[Measure.DAYS_OF_USE]
    # The enrollment day is active in any branch and few units leave: a little less than 1.1.
    assert 1.05 < days < 1.1
    assert uplift[Measure.SEARCH_COUNT] == pytest.approx(1.5 * days, rel=0.01)
    assert uplift[Measure.AD_CLICKS] == pytest.approx(1.5 * 1.4 * days, rel=0.02)
    assert uplift[Measure.URI_COUNT] == pytest.approx(0.8 * days, rel=0.01)


def test_the_skew_takes_units_from_the_last_branch(large: Telemetry) -> None:
    rows = dict(
        large.rows("""
            SELECT event_map_values[1].value, COUNT(DISTINCT client_id) FROM events
            WHERE event_method = 'enroll' GROUP BY ALL""")
    )
    # Ratio 2 : 1, of which the second lost a tenth: 0.9 / 2.9.
    share = large.truth.experiment("large").branch("treatment").units / 20_000
    error = np.sqrt(0.31 * 0.69 / 20_000)
    assert abs(share - 0.9 / 2.9) < 4 * error
    assert abs(share - 1 / 3) > 4 * error
    assert sum(rows.values()) == 20_000 + _in_several(large)


def test_the_promised_share_of_units_is_in_two_branches(large: Telemetry) -> None:
    found = _in_several(large)
    assert found == large.truth.experiment("large").units_in_several_branches
    assert abs(found / 20_000 - 0.03) < 4 * np.sqrt(0.03 * 0.97 / 20_000)


def test_about_the_promised_share_is_exposed_after_enrolling(large: Telemetry) -> None:
    (row,) = large.rows("""
        WITH e AS (SELECT client_id, MIN(submission_date) AS enrolled FROM events
                   WHERE event_method = 'enroll' GROUP BY ALL),
        x AS (SELECT client_id, MIN(submission_date) AS exposed FROM events
              WHERE event_method = 'expose' AND event_map_values[1].key = 'branchSlug'
              GROUP BY ALL)
        SELECT COUNT(*), COUNT(*) FILTER (exposed < enrolled), COUNT(*) FILTER (exposed > enrolled)
        FROM x JOIN e USING (client_id)""")
    exposed, too_early, later = row
    assert 0.45 < exposed / 20_000 <= 0.5 + 4 * np.sqrt(0.25 / 20_000)
    assert too_early == 0
    assert later > 500


def test_an_effect_is_bounded() -> None:
    with pytest.raises(ValueError, match=r"effect on ad_clicks is 1\.5, must be between -1 and 1"):
        Effects(ad_clicks=1.5)


def _in_several(large: Telemetry) -> int:
    rows = large.rows("""
        SELECT client_id FROM events WHERE event_method = 'enroll'
        GROUP BY ALL HAVING COUNT(DISTINCT event_map_values[1].value) = 2""")
    return len(rows)

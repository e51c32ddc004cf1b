from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from jetstream_assets.analysis.multiple_comparisons import with_adjusted_p_values
from jetstream_assets.experiments.experiment import Branch
from jetstream_assets.experiments.fingerprints import statistics_fingerprint
from jetstream_assets.experiments.hypotheses import Correction, MultipleComparisons
from jetstream_assets.experiments.plan import make_plan
from jetstream_assets.experiments.windows import Period
from jetstream_assets_tests.builders import make_configuration, make_experiment, make_summary
from jetstream_assets_tests.report.rows import statistics_rows

if TYPE_CHECKING:
    from jetstream_assets.experiments.experiment import Experiment

THREE = make_experiment(branches=(Branch("control"), Branch("a"), Branch("b")))
HOLM = MultipleComparisons(("clicks", "hours"))


def _pair(branch: str, to: str, p_value: float | None, **changes: object) -> dict[str, Any]:
    row = {"metric": "clicks", "statistic": "mean", "branch": branch, "comparison": "difference"}
    return {**row, "comparison_to_branch": to, "p_value": p_value, **changes}


def _adjusted(
    rows: list[dict[str, Any]], declared: MultipleComparisons = HOLM, of: Experiment = THREE
) -> list[float | None]:
    table = statistics_rows(*rows)
    found = with_adjusted_p_values(table, declared, of)
    assert found.schema == table.schema
    assert found.drop_columns(["p_value_adjusted"]) == table.drop_columns(["p_value_adjusted"])
    values: list[float | None] = found["p_value_adjusted"].to_pylist()
    return values


def test_comparisons_with_the_reference_are_the_family() -> None:
    rows = [
        _pair("a", "control", 0.01),
        _pair("control", "a", 0.01),
        _pair("b", "control", 0.02),
        _pair("a", "b", 0.001),
        _pair("a", "control", 0.03, metric="hours"),
        _pair("b", "control", 0.5, metric="hours"),
    ]
    # Ascending .01, .02, .03, .5 times 4, 3, 2, 1; both directions are one hypothesis.
    expected = [0.04, 0.04, 0.06, None, 0.06, 0.5]
    assert _adjusted(rows) == pytest.approx(expected)
    found = _adjusted(rows, replace(HOLM, method=Correction.BENJAMINI_HOCHBERG))
    assert found == pytest.approx([0.04, 0.04, 0.04, None, 0.04, 0.5])


def test_all_pairs_are_the_family_without_reference() -> None:
    rows = [_pair("a", "control", 0.01), _pair("b", "a", 0.02), _pair("control", "b", 0.5)]
    of = replace(THREE, reference_branch=None)
    assert _adjusted(rows, MultipleComparisons(("clicks",)), of) == pytest.approx([0.03, 0.04, 0.5])


def test_windows_and_bases_are_families_of_their_own() -> None:
    rows = [
        _pair("a", "control", 0.01),
        _pair("a", "control", 0.01, window_index=2),
        _pair("a", "control", 0.01, period="overall"),
        _pair("a", "control", 0.01, analysis_basis="exposures"),
    ]
    # Each counts branch b, which has no p-value, too.
    assert _adjusted(rows) == pytest.approx([0.02] * 4)


def test_segments_other_metrics_and_other_comparisons_stay_out() -> None:
    rows = [
        _pair("a", "control", 0.01),
        _pair("a", "control", 0.01, segment="heavy"),
        _pair("a", "control", 0.01, metric="other"),
        _pair("a", "control", None, comparison="relative_uplift"),
        _pair("stranger", "control", 0.01),
    ]
    assert _adjusted(rows) == pytest.approx([0.02, None, None, None, None])


def test_one_statistic_speaks_for_a_metric() -> None:
    rows = [
        _pair("a", "control", 0.01),
        _pair("a", "control", 0.02, statistic="mean_lm", covariate="preenrollment_week.clicks"),
        _pair("a", "control", 0.03, statistic="mean_lm_unadjusted"),
        _pair("a", "control", 0.04, statistic="binomial", metric="hours"),
    ]
    assert _adjusted(rows) == pytest.approx([None, 0.08, None, 0.12])


def test_a_failed_metric_still_counts() -> None:
    failed = {"metric": "hours", "statistic": "mean", "status": "failed", "reason": "no table"}
    assert _adjusted([_pair("a", "control", 0.01), failed]) == pytest.approx([0.04, None])
    assert _adjusted([_pair("a", "control", 0.01)]) == pytest.approx([0.02])


def test_sequential_companions_are_a_family_of_their_own() -> None:
    rows = [
        _pair("a", "control", 0.01),
        _pair("a", "control", 0.02, statistic="mean_sequential"),
        _pair("a", "control", 0.03, metric="hours"),
    ]
    assert _adjusted(rows) == pytest.approx([0.04, 0.04, 0.09])


def test_nothing_is_adjusted_that_was_not_declared() -> None:
    table = statistics_rows(_pair("a", "control", 0.01))
    assert with_adjusted_p_values(table, None, THREE) is table


def test_the_declaration_and_then_the_reference_decide_the_fingerprint() -> None:
    listed = {Period.WEEK: (make_summary("clicks"), make_summary("hours"))}
    on = make_experiment().timeline.last_enrollment_date.replace(day=14)

    def fingerprint(**changes: object) -> str:
        return statistics_fingerprint(make_plan(make_configuration(listed, **changes), on))  # type: ignore[arg-type]  # names fields

    other = make_experiment(reference_branch="treatment")
    bh = replace(HOLM, method=Correction.BENJAMINI_HOCHBERG)
    found = [
        fingerprint(),
        fingerprint(multiple_comparisons=HOLM),
        fingerprint(multiple_comparisons=bh),
        fingerprint(multiple_comparisons=HOLM, experiment=other),
    ]
    assert len(set(found)) == 4
    assert fingerprint(experiment=other) == found[0]

"""What a person reads of the checks: state, remedy, and what is behind it."""

from __future__ import annotations

from datetime import date

import pytest

from jetstream_assets.experiments.appraisal import Appraisal, MissingResults
from jetstream_assets.experiments.checks import Check, Listing, Verdict
from jetstream_assets.report.overview_schema import TrustRecord
from jetstream_assets.report.trust import trust_records

FAILS = {
    Check.SAMPLE_RATIO: "fail",
    Check.UNITS_IN_SEVERAL_BRANCHES: "warn",
    Check.PREENROLLMENT_BALANCE: "warn",
    Check.SOURCES_ARE_FRESH: "warn",
    Check.SOURCES_JOIN: "fail",
    Check.ONE_ROW_PER_UNIT: "fail",
    Check.METRICS_ONE_ROW_PER_UNIT: "fail",
}
SILENT = {Check.ONE_ROW_PER_UNIT, Check.METRICS_ONE_ROW_PER_UNIT}


def _told(*verdicts: Verdict, **known: object) -> dict[str, TrustRecord]:
    appraisal = Appraisal(checks=verdicts, **known)  # type: ignore[arg-type]  # fields by name
    return {record.name: record for record in trust_records(appraisal)}


@pytest.mark.parametrize("check", FAILS)
def test_a_failed_check_has_a_state_and_a_remedy(check: Check) -> None:
    found = _told(Verdict(check, passed=False, message="It is off."))[check.value]
    assert (found.state, found.message) == (FAILS[check], "It is off.")
    assert found.remedy


@pytest.mark.parametrize("check", FAILS)
def test_a_check_that_holds_needs_no_remedy_and_may_be_no_news(check: Check) -> None:
    found = _told(Verdict(check, passed=True, message="All is well.")).get(check.value)
    assert (found is None) == (check in SILENT)
    assert found is None or (found.state, found.remedy) == ("ok", None)


def test_what_could_not_be_judged_is_a_warning() -> None:
    unjudged = Verdict(Check.SAMPLE_RATIO, passed=False, message="No units.", is_judged=False)
    found = _told(unjudged)["sample_ratio"]
    assert found.state == "warn"
    assert "missing" in str(found.remedy)


def test_checks_are_told_in_one_order() -> None:
    verdicts = [Verdict(check, passed=False, message="") for check in FAILS]
    assert list(_told(*verdicts)) == list(_told(*reversed(verdicts)))


def test_numbers_that_json_lacks_are_words_and_rows_are_bounded() -> None:
    rows = ((date(2026, 3, 2), float("nan"), True, None, 1.5),) * 60
    listing = Listing(("day", "p", "is_off", "none", "share"), rows)
    facts = {"ratio": float("inf"), "units": 3}
    verdict = Verdict(Check.SAMPLE_RATIO, passed=False, message="", facts=facts, listing=listing)
    found = _told(verdict)["sample_ratio"]
    assert found.facts == {"ratio": "inf", "units": 3}
    assert found.rows == [["2026-03-02", "nan", "True", None, 1.5]] * 50
    assert TrustRecord.model_validate_json(found.model_dump_json()) == found


def test_late_days_are_counted_by_source() -> None:
    assert "late_data" not in _told()
    assert _told(late_data=())["late_data"].state == "ok"
    one, two = _told(late_data=("a",))["late_data"], _told(late_data=("a", "b"))["late_data"]
    assert (one.state, one.rows) == ("warn", [["a"]])
    assert one.message.startswith("1 source has")
    assert two.message.startswith("2 sources have")
    assert "--lookback" in str(two.remedy)


def test_only_what_failed_or_is_stale_counts_as_failed() -> None:
    missing = (
        MissingResults("failed", "no column", "week", 1, "b", 2000),
        MissingResults("failed", "no column", "week", 2, "a", 3),
        MissingResults("stale", "old", None, None, None, 1),
        MissingResults("not_due", "wait", "week", 3, "c", 9),
    )
    found = _told(missing=missing)["failed_cells"]
    assert (found.state, found.facts) == ("warn", {"results": 2004})
    assert found.message == "2,004 results have failed or are stale, of a, b."
    assert found.rows == [["failed", "no column", 2003], ["stale", "old", 1]]
    assert _told(missing=missing[3:])["failed_cells"].state == "ok"
    assert _told() == {}

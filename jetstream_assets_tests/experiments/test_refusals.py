from __future__ import annotations

from datetime import date, timedelta

import pytest

from jetstream_assets.experiments.failures import RefusalKind
from jetstream_assets.experiments.platforms import PLATFORMS
from jetstream_assets.experiments.refusals import refusal
from jetstream_assets_tests.builders import make_configuration, make_experiment

ON = date(2024, 1, 20)

# In the order of the rules: everything below the first is wrong too, and the first is told.
WRONG: list[tuple[dict[str, object], RefusalKind, str]] = [
    ({"slug": ""}, RefusalKind.NO_SLUG, "no slug"),
    ({"skip": True}, RefusalKind.SKIPPED, "sets skip = true. Remove the key"),
    ({"branches": ()}, RefusalKind.NO_BRANCHES, "has no branches, so there is nothing to compare"),
    (
        {"enrollment_period": 0},
        RefusalKind.NO_ENROLLMENT_PERIOD,
        "an enrollment period of 0 days; it must be at least 1. Set enrollment_period",
    ),
    ({"start_date": None}, RefusalKind.NO_START_DATE, "has no start date. Launch it, or set"),
    (
        {"end_date": date(2024, 1, 19)},
        RefusalKind.ENDED,
        "ended on 2024-01-19, before 2024-01-20. Ask for a date up to its end",
    ),
    ({"is_rollout": True}, RefusalKind.ROLLOUT, "is a rollout"),
    (
        {"app_name": "unheard_of"},
        RefusalKind.UNSUPPORTED_APPLICATION,
        "'unheard_of', which is not supported. Supported are firefox_desktop, fenix, focus",
    ),
    (
        {"enrollment_end_date": None},
        RefusalKind.ENROLLMENT_NOT_COMPLETE,
        "still enrolls: Experimenter has no enrollment end date. End enrollment there, or set",
    ),
    (
        {"enrollment_period": 35, "end_date": date(2024, 2, 5)},
        RefusalKind.ENROLLMENT_TOO_LONG,
        "enrolls from 2024-01-01 to 2024-02-05, and ends on 2024-02-05: no day is left",
    ),
]


def refused(changes: dict[str, object], on: date = ON) -> tuple[RefusalKind, str] | None:
    changes = dict(changes)
    skip = bool(changes.pop("skip", False))
    found = refusal(make_configuration(experiment=make_experiment(**changes), skip=skip), on)
    return None if found is None else (found.kind, found.message)


@pytest.mark.parametrize(("changes", "kind", "message"), WRONG)
def test_every_refusal_says_what_was_found_and_what_to_do(
    changes: dict[str, object], kind: RefusalKind, message: str
) -> None:
    found = refused(changes)
    assert found is not None
    assert found[0] == kind
    assert message in found[1]
    assert found[1].endswith(".")


@pytest.mark.parametrize("first", range(len(WRONG) - 1))
def test_the_first_reason_is_told(first: int) -> None:
    changes: dict[str, object] = {}
    for later, _, _ in reversed(WRONG[first:-1]):
        changes |= later
    found = refused(changes)
    assert found is not None
    assert found[0] == WRONG[first][1]


def test_a_good_experiment_is_not_refused() -> None:
    assert refused({}) is None


@pytest.mark.parametrize("app_name", PLATFORMS)
def test_every_platform_is_supported(app_name: str) -> None:
    assert refused({"app_name": app_name}) is None


def test_the_last_day_is_fine() -> None:
    assert refused({"end_date": ON}) is None
    assert refused({"end_date": None}) is None


def test_a_configured_period_stands_for_the_end_of_enrollment() -> None:
    assert refused({"enrollment_end_date": None, "has_configured_enrollment_period": True}) is None


@pytest.mark.parametrize("days", [1, 30])
def test_before_the_launch_nothing_is_refused(days: int) -> None:
    before = date(2024, 1, 1) - timedelta(days=days)
    assert refused({}, before) is None
    assert refused({"enrollment_end_date": None}, before) is None


@pytest.mark.parametrize(
    ("on", "is_refused"),
    [(date(2024, 1, 1), False), (date(2024, 1, 7), False), (date(2024, 1, 8), True)],
)
def test_until_the_planned_end_of_enrollment_results_are_provisional(
    on: date, *, is_refused: bool
) -> None:
    found = refused({"enrollment_end_date": None}, on)
    assert (found is not None) == is_refused
    assert found is None or found[0] == RefusalKind.ENROLLMENT_NOT_COMPLETE


def test_an_unknown_enrollment_period_is_refused_at_any_time() -> None:
    found = refused({"enrollment_end_date": None, "enrollment_period": 0}, date(2024, 1, 1))
    assert found is not None
    assert found[0] == RefusalKind.NO_ENROLLMENT_PERIOD


@pytest.mark.parametrize(("period", "kind"), [(34, None), (35, RefusalKind.ENROLLMENT_TOO_LONG)])
def test_one_day_of_analysis_is_enough(period: int, kind: RefusalKind | None) -> None:
    found = refused({"enrollment_period": period})
    assert (found and found[0]) == kind

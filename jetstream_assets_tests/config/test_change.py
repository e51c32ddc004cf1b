"""Two readings of a configuration are compared by what they mean."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest

from jetstream_assets.config.change import changed_experiments, changed_files
from jetstream_assets.config.experimenter import ExperimentRecords
from jetstream_assets.config.location import Files
from jetstream_assets.config.planning import Planner
from jetstream_assets.config.repository import ConfigurationRepository, repository_of
from jetstream_assets_tests.config.folder import RECORD, SLUG

OTHER = "other-experiment"
RECORDS = ExperimentRecords((RECORD, replace(RECORD, slug=OTHER)), ())
OWN, SHARED = f"jetstream/{SLUG}.toml", "definitions/fenix.toml"
DEFAULTS, OUTCOME = "jetstream/defaults/fenix.toml", "jetstream/outcomes/fenix/speed.toml"
FUNCTIONS = "definitions/functions.toml"
FILES = {
    SHARED: """
        [metrics.clicks]
        select_expression = "{{agg_sum('clicks')}}"
        data_source = "events"
        friendly_name = "Clicks"
        statistics = { bootstrap_mean = {} }
        [metrics.unused]
        select_expression = "COUNT(*)"
        data_source = "events"
        [data_sources.events]
        from_expression = "telemetry.events"
        [segments.data_sources.usage]
        from_expression = "telemetry.usage"
        [segments.new]
        data_source = "usage"
        select_expression = "COUNT(*) = 0"
        """,
    FUNCTIONS: """
        [functions.agg_sum]
        definition = "SUM({select_expr})"
        """,
    OWN: """
        [experiment]
        end_date = "2024-02-01"
        segments = ["new"]
        [metrics]
        weekly = ["clicks"]
        """,
}


def planner(files: dict[str, str | None], commit: str = "new") -> Planner:
    """The files of the first reading with these in their places; None for a deleted one."""
    texts = {path: text for path, text in {**FILES, **files}.items() if text is not None}
    contents = {path: dedent(text).encode() for path, text in texts.items()}
    return Planner(RECORDS, repository_of(Files(contents, commit), "somewhere"))


def what(files: dict[str, str | None], slug: str = SLUG) -> tuple[str, ...]:
    changes = changed_experiments(planner({}, "old"), planner(files), (SLUG, OTHER))
    assert all(change.what for change in changes)
    return {change.slug: change.what for change in changes}.get(slug, ())


def amended(path: str, old: str, new: str) -> dict[str, str | None]:
    assert old in FILES[path]
    return {path: FILES[path].replace(old, new)}


def added(path: str, text: str) -> dict[str, str | None]:
    return {path: dedent(FILES.get(path, "")) + dedent(text)}


CLICKS = "bootstrap_mean of clicks"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, ()),
        (amended(OWN, "[experiment]", "# A comment\n[experiment]"), ()),
        (amended(SHARED, '"Clicks"', '"Number of clicks"'), ()),
        (amended(SHARED, '"COUNT(*)"', '"COUNT(1)"'), ()),
        (amended(OWN, "[metrics]", "[metrics.idle]\nselect_expression = 'SUM(x)'\n[metrics]"), ()),
        (amended(SHARED, "'clicks'", "'hits'"), ("metric clicks",)),
        (amended(FUNCTIONS, "SUM", "MAX"), ("metric clicks",)),
        (amended(SHARED, "telemetry.events", "telemetry.more"), ("data source events",)),
        (amended(SHARED, "COUNT(*) = 0", "COUNT(*) < 2"), ("segment new",)),
        (amended(SHARED, "telemetry.usage", "telemetry.more"), ("segment new",)),
        (amended(OWN, '["new"]', "[]"), ("segment new removed",)),
        (
            amended(OWN, "2024-02-01", "2024-02-02"),
            ("end date from 2024-02-01 to 2024-02-02",),
        ),
        (
            amended(OWN, "[experiment]", "[experiment]\nenrollment_period = 9"),
            (
                "enrollment period from 7 to 9",
                "end of enrollment",
            ),
        ),
        (
            amended(OWN, "[experiment]", "[experiment]\nreference_branch = 'treatment'"),
            ("reference branch from control to treatment",),
        ),
        (
            amended(OWN, "[experiment]", "[experiment]\nenrollment_query = 'SELECT 1'"),
            ("enrollment query added",),
        ),
        (
            amended(OWN, "[experiment]", "[experiment]\nskip = true"),
            ("skip from False to True",),
        ),
        (
            amended(OWN, "weekly", "overall"),
            (f"overall: {CLICKS} added", f"weekly: {CLICKS} removed"),
        ),
        (
            amended(
                SHARED, "bootstrap_mean = {}", "bootstrap_mean = { confidence_interval = 0.9 }"
            ),
            (f"weekly: {CLICKS}",),
        ),
        (
            {OWN: None},
            (
                "end date from 2024-02-01 to 2024-02-05",
                "segment new removed",
                "data source events removed",
                "metric clicks removed",
                f"weekly: {CLICKS} removed",
            ),
        ),
    ],
)
def test_what_decides_results_is_a_change(
    files: dict[str, str | None], expected: tuple[str, ...]
) -> None:
    assert sorted(what(files)) == sorted(expected)
    # The other experiment has no file and uses nothing.
    assert what(files, OTHER) == ()


def test_defaults_change_every_experiment_of_the_application() -> None:
    defaults: dict[str, str | None] = {DEFAULTS: '[metrics]\nweekly = ["clicks"]'}
    assert what(defaults) == ()
    assert f"weekly: {CLICKS} added" in what(defaults, OTHER)


def test_an_outcome_changes_the_experiments_that_use_it() -> None:
    outcome = """
        friendly_name = "Speed"
        description = "How fast"
        [metrics.taps]
        select_expression = "SUM(taps)"
        data_source = "events"
        statistics = { bootstrap_mean = {} }
        """
    used = FILES[OWN].replace("[experiment]", '[experiment]\noutcomes = ["speed"]')
    old = planner({OUTCOME: outcome, OWN: used}, "old")
    new = planner({OUTCOME: outcome.replace("SUM", "MAX"), OWN: used})
    (change,) = changed_experiments(old, new, (SLUG, OTHER))
    assert (change.slug, change.what) == (SLUG, ("metric taps",))
    named = planner({OUTCOME: outcome.replace("How fast", "Speed of it"), OWN: used})
    assert changed_experiments(old, named, (SLUG, OTHER)) == ()


def test_a_configuration_that_breaks_or_is_mended_is_a_change() -> None:
    broken = amended(OWN, '["clicks"]', '["clics"]')
    (found,) = what(broken)
    assert found.startswith(f"it is refused now: {OWN}: metrics.weekly: There is no metric 'clics'")
    back = changed_experiments(planner(broken), planner({}), (SLUG,))
    assert [change.what for change in back] == [("its configuration, which can be used now",)]
    assert changed_experiments(planner(broken), planner(broken), (SLUG,)) == ()


def test_files_that_differ_are_named() -> None:
    def repository(files: dict[str, str | None]) -> ConfigurationRepository:
        return planner(files).repository

    new = repository({OWN: "[experiment]", SHARED: None, DEFAULTS: ""})
    assert changed_files(repository({}), new) == (
        (SHARED, "deleted"),
        (DEFAULTS, "added"),
        (OWN, "changed"),
    )
    assert changed_files(new, new) == ()

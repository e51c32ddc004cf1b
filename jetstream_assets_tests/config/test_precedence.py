from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.metrics import AnalysisBasis, ExperimentsColumn
from jetstream_assets.experiments.windows import Period
from jetstream_assets_tests.config.folder import CLICKS

if TYPE_CHECKING:
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets_tests.config.folder import Folder


def listed(configuration: AnalysisConfiguration, period: Period) -> list[str]:
    return [f"{s.metric}/{s.statistic}" for s in configuration.summaries(period)]


def metrics(*names: str, statistic: str = "bootstrap_mean") -> str:
    return "".join(
        f"""
[metrics.{name}]
select_expression = "SUM({name})"
data_source = "events"
statistics = {{ {statistic} = {{}} }}
"""
        for name in names
    )


EVENTS = """
[data_sources.events]
from_expression = "telemetry.events"
"""


def test_an_experiment_without_a_file_has_defaults_and_outcomes(folder: Folder) -> None:
    folder.defaults('[metrics]\ndaily = ["clicks"]\n' + CLICKS)
    folder.outcome("reading", metrics("pages"))
    configuration = folder.resolve(outcomes=("reading",))
    assert listed(configuration, Period.DAY) == ["clicks/bootstrap_mean"]
    assert listed(configuration, Period.WEEK) == ["pages/bootstrap_mean"]
    assert listed(configuration, Period.OVERALL) == ["pages/bootstrap_mean"]
    assert [metric.name for metric in configuration.metrics] == ["clicks", "pages"]
    [outcome] = configuration.outcomes
    assert (outcome.slug, outcome.friendly_name, outcome.metrics) == (
        "reading",
        "An outcome",
        ("pages",),
    )
    assert outcome.commit == configuration.commit


def test_an_experiment_without_anything_is_empty(folder: Folder) -> None:
    configuration = folder.resolve()
    assert configuration.periods == ()
    assert configuration.metrics == ()
    assert configuration.warnings == ()


def test_lists_add_up_and_each_summary_comes_once(folder: Folder) -> None:
    folder.defaults(
        '[metrics]\nweekly = ["clicks", "pages"]\n' + metrics("clicks", "pages") + EVENTS
    )
    folder.outcome("reading", 'weekly = ["pages", "hours"]\n' + metrics("hours"))
    folder.own('[metrics]\nweekly = ["tabs", "clicks"]\n' + metrics("tabs"))
    configuration = folder.resolve(outcomes=("reading",))
    assert listed(configuration, Period.WEEK) == [
        f"{name}/bootstrap_mean" for name in ("tabs", "clicks", "pages", "hours")
    ]
    assert listed(configuration, Period.OVERALL) == []


def test_periods_come_in_the_order_of_the_model(folder: Folder) -> None:
    keys = [period.config_key for period in reversed(Period)]
    folder.own("[metrics]\n" + "".join(f'{key} = ["clicks"]\n' for key in keys) + CLICKS)
    assert [p.period for p in folder.resolve().periods] == list(Period)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (("definitions",), "SUM(d)"),
        (("definitions", "outcome"), "SUM(o)"),
        (("definitions", "outcome", "defaults"), "SUM(f)"),
        (("definitions", "outcome", "defaults", "own"), "SUM(e)"),
        (("definitions", "own"), "SUM(e)"),
        (("outcome", "own"), "SUM(e)"),
    ],
)
def test_the_highest_layer_wins(folder: Folder, layers: tuple[str, ...], expected: str) -> None:
    text = '[metrics.x]\nselect_expression = "SUM({})"\ndata_source = "events"\n'
    text += "statistics = {{ sum = {{}} }}\n"
    names = {"definitions": "d", "outcome": "o", "defaults": "f", "own": "e"}
    folder.own('[metrics]\nweekly = ["x"]\n' + EVENTS)
    folder.outcome("reading", "")
    if "own" in layers:
        folder.own('[metrics]\nweekly = ["x"]\n' + text.format("e") + EVENTS)
    if "outcome" in layers:
        folder.outcome("reading", 'weekly = ["x"]\n' + text.format(names["outcome"]))
    if "defaults" in layers:
        folder.defaults(text.format(names["defaults"]))
    if "definitions" in layers:
        folder.definitions(text.format(names["definitions"]))
    configuration = folder.resolve(outcomes=("reading",))
    assert configuration.metric("x").select_expression == expected


def test_the_first_outcome_wins_over_the_second(folder: Folder) -> None:
    body = '[metrics.x]\nselect_expression = "SUM({})"\ndata_source = "events"\n'
    body += "statistics = {{ sum = {{}} }}\n"
    folder.outcome("one", body.format("one") + EVENTS).outcome("two", body.format("two"))
    folder.own('[experiment]\noutcomes = ["two", "one"]')
    configuration = folder.resolve(outcomes=("one",))
    assert configuration.experiment.outcomes == ("one", "two")
    assert configuration.metric("x").select_expression == "SUM(one)"


def test_statistics_replace_the_whole_set_and_keep_the_body(folder: Folder) -> None:
    folder.definitions(CLICKS)
    folder.own('[metrics]\nweekly = ["clicks"]\n[metrics.clicks.statistics.deciles]\n')
    configuration = folder.resolve()
    assert listed(configuration, Period.WEEK) == ["clicks/deciles"]
    assert configuration.metric("clicks").select_expression == "SUM(clicks)"


def test_statistics_of_a_definition_serve_when_the_experiment_gives_none(folder: Folder) -> None:
    folder.definitions(CLICKS)
    folder.own('[metrics]\nweekly = ["clicks"]\n[metrics.clicks]\nfriendly_name = "Own clicks"\n')
    configuration = folder.resolve()
    assert listed(configuration, Period.WEEK) == ["clicks/bootstrap_mean"]
    assert configuration.metric("clicks").friendly_name == "Own clicks"


def test_a_complete_definition_takes_only_statistics_from_the_shared_one(folder: Folder) -> None:
    folder.definitions(
        CLICKS.replace("[metrics.clicks]", '[metrics.clicks]\nfriendly_name = "Shared"')
    )
    folder.own(
        '[metrics]\nweekly = ["clicks"]\n'
        '[metrics.clicks]\nselect_expression = "MAX(clicks)"\ndata_source = "events"\n'
    )
    configuration = folder.resolve()
    assert configuration.metric("clicks").select_expression == "MAX(clicks)"
    assert configuration.metric("clicks").friendly_name == ""
    assert listed(configuration, Period.WEEK) == ["clicks/bootstrap_mean"]


def test_false_and_zero_override(folder: Folder) -> None:
    folder.definitions(
        CLICKS.replace("[metrics.clicks]", "[metrics.clicks]\nbigger_is_better = true")
    )
    folder.defaults('[experiment]\nskip = true\n[metrics]\nweekly = ["clicks"]')
    folder.own(
        "[experiment]\nskip = false\nenrollment_period = 0\n"
        "[metrics.clicks]\nbigger_is_better = false"
    )
    configuration = folder.resolve()
    assert configuration.metric("clicks").bigger_is_better is False
    assert configuration.skip is False
    assert configuration.experiment.enrollment_period == 0


def test_an_absent_value_does_not_override(folder: Folder) -> None:
    folder.definitions(
        CLICKS.replace(
            "[metrics.clicks]",
            '[metrics.clicks]\nbigger_is_better = false\nanalysis_bases = ["exposures"]',
        )
    )
    folder.own('[metrics]\nweekly = ["clicks"]\n[metrics.clicks.statistics.sum]\n')
    metric = folder.resolve().metric("clicks")
    assert metric.bigger_is_better is False
    assert metric.analysis_bases == (AnalysisBasis.EXPOSURES,)


def test_data_sources_merge_field_by_field(folder: Folder) -> None:
    folder.definitions(
        CLICKS + 'experiments_column_type = "glean"\nclient_id_column = "client_info.client_id"\n'
    )
    folder.own(
        '[metrics]\nweekly = ["clicks"]\n[data_sources.events]\nexperiments_column_type = "None"'
    )
    source = folder.resolve().metric("clicks").data_source
    assert source is not None
    assert source.experiments_column == ExperimentsColumn.NONE
    assert source.client_id_column == "client_info.client_id"
    assert source.from_expression == "telemetry.events"


def test_the_jetstream_directory_is_merged_over_the_root(folder: Folder) -> None:
    folder.definitions(CLICKS)
    folder.write("jetstream/definitions/fenix.toml", '[metrics.clicks]\ndescription = "upper"')
    folder.own('[metrics]\nweekly = ["clicks"]')
    metric = folder.resolve().metric("clicks")
    assert (metric.description, metric.select_expression) == ("upper", "SUM(clicks)")


def test_segments_are_replaced_as_a_whole(folder: Folder) -> None:
    segment = '[segments.night]\ndata_source = "s"\nselect_expression = "LOGICAL_OR({})"\n'
    source = (
        '[segments.data_sources.s]\nfrom_expression = "t.s"\nwindow_start = {}\nwindow_end = 0\n'
    )
    folder.definitions(segment.format("d") + 'description = "shared"\n' + source.format(-7))
    folder.own('[experiment]\nsegments = ["night"]\n' + segment.format("e"))
    [found] = folder.resolve().segments
    assert (found.select_expression, found.description) == ("LOGICAL_OR(e)", "")
    assert (found.data_source.window_start, found.data_source.window_end) == (-7, 0)


def test_configured_segments_come_first_and_once(folder: Folder) -> None:
    segments = "".join(
        f'[segments.{name}]\ndata_source = "s"\nselect_expression = "LOGICAL_OR({name})"\n'
        for name in "abc"
    )
    source = '[segments.data_sources.s]\nfrom_expression = "`x.{dataset}.s`"\n'
    source += 'default_dataset = "elsewhere"\n'
    folder.definitions(segments + source)
    folder.own('[experiment]\nsegments = ["c", "a"]')
    configuration = folder.resolve(segments=("a", "b"))
    assert [segment.name for segment in configuration.segments] == ["c", "a", "b"]
    assert configuration.experiment.segments == ("c", "a", "b")
    expression = configuration.segments[0].data_source.from_expression
    assert expression == "`x.org_mozilla_fenix_beta.s`"
    without_app = folder.resolve(app_id="").segments[0].data_source
    assert without_app.from_expression == "`x.elsewhere.s`"


def test_wildcards_change_what_lower_layers_define(folder: Folder) -> None:
    folder.defaults(
        '[metrics]\nweekly = ["search_a", "search_b", "clicks"]\n'
        + metrics("search_a", "search_b", "clicks")
        + EVENTS
    )
    folder.own(
        """
        [metrics."search_*"]
        bigger_is_better = false
        [metrics."nothing_*"]
        bigger_is_better = false
        [metrics.search_b]
        bigger_is_better = true
        [data_sources."*"]
        experiments_column_type = "native"
        """
    )
    configuration = folder.resolve()
    better = {m.name: m.bigger_is_better for m in configuration.metrics}
    assert better == {"search_a": False, "search_b": True, "clicks": True}
    assert {m.data_source.experiments_column for m in configuration.metrics if m.data_source} == {
        ExperimentsColumn.NATIVE
    }


def test_a_wildcard_defines_nothing_itself(folder: Folder) -> None:
    folder.own('[metrics]\nweekly = ["search_a"]\n[metrics."search_*"]\ndata_source = "events"')
    with pytest.raises(ConfigError, match="There is no metric 'search_a'") as caught:
        folder.resolve()
    assert (caught.value.path, caught.value.key) == (
        "jetstream/my-experiment.toml",
        "metrics.weekly",
    )


def test_resolving_changes_nothing(folder: Folder) -> None:
    folder.definitions(CLICKS)
    folder.own('[metrics]\nweekly = ["clicks"]\n[metrics.clicks.statistics.deciles]\n')
    folder.write("jetstream/other.toml", '[metrics]\nweekly = ["clicks"]')
    first, other = folder.resolve(), folder.resolve(slug="other")
    assert listed(first, Period.WEEK) == ["clicks/deciles"]
    assert listed(other, Period.WEEK) == ["clicks/bootstrap_mean"]
    assert folder.resolve() == first

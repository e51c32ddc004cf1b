from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.windows import Period
from jetstream_assets_tests.config.folder import CLICKS

if TYPE_CHECKING:
    from jetstream_assets_tests.config.folder import Folder

OWN = "jetstream/my-experiment.toml"
FUNCTIONS = """
[functions.agg_sum]
definition = "COALESCE(SUM({select_expr}), 0)"
[functions.in_braces]
definition = "REGEXP_CONTAINS({select_expr}, r'{{{{2}}}}')"
[functions.reaching]
definition = "{select_expr.__class__}"
"""


def metric(expression: str, more: str = "") -> str:
    return f"""
    [metrics]
    weekly = ["x"]
    [metrics.x]
    select_expression = '''{expression}'''
    data_source = "events"
    statistics = {{ sum = {{}} }}
    {more}
    [data_sources.events]
    from_expression = "telemetry.events"
    """


def source(from_expression: str, more: str = "") -> str:
    return f"""
    [metrics]
    weekly = ["x"]
    [metrics.x]
    select_expression = "SUM(x)"
    data_source = "events"
    statistics = {{ sum = {{}} }}
    [data_sources.events]
    from_expression = '''{from_expression}'''
    {more}
    """


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("SUM(x)", "SUM(x)"),
        ("  SUM(x)\n", "SUM(x)"),
        ("{{agg_sum('x')}}", "COALESCE(SUM(x), 0)"),
        ("{{ agg_sum('x') }} / {{ agg_sum(\"y\") }}", "COALESCE(SUM(x), 0) / COALESCE(SUM(y), 0)"),
        ("COUNTIF(name = '{experiment_slug}:a')", "COUNTIF(name = 'my-experiment:a')"),
        # Two braces are Jinja's, so a literal brace is written as a text of Jinja's.
        (
            "COUNTIF(REGEXP_CONTAINS(x, r'a{{ '{{' }}2{{ '}}' }}'))",
            "COUNTIF(REGEXP_CONTAINS(x, r'a{2}'))",
        ),
        ("LOGICAL_OR({{ in_braces('x') }})", "LOGICAL_OR(REGEXP_CONTAINS(x, r'{2}'))"),
    ],
)
def test_select_expressions(folder: Folder, written: str, expected: str) -> None:
    folder.write("definitions/functions.toml", FUNCTIONS).own(metric(written))
    assert folder.resolve().metric("x").select_expression == expected


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "The SQL is empty"),
        ("SUM(x", "The SQL cannot be parsed, line 1, column"),
        ("SUM(x) AS y", "not a single SQL expression"),
        ("SELECT 1", "not a single SQL expression"),
        ("SUM(x), SUM(y)", "The SQL cannot be parsed"),
        ("SUM(x); DROP TABLE y", "has a semicolon"),
        ("DROP TABLE y", "not a single SQL expression"),
        ("CALL run()", "not a single SQL expression"),
        ("{{agg_summ('x')}}", "'agg_summ' is undefined"),
        ("{{ range(10) }}", "'range' is undefined"),
        ("{{agg_sum()}}", "missing 1 required positional argument"),
        ("{{agg_sum('x')", "cannot be rendered"),
        ("{{ parameters.nothing }}", "has no attribute 'nothing'"),
        ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__'"),
        ("SUM({slug})", "'slug' is no placeholder here; allowed: {experiment_slug}"),
        ("SUM({experiment_slug.__class__})", "is no placeholder here"),
        ("SUM({experiment_slug!r})", "is no placeholder here"),
        ("SUM({0})", "is no placeholder here"),
        ("SUM(x) + '}'", "Double a brace"),
    ],
)
def test_bad_select_expressions_name_file_and_key(
    folder: Folder, written: str, message: str
) -> None:
    folder.write("definitions/functions.toml", FUNCTIONS).own(metric(written))
    with pytest.raises(ConfigError) as caught:
        folder.resolve()
    assert message in str(caught.value)
    assert (caught.value.path, caught.value.key) == (OWN, "metrics.x.select_expression")


def test_a_function_that_reaches_is_an_error_of_its_own_file(folder: Folder) -> None:
    folder.write("definitions/functions.toml", FUNCTIONS).own(metric("{{reaching('x')}}"))
    with pytest.raises(ConfigError, match="no placeholder here") as caught:
        folder.resolve()
    assert caught.value.path == "definitions/functions.toml"
    assert caught.value.key == "functions.reaching.definition"


def test_an_unreadable_functions_file_hits_only_those_who_need_it(folder: Folder) -> None:
    folder.write("definitions/functions.toml", "functions = 1").own(metric("SUM(x)"))
    assert folder.resolve().metric("x").select_expression == "SUM(x)"
    folder.own(metric("{{agg_sum('x')}}"))
    with pytest.raises(ConfigError, match="functions") as caught:
        folder.resolve()
    assert caught.value.path == "definitions/functions.toml"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("telemetry.events", "telemetry.events"),
        ("`my-project.{dataset}.events`", "`my-project.org_mozilla_fenix_beta.events`"),
        (
            "(SELECT * FROM t WHERE slug = '{{experiment.normandy_slug}}')",
            "(SELECT * FROM t WHERE slug = 'my-experiment')",
        ),
        (
            "(SELECT * FROM {dataset}.t WHERE d >= '{{experiment.start_date_str}}')",
            "(SELECT * FROM org_mozilla_fenix_beta.t WHERE d >= '2024-01-01')",
        ),
        ("(SELECT * FROM t WHERE id = '{{abc-def}}')", "(SELECT * FROM t WHERE id = '{abc-def}')"),
        ("(SELECT 1 UNION ALL SELECT 2)", "(SELECT 1 UNION ALL SELECT 2)"),
    ],
)
def test_from_expressions(folder: Folder, written: str, expected: str) -> None:
    folder.own(source(written))
    found = folder.resolve().metric("x").data_source
    assert found is not None
    assert found.from_expression == expected


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "The SQL is empty"),
        ("SELECT 1", "single table or a query in parentheses"),
        ("a; DROP TABLE b", "has a semicolon"),
        ("(DROP TABLE b)", "single table or a query in parentheses"),
        ("a JOIN b USING (c)", "not a single table"),
        ("a, b", "not a single table"),
        ("a WHERE b", "The SQL cannot be parsed"),
        ("`x.{datasett}.y`", "Did you mean 'dataset'?"),
        ("(SELECT * FROM t WHERE a = '{{experiment.secret}}')", "has no attribute 'secret'"),
    ],
)
def test_bad_from_expressions_name_file_and_key(folder: Folder, written: str, message: str) -> None:
    folder.own(source(written))
    with pytest.raises(ConfigError) as caught:
        folder.resolve()
    assert message in str(caught.value)
    assert (caught.value.path, caught.value.key) == (OWN, "data_sources.events.from_expression")


@pytest.mark.parametrize("key", ["client_id_column", "group_id_column", "submission_date_column"])
def test_columns_are_paths(folder: Folder, key: str) -> None:
    folder.own(source("t", f'{key} = "client_info.client_id"'))
    assert folder.resolve().metric("x").data_source is not None
    folder.own(source("t", f'{key} = "id) OR (1 = 1"'))
    with pytest.raises(ConfigError, match="is no column") as caught:
        folder.resolve()
    assert caught.value.key == f"data_sources.events.{key}"


RATIO = """
[metrics]
weekly = ["rate"]
[metrics.rate]
depends_on = ["clicks", "views"]
statistics = { population_ratio = { numerator = "clicks", denominator = "views" } }
[metrics.views]
select_expression = "SUM(views)"
data_source = "events"
"""


def test_a_ratio_brings_its_parts(folder: Folder) -> None:
    folder.own(RATIO + CLICKS)
    configuration = folder.resolve()
    assert [m.name for m in configuration.metrics] == ["clicks", "rate", "views"]
    rate = configuration.metric("rate")
    assert (rate.select_expression, rate.data_source) == (None, None)
    assert rate.depends_on == ("clicks", "views")
    [summary] = configuration.summaries(Period.WEEK)
    assert summary.parameters == (
        ("confidence_interval", 0.95),
        ("denominator", "views"),
        ("drop_highest", 0.005),
        ("interval", "bootstrap"),
        ("num_samples", 10_000),
        ("numerator", "clicks"),
    )


def test_a_ratio_takes_no_sql_from_the_shared_definition(folder: Folder) -> None:
    folder.definitions(
        CLICKS
        + '[metrics.rate]\nselect_expression = "AVG(r)"\ndata_source = "events"\ndescription = "d"'
    )
    folder.own(RATIO)
    rate = folder.resolve().metric("rate")
    assert (rate.select_expression, rate.data_source, rate.description) == (None, None, "d")


@pytest.mark.parametrize(
    ("depends", "circle"),
    [
        ({"a": "a"}, "a -> a"),
        ({"a": "b", "b": "a"}, "a -> b -> a"),
        ({"a": "b", "b": "c", "c": "b"}, "b -> c -> b"),
    ],
)
def test_circles_are_shown(folder: Folder, depends: dict[str, str], circle: str) -> None:
    tables = "".join(
        f'[metrics.{name}]\ndepends_on = ["{on}"]\nstatistics = {{ sum = {{}} }}\n'
        for name, on in depends.items()
    )
    folder.own('[metrics]\nweekly = ["a"]\n' + tables)
    with pytest.raises(ConfigError, match="depends on itself") as caught:
        folder.resolve()
    assert circle in str(caught.value)
    assert caught.value.key.endswith(".depends_on")


def test_analysis_units_must_be_supported_by_the_data_source(folder: Folder) -> None:
    folder.own(source("t", 'analysis_units = ["profile_group_id"]'))
    with pytest.raises(ConfigError, match="for client_id, but its data source 'events'") as caught:
        folder.resolve()
    assert caught.value.key == "metrics.x.analysis_units"


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ('[metrics]\nweekly = ["x"]', "metrics.weekly", "There is no metric 'x'"),
        (
            '[metrics]\nweekly = ["click"]' + CLICKS,
            "metrics.weekly",
            "Did you mean 'clicks'?",
        ),
        (
            '[metrics]\nweekly = ["x"]\n[metrics.x]\nselect_expression = "SUM(x)"',
            "metrics.x",
            "say data_source",
        ),
        (
            '[metrics]\nweekly = ["x"]\n[metrics.x.statistics.sum]',
            "metrics.x",
            "say select_expression",
        ),
        (
            (
                '[metrics]\nweekly = ["x"]\n'
                '[metrics.x]\nselect_expression = "1"\ndata_source = "evens"\n'
                'statistics = { sum = {} }\n[data_sources.events]\nfrom_expression = "e"'
            ),
            "metrics.x.data_source",
            "Did you mean 'events'?",
        ),
        (
            '[metrics]\nweekly = ["clicks"]'
            + CLICKS.replace("statistics = { bootstrap_mean = {} }", ""),
            "metrics.clicks.statistics",
            "has no statistic",
        ),
        (
            '[metrics]\nweekly = ["my metric"]'
            + CLICKS.replace("metrics.clicks", 'metrics."my metric"'),
            'metrics."my metric"',
            "use letters, digits and underscores",
        ),
        (
            '[experiment]\nsegments = ["night"]',
            "experiment.segments",
            "There is no segment 'night'",
        ),
        (
            (
                '[experiment]\nsegments = ["night"]\n'
                '[segments.night]\ndata_source = "s"\nselect_expression = "TRUE"'
            ),
            "segments.night.data_source",
            "There is no segment data source 's'",
        ),
        (
            (
                '[experiment]\nsegments = ["night"]\n'
                '[segments.night]\ndata_source = "s"\nselect_expression = "TRUE"\n'
                '[segments.data_sources.s]\nfrom_expression = "t"\nwindow_start = 1'
            ),
            "segments.data_sources.s.window_start",
            "after its end on day 0",
        ),
        ('[experiment]\noutcomes = ["reading"]', "experiment.outcomes", "no outcome 'reading'"),
    ],
)
def test_what_is_missing_is_told_with_file_and_key(
    folder: Folder, text: str, key: str, message: str
) -> None:
    folder.own(text)
    with pytest.raises(ConfigError) as caught:
        folder.resolve()
    assert message in str(caught.value)
    assert (caught.value.path, caught.value.key) == (OWN, key)


def test_an_outcome_of_another_application_says_which(folder: Folder) -> None:
    folder.write(
        "jetstream/outcomes/firefox_ios/reading.toml", 'friendly_name = "a"\ndescription = "b"'
    )
    with pytest.raises(ConfigError, match="There is one for firefox_ios") as caught:
        folder.resolve(outcomes=("reading",))
    assert caught.value.path == "Experimenter's record of 'my-experiment'"


PARAMETER = "COUNTIF(id = {{ parameters.card }})"


@pytest.mark.parametrize(
    ("own", "outcome", "expected"),
    [
        ("", "default = \"'0'\"", "'0'"),
        ("", "value = \"'1'\"\ndefault = \"'0'\"", "'1'"),
        ("default = \"'2'\"", "default = \"'0'\"", "'2'"),
        ("default = \"'2'\"", "value = \"'1'\"", "'1'"),
        ("value = \"'3'\"", "value = \"'1'\"", "'3'"),
        (
            'distinct_by_branch = true\nvalue.a = "3"',
            'default.a = "0"\ndefault.b = "1"',
            'CASE e.branch WHEN "a" THEN "3" WHEN "b" THEN "1" END',
        ),
        (
            "",
            "distinct_by_branch = true\ndefault.'it\"s' = \"x'y\"",
            'CASE e.branch WHEN "it\\"s" THEN "x\\\'y" END',
        ),
    ],
)
def test_parameters(folder: Folder, own: str, outcome: str, expected: str) -> None:
    body = metric(PARAMETER).replace('[metrics]\n    weekly = ["x"]', "")
    folder.outcome("cards", f"[parameters.card]\n{outcome}\n" + body)
    folder.own(f"[parameters.card]\n{own}" if own else "")
    configuration = folder.resolve(outcomes=("cards",))
    assert configuration.metric("x").select_expression == f"COUNTIF(id = {expected})"
    assert configuration.warnings == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('friendly_name = "a"', "needs one text"),
        ('value.a = "1"', "needs one text"),
        ('distinct_by_branch = true\nvalue = "1"', "needs a value for each branch"),
        ("distinct_by_branch = true\nvalue = {}", "needs a value for each branch"),
    ],
)
def test_bad_parameters(folder: Folder, text: str, message: str) -> None:
    folder.own(f"[parameters.card]\n{text}")
    with pytest.raises(ConfigError, match=message) as caught:
        folder.resolve()
    assert (caught.value.path, caught.value.key) == (OWN, "parameters.card")


def test_a_distinct_parameter_between_quotes_is_doubtful(folder: Folder) -> None:
    folder.own(
        '[parameters.card]\ndistinct_by_branch = true\nvalue.a = "1"\n'
        + metric("COUNTIF(id = '{{ parameters.card }}')")
    )
    assert "Remove the quotes" in folder.resolve().warnings[0]


def test_outcome_lists_are_supported(folder: Folder) -> None:
    folder.outcome("reading", 'daily = ["clicks"]\n28_day = ["clicks"]\n' + CLICKS)
    configuration = folder.resolve(outcomes=("reading",))
    assert [p.period for p in configuration.periods] == [Period.DAY, Period.DAYS28]

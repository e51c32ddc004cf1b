from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.metrics import CovariateAdjustment, PreTreatment, Summary
from jetstream_assets.experiments.statistic_parameters import PRE_TREATMENTS, STATISTICS
from jetstream_assets.experiments.windows import Period
from jetstream_assets_tests.config.folder import CLICKS

if TYPE_CHECKING:
    from jetstream_assets_tests.config.folder import Folder

BODY = """
[metrics]
weekly = ["clicks"]
[metrics.clicks]
select_expression = "SUM(clicks)"
data_source = "events"
[data_sources.events]
from_expression = "telemetry.events"
"""


def summary(folder: Folder, statistic: str) -> Summary:
    folder.own(f"{BODY}\n{statistic}")
    [found] = folder.resolve().summaries(Period.WEEK)
    return found


SEQUENTIAL = {"planned_units": 10_000, "sequential": False}
DEFAULTS = {
    "binomial": {"confidence_interval": 0.95, **SEQUENTIAL},
    "bootstrap_mean": {
        "confidence_interval": 0.95,
        "drop_highest": 0.005,
        "num_samples": 10000,
        **SEQUENTIAL,
    },
    "count": {},
    "deciles": {"confidence_interval": 0.95, "num_samples": 10000},
    "empirical_cdf": {"grid_size": 256, "log_space": False},
    "kernel_density_estimate": {
        "adjust": 1.0,
        "bandwidth": "scott",
        "grid_size": 256,
        "kernel": "gaussian",
        "log_space": False,
    },
    "linear_model_mean": {
        "confidence_interval": 0.95,
        "drop_highest": 0.005,
        "robust": False,
        **SEQUENTIAL,
    },
    "per_client_dau_impact": {
        "confidence_interval": 0.95,
        "drop_highest": 0.0,
        "robust": False,
        **SEQUENTIAL,
    },
    "sum": {},
}


@pytest.mark.parametrize("statistic", sorted(DEFAULTS))
def test_defaults_are_filled_in_and_sorted(folder: Folder, statistic: str) -> None:
    found = summary(folder, f"[metrics.clicks.statistics.{statistic}]")
    assert found.statistic == statistic
    assert dict(found.parameters) == DEFAULTS[statistic]
    assert list(found.parameters) == sorted(found.parameters)


def test_every_statistic_is_covered() -> None:
    assert {*DEFAULTS, "population_ratio"} == set(STATISTICS)


@pytest.mark.parametrize(
    "statistic", ["bootstrap_mean", "linear_model_mean", "per_client_dau_impact"]
)
def test_an_integer_is_a_number(folder: Folder, statistic: str) -> None:
    found = summary(folder, f"[metrics.clicks.statistics.{statistic}]\ndrop_highest = 0")
    value = found.parameter("drop_highest")
    assert (value, type(value)) == (0.0, float)


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("bootstrap_meen]", "bootstrap_meen", "Did you mean 'bootstrap_mean'?"),
        ("bootstrap_mean]\ndrop_higest = 0.1", "bootstrap_mean.drop_higest", "'drop_highest'?"),
        ("sum]\ndrop_highest = 0.1", "sum.drop_highest", "it takes no parameters"),
        (
            "bootstrap_mean]\ndrop_highest = 0.6",
            "bootstrap_mean.drop_highest",
            "found 0.6; it must be a number at least 0 and at most 0.5",
        ),
        ("binomial]\nconfidence_interval = 1", "binomial.confidence_interval", "below 1"),
        ("binomial]\nconfidence_interval = nan", "binomial.confidence_interval", "found nan"),
        ("binomial]\nconfidence_interval = '1'", "binomial.confidence_interval", "found '1'"),
        ("binomial]\nconfidence_interval = true", "binomial.confidence_interval", "found True"),
        ("deciles]\nnum_samples = 10.5", "deciles.num_samples", "a whole number at least 1"),
        ("deciles]\nnum_samples = 0", "deciles.num_samples", "found 0"),
        ("empirical_cdf]\nlog_space = 1", "empirical_cdf.log_space", "true or false"),
        (
            "kernel_density_estimate]\nbandwidth = 'silverman'",
            "kernel_density_estimate.bandwidth",
            "one of 'scott'",
        ),
        ("population_ratio]", "population_ratio.denominator", "is missing; it is required"),
        (
            "population_ratio]\nnumerator = 'a'\ndenominator = 'b'",
            "population_ratio.numerator",
            "List it in depends_on",
        ),
        ("sum]\npre_treatments = ['remove_nuls']", "sum.pre_treatments", "'remove_nulls'?"),
        (
            "sum]\npre_treatments = [{name = 'censor_values_above_threshold'}]",
            "sum.pre_treatments.threshold",
            "is missing",
        ),
        (
            "sum]\npre_treatments = [{name = 'log', bas = 2}]",
            "sum.pre_treatments.bas",
            "Did you mean 'base'?",
        ),
        (
            "sum]\ncovariate_adjustment = {period = 'preenrollment_week'}",
            "sum.covariate_adjustment",
            "sum cannot be adjusted",
        ),
        (
            "linear_model_mean]\ncovariate_adjustment = {period = 'preenrollment_weekly'}",
            "linear_model_mean.covariate_adjustment.period",
            "Did you mean 'preenrollment_week'?",
        ),
        (
            "linear_model_mean]\ncovariate_adjustment = {period = 'week'}",
            "linear_model_mean.covariate_adjustment.period",
            "A covariate is known before enrollment",
        ),
        (
            (
                "linear_model_mean]\ncovariate_adjustment = "
                "{period = 'preenrollment_week', metric = 'click'}"
            ),
            "linear_model_mean.covariate_adjustment.metric",
            "There is no metric 'click'",
        ),
    ],
)
def test_bad_statistics_name_file_and_key(
    folder: Folder, text: str, key: str, message: str
) -> None:
    folder.own(f"{BODY}\n[metrics.clicks.statistics.{text}")
    with pytest.raises(ConfigError) as caught:
        folder.resolve()
    assert message in str(caught.value)
    assert caught.value.path == "jetstream/my-experiment.toml"
    assert caught.value.key == f"metrics.clicks.statistics.{key}"


def test_pre_treatments_are_names_or_tables(folder: Folder) -> None:
    found = summary(
        folder,
        "[metrics.clicks.statistics.sum]\n"
        'pre_treatments = ["remove_nulls", {name = "censor_highest_values", fraction = 1}, "log"]',
    )
    assert found.pre_treatments == (
        PreTreatment("remove_nulls"),
        PreTreatment("censor_highest_values", (("fraction", 1.0),)),
        PreTreatment("log", (("base", 10.0),)),
    )


def test_every_pre_treatment_can_be_written(folder: Folder) -> None:
    written = ", ".join(
        f'{{name = "{name}"{", threshold = 3" if "threshold" in name else ""}}}'
        for name in PRE_TREATMENTS
    )
    found = summary(folder, f"[metrics.clicks.statistics.sum]\npre_treatments = [{written}]")
    assert [treatment.name for treatment in found.pre_treatments] == list(PRE_TREATMENTS)


@pytest.mark.parametrize(("metric", "expected"), [("", "clicks"), (', metric = "hours"', "hours")])
def test_a_covariate_needs_no_listing(folder: Folder, metric: str, expected: str) -> None:
    folder.definitions(CLICKS.replace("clicks", "hours"))
    found = summary(
        folder,
        "[metrics.clicks.statistics.linear_model_mean]\n"
        f'covariate_adjustment = {{period = "preenrollment_days28"{metric}}}',
    )
    assert found.covariate == CovariateAdjustment(expected, Period.PREENROLLMENT_DAYS28)
    assert dict(found.parameters) == DEFAULTS["linear_model_mean"]
    configuration = folder.resolve()
    assert configuration.metric(expected).select_expression == f"SUM({expected})"
    assert configuration.summaries(Period.PREENROLLMENT_DAYS28) == ()


def test_a_metric_made_of_others_has_no_covariate(folder: Folder) -> None:
    folder.own(
        BODY.replace("[metrics.clicks]", '[metrics.clicks]\ndepends_on = ["views"]')
        + '[metrics.views]\nselect_expression = "SUM(v)"\ndata_source = "events"\n'
        + "[metrics.clicks.statistics.linear_model_mean]\n"
        + 'covariate_adjustment = {period = "preenrollment_week"}'
    )
    with pytest.raises(ConfigError, match=r"'clicks' is made of other metrics \(views\)"):
        folder.resolve()


RATIO = f"""
{BODY.replace('weekly = ["clicks"]', 'weekly = ["rate"]')}
[metrics.views]
select_expression = "SUM(v)"
data_source = "events"
[metrics.rate]
depends_on = ["clicks", "views"]
[metrics.rate.statistics.population_ratio]
numerator = "clicks"
denominator = "views"
"""


@pytest.mark.parametrize(("written", "metric"), [("", "rate"), (', metric = "views"', "views")])
def test_a_ratio_is_adjusted_for_its_parts_or_one_metric(
    folder: Folder, written: str, metric: str
) -> None:
    covariate = f'covariate_adjustment = {{period = "preenrollment_week"{written}}}'
    folder.own(f'{RATIO}interval = "delta"\n{covariate}')
    (found,) = folder.resolve().summaries(Period.WEEK)
    assert found.covariate == CovariateAdjustment(metric, Period.PREENROLLMENT_WEEK)
    assert found.parameter("interval") == "delta"
    assert found.covariates == (("clicks", "views") if metric == "rate" else ("views",))


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ('interval = "fieller"', "interval", "it must be one of 'bootstrap', 'delta'"),
        ("interval = true", "interval", "found True"),
        ('intervall = "delta"', "intervall", "Did you mean 'interval'?"),
    ],
)
def test_a_bad_interval_names_file_and_key(
    folder: Folder, text: str, key: str, message: str
) -> None:
    folder.own(RATIO + text)
    with pytest.raises(ConfigError) as caught:
        folder.resolve()
    assert message in str(caught.value)
    assert caught.value.key == f"metrics.rate.statistics.population_ratio.{key}"


def test_a_metric_without_sql_is_a_ratio_or_nothing(folder: Folder) -> None:
    folder.own(
        '[metrics]\nweekly = ["rate"]\n[metrics.rate]\ndepends_on = ["clicks"]\n'
        "[metrics.rate.statistics.sum]\n" + CLICKS
    )
    with pytest.raises(ConfigError, match="population_ratio is its only statistic"):
        folder.resolve()

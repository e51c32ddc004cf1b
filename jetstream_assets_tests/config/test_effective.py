from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.config.templates import string_content
from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.configuration import EnrollmentsQueryType, SeveralBranches
from jetstream_assets.experiments.experiment import AnalysisUnit
from jetstream_assets.experiments.metrics import WindowBound

if TYPE_CHECKING:
    from jetstream_assets_tests.config.folder import Folder


def test_the_record_stands_where_the_configuration_says_nothing(folder: Folder) -> None:
    configuration = folder.resolve()
    experiment = configuration.experiment
    assert (experiment.start_date, experiment.end_date) == (date(2024, 1, 1), date(2024, 2, 5))
    assert experiment.enrollment_period == 7  # 1 to 7 January
    assert experiment.has_configured_enrollment_period is False
    assert experiment.reference_branch == "control"
    assert experiment.analysis_unit == AnalysisUnit.CLIENT
    assert experiment.app_dataset == "org_mozilla_fenix_beta"
    assert configuration.overrides == ()
    assert configuration.sample_size == 100
    assert configuration.several_branches == SeveralBranches.EXCLUDE


def test_the_configuration_overrides_the_record(folder: Folder) -> None:
    folder.own(
        """
        [experiment]
        start_date = "2024-01-02"
        end_date = 2024-03-01
        enrollment_period = 9
        reference_branch = "treatment"
        sample_size = 3.0
        analysis_unit = "profile_group_id"
        enrollments_query_type = "fenix-fallback"
        several_branches = "keep_first"
        dataset_id = "private_ds"
        is_private = true
        skip = true
        """
    )
    configuration = folder.resolve()
    experiment = configuration.experiment
    assert (experiment.start_date, experiment.end_date) == (date(2024, 1, 2), date(2024, 3, 1))
    assert experiment.enrollment_period == 9
    assert experiment.has_configured_enrollment_period is True
    assert experiment.reference_branch == "treatment"
    assert experiment.analysis_unit == AnalysisUnit.PROFILE_GROUP
    assert configuration.enrollments_query_type == EnrollmentsQueryType.FENIX_FALLBACK
    assert configuration.several_branches == SeveralBranches.KEEP_FIRST
    assert (configuration.sample_size, configuration.dataset_id) == (3, "private_ds")
    assert (configuration.is_private, configuration.skip) == (True, True)
    assert configuration.overrides == (
        ("reference_branch", "treatment"),
        ("start_date", "2024-01-02"),
        ("end_date", "2024-03-01"),
        ("enrollment_period", 9),
    )


def test_a_value_equal_to_the_record_is_no_override(folder: Folder) -> None:
    folder.own(
        '[experiment]\nstart_date = "2024-01-01"\nenrollment_period = 7\n'
        'reference_branch = "control"'
    )
    assert folder.resolve().overrides == ()


@pytest.mark.parametrize(
    ("text", "record", "expected"),
    [
        ("", {}, 7),
        ('start_date = "2024-01-03"', {}, 5),
        ("enrollment_period = 4", {}, 4),
        ("", {"enrollment_end_date": None}, 14),
        ("", {"start_date": None}, 14),
        ("", {"enrollment_end_date": None, "proposed_enrollment": 0}, 0),
    ],
)
def test_enrollment_period(
    folder: Folder, text: str, record: dict[str, object], expected: int
) -> None:
    folder.own(f"[experiment]\n{text}")
    assert folder.resolve(**record).experiment.enrollment_period == expected


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("normandy_id", AnalysisUnit.CLIENT),
        ("nimbus_id", AnalysisUnit.CLIENT),
        ("user_id", AnalysisUnit.CLIENT),
        ("group_id", AnalysisUnit.PROFILE_GROUP),
        (None, AnalysisUnit.CLIENT),
    ],
)
def test_analysis_unit(folder: Folder, unit: str | None, expected: AnalysisUnit) -> None:
    assert folder.resolve(randomization_unit=unit).experiment.analysis_unit == expected


def test_an_unknown_randomization_unit_names_the_key_and_the_remedy(folder: Folder) -> None:
    with pytest.raises(ConfigError, match="found 'household'; it must be one of normandy_id") as e:
        folder.resolve(randomization_unit="household")
    assert e.value.key == "bucketConfig.randomizationUnit"
    folder.own('[experiment]\nanalysis_unit = "client_id"')
    configuration = folder.resolve(randomization_unit="household")
    assert configuration.experiment.analysis_unit == AnalysisUnit.CLIENT


@pytest.mark.parametrize(
    ("app_name", "expected"),
    [
        ("firefox_desktop", EnrollmentsQueryType.NORMANDY),
        ("fenix", EnrollmentsQueryType.GLEAN_EVENT),
        ("klar_ios", EnrollmentsQueryType.GLEAN_EVENT),
        ("unheard_of", EnrollmentsQueryType.GLEAN_EVENT),
    ],
)
def test_enrollments_query_type(
    folder: Folder, app_name: str, expected: EnrollmentsQueryType
) -> None:
    assert folder.resolve(app_name=app_name).enrollments_query_type == expected


def test_the_enrollment_query_is_rendered(folder: Folder) -> None:
    folder.own(
        """
        [experiment]
        enrollment_query = '''
        SELECT x FROM t WHERE slug = '{{experiment.normandy_slug}}' AND d BETWEEN
        '{{experiment.start_date_str}}' AND '{{experiment.last_enrollment_date_str}}'
        '''
        """
    )
    query = folder.resolve().enrollment_query
    assert query is not None
    assert "slug = 'my-experiment'" in query
    assert "'2024-01-01' AND '2024-01-08'" in query


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("enrollment_query", "has no attribute 'enrollment_query'"),
        ("__class__", "access to attribute '__class__'"),
        ("_experiment", "access to attribute '_experiment'"),
    ],
)
def test_a_template_reaches_no_further_than_its_values(
    folder: Folder, name: str, message: str
) -> None:
    folder.own(f"[experiment]\nenrollment_query = 'SELECT \"{{{{experiment.{name}}}}}\"'")
    with pytest.raises(ConfigError, match=message) as caught:
        folder.resolve()
    assert caught.value.key == "experiment.enrollment_query"


def test_a_template_says_which_date_is_missing(folder: Folder) -> None:
    folder.own("[experiment]\nenrollment_query = \"SELECT '{{experiment.end_date_str}}'\"")
    with pytest.raises(ConfigError, match="the experiment has no end date"):
        folder.resolve(end_date=None)


HOSTILE = "a' OR \"1\"='1`; DROP TABLE x; -- \\ {dataset} \n"


def test_a_hostile_slug_stays_inside_its_string(folder: Folder) -> None:
    query = "SELECT 1 FROM t WHERE slug = '{{experiment.normandy_slug}}'"
    folder.write("jetstream/defaults/fenix.toml", f'[experiment]\nenrollment_query = """{query}"""')
    rendered = folder.resolve(slug=HOSTILE).enrollment_query
    assert rendered == query.replace("{{experiment.normandy_slug}}", string_content(HOSTILE))
    assert string_content(HOSTILE) == (
        "a\\' OR \\\"1\\\"=\\'1\\x60; DROP TABLE x; -- \\\\ \\x7bdataset\\x7d \\n"
    )


def test_the_exposure_signal(folder: Folder) -> None:
    folder.own(
        """
        [experiment.exposure_signal]
        name = "saw_card"
        data_source = "events"
        select_expression = "event = 'card'"
        friendly_name = "Saw card"
        description = "It was on the screen"
        window_start = 0
        window_end = "analysis_window_end"
        [data_sources.events]
        from_expression = "`x.{dataset}.events`"
        default_dataset = "stable"
        """
    )
    signal = folder.resolve().exposure_signal
    assert signal is not None
    assert (signal.window_start, signal.window_end) == (0, WindowBound.ANALYSIS_WINDOW_END)
    assert signal.data_source.from_expression == "`x.stable.events`"
    assert signal.select_expression == "event = 'card'"

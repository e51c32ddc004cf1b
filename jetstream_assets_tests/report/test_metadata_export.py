from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from jetstream_assets.experiments.configuration import (
    AnalysisConfiguration,
    Outcome,
    PeriodSummaries,
)
from jetstream_assets.experiments.experiment import Branch, Experiment
from jetstream_assets.experiments.metrics import AnalysisBasis, Metric, Summary
from jetstream_assets.experiments.windows import Period
from jetstream_assets.report.metadata_export import metadata_document
from jetstream_assets_tests.report.consumer import Metadata

DATE = date(2024, 1, 14)
STARTED = datetime(2024, 1, 15, 4, 10, 0, 123456, tzinfo=UTC)
URL = "https://example.org/hub/blob/main/"
CONFIGURATION = AnalysisConfiguration(
    experiment=Experiment("my-exp", (Branch("a"),), date(2024, 1, 1), None, 7),
    metrics=(
        Metric("active_hours", bigger_is_better=False, analysis_bases=(AnalysisBasis.EXPOSURES,)),
        Metric("cards", friendly_name="Cards seen", description="Cards that were seen"),
        Metric("only_a_dependency"),
    ),
    periods=(
        PeriodSummaries(Period.WEEK, (Summary("cards", "mean"),)),
        PeriodSummaries(Period.OVERALL, (Summary("cards", "mean"), Summary("active_hours", "sum"))),
    ),
    outcomes=(Outcome("play", "Play", "Plays", ("cards", "moves"), ("cards",), "abc1"),),
    overrides=(("enrollment_period", 7), ("start_date", "2024-01-01")),
)
GOLDEN = """{
  "analysis_start_time": "2024-01-15 04:10:00.123+00:00",
  "external_config": {
    "reference_branch": null,
    "end_date": null,
    "start_date": "2024-01-01",
    "enrollment_period": 7,
    "skip": false,
    "url": "https://example.org/hub/blob/main/jetstream/my-exp.toml"
  },
  "metrics": {
    "active_hours": {
      "analysis_bases": [
        "exposures"
      ],
      "bigger_is_better": false,
      "description": "",
      "friendly_name": "Active Hours"
    },
    "cards": {
      "analysis_bases": [
        "enrollments",
        "exposures"
      ],
      "bigger_is_better": true,
      "description": "Cards that were seen",
      "friendly_name": "Cards seen"
    }
  },
  "outcomes": {
    "play": {
      "commit_hash": "abc1",
      "default_metrics": [
        "cards"
      ],
      "description": "Plays",
      "friendly_name": "Play",
      "metrics": [
        "cards",
        "moves"
      ],
      "slug": "play"
    }
  },
  "version_info": null,
  "version_date": null,
  "schema_version": 4
}
"""


def test_the_document_is_the_one_written_by_hand() -> None:
    document = metadata_document(CONFIGURATION, DATE, STARTED, URL)
    assert document is not None
    assert (document.name, document.as_of) == ("metadata/metadata_my_exp.json", DATE)
    assert document.body.decode() == GOLDEN


def test_the_consumer_reads_it() -> None:
    read = Metadata.model_validate_json(GOLDEN)
    assert read.analysis_start_time == datetime(2024, 1, 15, 4, 10, 0, 123000, tzinfo=UTC)
    assert read.external_config is not None
    assert read.external_config.start_date == date(2024, 1, 1)
    assert set(read.metrics) == {"active_hours", "cards"}


def test_private_experiments_have_no_metadata() -> None:
    private = replace(CONFIGURATION, is_private=True, dataset_id="secret")
    assert metadata_document(private, DATE, STARTED, URL) is None


@pytest.mark.parametrize(
    ("configuration", "url"), [(replace(CONFIGURATION, overrides=()), URL), (CONFIGURATION, None)]
)
def test_no_external_configuration_without_overrides_or_address(
    configuration: AnalysisConfiguration, url: str | None
) -> None:
    document = metadata_document(configuration, DATE, None, url)
    assert document is not None
    record = json.loads(document.body)
    assert record["external_config"] is None
    assert record["analysis_start_time"] is None
    Metadata.model_validate_json(document.body)


def test_a_slug_cannot_leave_the_path_of_the_address() -> None:
    experiment = replace(CONFIGURATION.experiment, slug="../a b?#<i>\ud800")
    experiment = replace(experiment, slug=experiment.slug[:-1])
    document = metadata_document(replace(CONFIGURATION, experiment=experiment), DATE, None, URL)
    assert document is not None
    assert document.name == "metadata/metadata____a_b___i_.json"
    url = json.loads(document.body)["external_config"]["url"]
    assert url == f"{URL}jetstream/..%2Fa%20b%3F%23%3Ci%3E.toml"


def test_half_a_surrogate_pair_in_a_description_is_still_json() -> None:
    outcome = replace(CONFIGURATION.outcomes[0], description="half \ud83e")
    document = metadata_document(replace(CONFIGURATION, outcomes=(outcome,)), DATE, None, None)
    assert document is not None
    assert json.loads(document.body)["outcomes"]["play"]["description"] == "half \ud83e"


def test_a_start_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        metadata_document(CONFIGURATION, DATE, STARTED.replace(tzinfo=None), None)

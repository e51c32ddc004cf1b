"""The production instance limits and retries as the local one does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import yaml

from jetstream_assets.orchestration.run_queue import ExperimentRunCoordinator
from jetstream_assets_tests.ui.services import ROOT

if TYPE_CHECKING:
    from dagster import Field

LOCAL: dict[str, Any] = yaml.safe_load((ROOT / "dagster.yaml").read_text())
PRODUCTION: dict[str, Any] = yaml.safe_load(
    (ROOT / "k8s" / "overlays" / "gke" / "dagster.yaml").read_text()
)
# Where things are kept, and what a run is: a process here, a pod there.
OWN = {"storage", "compute_logs", "run_launcher"}


def test_what_is_shared_is_the_same() -> None:
    shared = set(LOCAL) - OWN
    assert {key: PRODUCTION[key] for key in shared} == {key: LOCAL[key] for key in shared}
    assert set(PRODUCTION) == set(LOCAL) | OWN


def test_each_of_three_retries_has_a_longer_pause_before_it() -> None:
    pauses = LOCAL["run_coordinator"]["config"]["pauses_seconds"]
    assert LOCAL["run_retries"] == {"enabled": True, "max_retries": 3}
    assert len(pauses) == 3
    assert pauses == sorted(set(pauses))
    # An instance that says nothing of pauses has the same.
    keys = cast("dict[str, Field]", ExperimentRunCoordinator.config_type())
    assert keys["pauses_seconds"].default_value == pauses


def test_every_place_and_secret_comes_from_the_environment() -> None:
    database = PRODUCTION["storage"]["postgres"]["postgres_db"]
    named = [*database.values(), PRODUCTION["compute_logs"]["config"]["bucket"]]
    assert all(set(value) == {"env"} for value in named)

"""The production instance limits and retries as the local one does."""

from __future__ import annotations

from typing import Any

import yaml

from jetstream_assets_tests.ui.services import ROOT

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


def test_every_place_and_secret_comes_from_the_environment() -> None:
    database = PRODUCTION["storage"]["postgres"]["postgres_db"]
    named = [*database.values(), PRODUCTION["compute_logs"]["config"]["bucket"]]
    assert all(set(value) == {"env"} for value in named)

"""A run in the production instance, with credentials: its logs are in the bucket, no secret is.

The secrets are the password of the database, the address of the webhook, the private key of a
service account and the tokens that Google's clients get for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterInstance, serialize_value
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._utils.error import serializable_error_info_from_exc_info
from pydantic import SecretStr
from sqlglot import exp

from jetstream_assets.errors import JetstreamError
from jetstream_assets.orchestration.compute_logs import BucketComputeLogManager
from jetstream_assets.orchestration.launch import RunOutcome, run_cells
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.orchestration.resources import DocumentsResource
from jetstream_assets.orchestration.settings import Executor
from jetstream_assets.orchestration.warehouse_resource import WarehouseResource
from jetstream_assets.report.store import DocumentStoreError
from jetstream_assets_tests.bigquery.credentials import TOKEN_PATH
from jetstream_assets_tests.bigquery.server import BigQueryServer, running_bigquery
from jetstream_assets_tests.gcs.server import BUCKET, DENIED, UPLOAD, Fault, Gcs, running_gcs
from jetstream_assets_tests.orchestration.laboratory import (
    EXPERIMENT,
    FIRST_WEEK,
    Laboratory,
)
from jetstream_assets_tests.processes.postgres import running_postgres
from jetstream_assets_tests.processes.production import (
    LOGS_BUCKET,
    RESULTS,
    WAREHOUSE,
    production_instance,
    stock,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

PASSWORD = "pass-word-of-postgres"  # noqa: S105  # planted
WEBHOOK = "https://hooks.example.org/secret-part-of-a-webhook"


@dataclass(frozen=True)
class Production:
    """An instance with everything around it, reached with credentials."""

    instance: DagsterInstance
    gcs: Gcs
    google: BigQueryServer
    laboratory: Laboratory

    def run(self, executor: Executor = Executor.IN_PROCESS) -> RunOutcome:
        own = {
            "warehouse": WAREHOUSE,
            "output": f"gs://{BUCKET}/ours",
            "webhook_url": SecretStr(WEBHOOK),
            "executor": executor,
        }
        settings = self.laboratory.settings.model_copy(update=own)
        cells = [Cell(EXPERIMENT.slug, FIRST_WEEK)]
        (run,) = run_cells(settings, self.instance, cells, log_level="DEBUG")
        return run

    def logs(self, run_id: str) -> dict[str, bytes]:
        """What the steps of a run printed."""
        return self.gcs.objects(f"compute-logs/storage/{run_id}/", LOGS_BUCKET)

    def secrets(self) -> set[str]:
        """The planted secrets, and the tokens that were given."""
        (key,) = self.google.folder.glob("key-*.json")
        private = str(json.loads(key.read_text())["private_key"]).splitlines()
        return {PASSWORD, WEBHOOK, "secret-part", *private[1:-1], *self.google.tokens.given}


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with running_postgres() as running:
        yield running.address


@pytest.fixture
def production(laboratory: Laboratory, database: str, tmp_path: Path) -> Iterator[Production]:
    with (
        running_gcs() as gcs,
        running_bigquery(tmp_path) as google,
    ):
        gcs.make_bucket(LOGS_BUCKET)
        # In place of the emulator's own variable, with which clients use no credentials.
        variables = google.environment() | {"API_ENDPOINT_OVERRIDE": gcs.url}
        stock(google, laboratory.root / "warehouse")
        with production_instance(tmp_path / "home", database, variables, PASSWORD) as instance:
            yield Production(instance, gcs, google, laboratory)


def test_a_run_leaves_its_logs_in_the_bucket_and_no_secret(
    production: Production, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # Worker processes have what production's runs have, and open everything for themselves.
    run = production.run(Executor.DASK)
    assert run.errors == ()
    given = {f"Bearer {token}" for token in production.google.tokens.given}
    assert production.gcs.authorizations <= given
    asked = {one.request.headers.get("authorization") for one in production.google.requests}
    # The requests for tokens have none.
    assert asked - {None} <= given
    assert "statistics/statistics_small_experiment_weekly.json" in production.gcs.objects("ours/")
    logs = production.logs(run.run_id)
    assert any(name.endswith(".err") and b"STEP_SUCCESS" in body for name, body in logs.items())
    assert "STEP_SUCCESS" in _shown_elsewhere(run, tmp_path / "elsewhere")
    texts = dict(_texts(production, run, capfd))
    assert EXPERIMENT.slug in texts["events"]
    assert EXPERIMENT.slug in texts["runs"]
    assert _secrets_in(production, texts) == set()


def test_a_bucket_that_takes_no_logs_fails_no_run(
    production: Production, capfd: pytest.CaptureFixture[str]
) -> None:
    fault = Fault(f"{UPLOAD}.*/{LOGS_BUCKET}/", status=403, message=DENIED, times=99)
    production.gcs.faults.append(fault)
    run = production.run()
    assert run.errors == ()
    assert production.logs(run.run_id) == {}
    texts = dict(_texts(production, run, capfd))
    assert "the output of steps in the bucket our-compute-logs" in texts["events"]
    assert "roles/storage.legacyBucketReader" in texts["events"]
    assert _secrets_in(production, texts) == set()


def test_a_bucket_for_logs_that_is_missing_is_named(production: Production) -> None:
    del production.gcs.storage.buckets[LOGS_BUCKET]
    with pytest.raises(DocumentStoreError, match=r"our-compute-logs: the bucket does not exist"):
        _ = production.instance.compute_log_manager


def _deny(production: Production) -> None:
    fault = Fault(f"{UPLOAD}.*/{BUCKET}/", status=403, message=DENIED, times=99)
    production.gcs.faults.append(fault)


def _deny_results(production: Production) -> None:
    production.google.catalog.denied.add(RESULTS)


def _accept_no_token_for_tables(production: Production) -> None:
    faults = production.google.faults
    faults.refuse("GET", "/datasets/", "authError", status=401, times=99)
    faults.refuse("POST", "/jobs|/queries", "authError", status=401, times=99)


def _accept_no_token(production: Production) -> None:
    fault = Fault("GET /storage/v1/b/[^/]+/o/", status=401, message=WEBHOOK, times=99)
    production.gcs.faults.append(fault)


def _give_no_token(production: Production) -> None:
    # What a token service says of a key may hold anything.
    production.google.faults.refuse("POST", TOKEN_PATH, PASSWORD, status=400, times=99)


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (_deny, "run@our-project.iam.gserviceaccount.com does not have storage.objects.create"),
        (_accept_no_token, "Google does not accept the credentials"),
        (_deny_results, "may not use the results in test-project.experiments"),
        (_accept_no_token_for_tables, "BigQuery cannot be used"),
        (_give_no_token, "Google does not accept the credentials"),
    ],
)
def test_a_run_that_fails_tells_why_and_no_secret(
    production: Production,
    capfd: pytest.CaptureFixture[str],
    break_it: Callable[[Production], None],
    sentence: str,
) -> None:
    break_it(production)
    run = production.run()
    assert not run.succeeded
    assert sentence in run.errors[0]
    texts = dict(_texts(production, run, capfd))
    assert sentence in texts["events"]
    assert _secrets_in(production, texts) == set()


def _shown_elsewhere(run: RunOutcome, folder: Path) -> str:
    """What the steps printed, as a process on another machine shows it."""
    keeper = BucketComputeLogManager(LOGS_BUCKET, local_dir=str(folder), prefix="compute-logs")
    about = [run.run_id, "compute_logs"]
    keys = keeper.get_log_keys_for_log_key_prefix(about, ComputeIOType.STDERR)
    found = [keeper.get_log_data(key).stderr for key in keys]
    keeper.dispose()  # type: ignore[no-untyped-call]
    return b"".join(text or b"" for text in found).decode()


def _secrets_in(production: Production, texts: dict[str, str]) -> set[tuple[str, str]]:
    """Where which secrets are."""
    return {
        (secret, place)
        for place, text in texts.items()
        for secret in production.secrets()
        if secret in text
    }


def _texts(
    production: Production, run: RunOutcome, capfd: pytest.CaptureFixture[str]
) -> Iterator[tuple[str, str]]:
    """Everything that a run leaves for people to read, and everything that is stored of it."""
    yield "errors", str(run.errors)
    yield "output", "".join(capfd.readouterr())
    instance = production.instance
    records = instance.get_run_records()
    yield "runs", "".join(serialize_value(record.dagster_run) for record in records)
    events = instance.all_logs(run.run_id)
    yield "events", "".join(serialize_value(entry) + repr(entry) for entry in events)
    for bucket in (BUCKET, LOGS_BUCKET):
        for name, body in production.gcs.objects("", bucket).items():
            yield f"gs://{bucket}/{name}", body.decode(errors="replace")
            yield f"metadata of gs://{bucket}/{name}", str(production.gcs.object(name, bucket))
    for key, stored in production.google.catalog.snapshot().items():
        yield str(key), repr(stored.described()) + repr(stored.rows.to_pylist())
    yield "jobs", repr([job.resource for job in production.google.jobs.all()])


def _read_documents() -> None:
    DocumentsResource(root=f"gs://{BUCKET}").open().read("plans/a.json")


def _read_tables() -> None:
    WarehouseResource(root=WAREHOUSE).open().query(exp.select("1"))


@pytest.mark.parametrize("read", [_read_documents, _read_tables])
def test_what_the_token_service_says_is_in_no_chain_of_causes(
    production: Production, read: Callable[[], None]
) -> None:
    _give_no_token(production)
    with pytest.raises(JetstreamError) as raised:
        read()
    chain = serializable_error_info_from_exc_info((raised.type, raised.value, raised.tb))
    assert "redentials" in chain.to_string()
    assert PASSWORD not in serialize_value(chain)

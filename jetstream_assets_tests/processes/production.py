"""The production instance over a real Postgres, with a bucket and BigQuery on loopback.

Belongs here: what its file reads from the environment, an instance of it, telemetry in BigQuery.
Does not: Dagster's processes (`installation`), what is run (the tests).
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from dagster import DagsterInstance
from pyarrow.dataset import dataset
from sqlalchemy.engine import make_url

from jetstream_assets_tests.bigquery.names import TableKey
from jetstream_assets_tests.bigquery.server import PROJECT
from jetstream_assets_tests.bigquery.stocking import put_dataset, put_table
from jetstream_assets_tests.ui.services import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from jetstream_assets_tests.bigquery.server import BigQueryServer

RESULTS = "experiments"
WAREHOUSE = f"bigquery://{PROJECT}/{RESULTS}"
LOGS_BUCKET = "our-compute-logs"


@contextmanager
def production_instance(
    home: Path, database: str, variables: Mapping[str, str], password: str = ""
) -> Iterator[DagsterInstance]:
    """The instance of ``k8s/overlays/gke`` as it is; its variables are set while the body runs.

    Args:
        home: A folder for the DAGSTER_HOME; it is made.
        database: The address of a Postgres database, which takes any password.
        variables: How Google's clients reach their services.
        password: The password to give it.
    """
    home.mkdir(parents=True)
    shutil.copy(ROOT / "k8s" / "overlays" / "gke" / "dagster.yaml", home)
    url = make_url(database)
    postgres = {
        "POSTGRES_HOST": "",
        "POSTGRES_USER": str(url.username),
        "POSTGRES_PASSWORD": password,
        # The server of the tests listens on a socket of the file system alone.
        "POSTGRES_DB": f"{url.database}?host={url.query['host']}",
    }
    own = {"COMPUTE_LOGS_BUCKET": LOGS_BUCKET, "DAGSTER_HOME": str(home)}
    with (
        patch.dict(os.environ, {**variables, **postgres, **own}),
        DagsterInstance.from_config(str(home)) as instance,
    ):
        yield instance


def stock(server: BigQueryServer, warehouse: Path) -> None:
    """Put the tables of a folder into BigQuery, and make a dataset for results."""
    for folder in sorted(warehouse.glob("*/*")):
        rows = dataset(folder, format="parquet").to_table()
        key = TableKey(PROJECT, folder.parent.name, folder.name)
        put_table(server, key, rows, day="submission_date")
    put_dataset(server, PROJECT, RESULTS)

"""The jobs that a warehouse runs: reading, storing in a scratch table, loading, transactions.

Belongs here: how each is configured and what its id is made of. Does not: starting and waiting
(`bigquery_jobs`), the statements.
"""

from __future__ import annotations

import io
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jetstream_assets.warehouse.bigquery_cost import query_cost
from jetstream_assets.warehouse.bigquery_jobs import (
    REQUEST_SECONDS,
    JobPlan,
    Jobs,
    readable,
    retry_of_requests,
)
from jetstream_assets.warehouse.bigquery_names import job_name, label_value
from jetstream_assets.warehouse.bigquery_neighbours import told_of_neighbours
from jetstream_assets.warehouse.purpose import current_purpose
from jetstream_assets.warehouse.query_costs import note_cost

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from google.cloud.bigquery import Client, LoadJob, QueryJob, QueryJobConfig, TableReference

    from jetstream_assets.warehouse.bigquery_jobs import Job
    from jetstream_assets.warehouse.bigquery_options import BigQueryOptions
    from jetstream_assets.warehouse.bigquery_session import BigQuerySession
    from jetstream_assets.warehouse.bigquery_tables import ExperimentTables

_SHORT_COMMIT = 12


def job_labels() -> dict[str, str]:
    """For whom a job runs, as labels by which the costs of jobs can be summed."""
    purpose = current_purpose()
    told = {
        "experiment": purpose.experiment,
        "asset": purpose.asset,
        "period": purpose.period,
        "config-commit": purpose.commit[:_SHORT_COMMIT],
    }
    return {key: label_value(text) for key, text in told.items() if text}


def what_is_asked() -> str:
    """The query that runs, for an error: by its asset and experiment where they are known."""
    purpose = current_purpose()
    asset = f" of {purpose.asset}" if purpose.asset else ""
    experiment = f" of experiment {purpose.experiment!r}" if purpose.experiment else ""
    return f"The query{asset}{experiment}"


class Queries:
    """What can be asked of BigQuery; each call is one job that has ended when it returns."""

    def __init__(
        self, session: BigQuerySession, options: BigQueryOptions, tables: ExperimentTables
    ) -> None:
        self._session = session
        self._options = options
        self._tables = tables
        self._jobs = Jobs(session, tables.location, options.timeout_seconds)

    def read(self, sql: str) -> tuple[QueryJob, pa.Table]:
        """The rows of a query.

        Its id is its own, so that a request that is sent twice runs it once; asked again, it costs
        nothing, since the service keeps results as long as no table that was read has changed.
        """
        job = self._run(sql, ("read", sql, uuid.uuid4().hex), self._limited())
        with readable(sql, what_is_asked()):
            return job, self._arrow(job)

    def _arrow(self, job: QueryJob) -> pa.Table:
        """Rows by the Storage Read API; by REST where it is off or this account may not use it."""
        from google.api_core.exceptions import Forbidden  # noqa: PLC0415

        if self._options.uses_storage_api:
            # Without roles/bigquery.readSessionUser.
            with suppress(Forbidden):
                return _rows(job).to_arrow(create_bqstorage_client=True)
        # Asked for again: an iterator that has failed does not start anew.
        return _rows(job).to_arrow(create_bqstorage_client=False)

    def store(self, sql: str, scratch: TableReference, version: str) -> QueryJob:
        """The rows of a query in a scratch table that is made for them."""
        config = self._limited(destination=scratch, write_disposition="WRITE_TRUNCATE")
        return self._run(sql, ("store", version), config, scratch)

    def load(self, rows: bytes, scratch: TableReference, version: str) -> LoadJob:
        """The rows of a Parquet file in a scratch table that is made for them."""
        from google.cloud.bigquery import LoadJobConfig
        from google.cloud.bigquery.format_options import ParquetOptions

        # Else an array is read as Parquet stores it: a struct with an array of structs in it.
        options = ParquetOptions()  # type: ignore[no-untyped-call]
        options.enable_list_inference = True
        config = LoadJobConfig(
            source_format="PARQUET", write_disposition="WRITE_TRUNCATE", labels=job_labels()
        )
        config.parquet_options = options

        def start(client: Client, job_id: str) -> LoadJob:
            self._tables.make_scratch(scratch)

            def send() -> LoadJob:
                return client.load_table_from_file(
                    io.BytesIO(rows),
                    scratch,
                    size=len(rows),
                    job_id=job_id,
                    location=self._tables.location(),
                    job_config=config,
                    timeout=REQUEST_SECONDS,
                )

            # The library sends uploads once only.
            started: LoadJob = retry_of_requests()(send)()
            return started

        what = "Storing rows" + what_is_asked().removeprefix("The query")
        plan = JobPlan(job_name("load", version), start, self._kept(scratch), "", what)
        done: LoadJob = self._jobs.run(plan)
        return done

    def transact(self, script: str, version: str, is_done: Callable[[], bool]) -> QueryJob:
        """A script that changes tables; one whose changes are there is not run again.

        It has no limit of bytes: it reads what was paid for when it was stored.
        """
        return self._run(script, ("replace", version), self._config(), is_usable=is_done)

    def estimate(self, sql: str) -> QueryJob:
        """A query that is checked and not run."""
        with told_of_neighbours(self._session), readable(sql, what_is_asked()):
            return self._session.client.query(
                sql,
                job_config=self._config(dry_run=True, use_query_cache=False),
                location=self._tables.location(),
                retry=retry_of_requests(),
                timeout=REQUEST_SECONDS,
                job_retry=None,
            )

    def _run(
        self,
        sql: str,
        named: tuple[str, ...],
        config: QueryJobConfig,
        scratch: TableReference | None = None,
        is_usable: Callable[[], bool] = lambda: True,
    ) -> QueryJob:
        def start(client: Client, job_id: str) -> QueryJob:
            if scratch is not None:
                self._tables.make_scratch(scratch)
            return client.query(
                sql,
                job_config=config,
                job_id=job_id,
                location=self._tables.location(),
                retry=retry_of_requests(),
                timeout=REQUEST_SECONDS,
                job_retry=None,
            )

        is_kept = (lambda _: is_usable()) if scratch is None else self._kept(scratch)
        plan = JobPlan(job_name(*named), start, is_kept, sql, what_is_asked())
        with told_of_neighbours(self._session):
            done: QueryJob = self._jobs.run(plan)
        note_cost(query_cost(done, named[0]))
        return done

    def _kept(self, scratch: TableReference) -> Callable[[Job], bool]:
        """Whether the scratch table of an earlier job is still what the job wrote."""

        def is_kept(job: Job) -> bool:
            made = self._tables.get(scratch).created
            return made is not None and job.created is not None and made <= job.created

        return is_kept

    def _limited(self, **more: Any) -> QueryJobConfig:  # noqa: ANN401  options of the library
        return self._config(maximum_bytes_billed=self._options.maximum_bytes_billed, **more)

    def _config(self, **more: Any) -> QueryJobConfig:  # noqa: ANN401  options of the library
        from google.cloud.bigquery import QueryJobConfig

        given = {name: value for name, value in more.items() if value is not None}
        config = QueryJobConfig(labels=job_labels(), **given)
        config.job_timeout_ms = int(self._options.timeout_seconds * 1000)
        return config


def _rows(job: QueryJob) -> Any:  # noqa: ANN401  the library's iterators have no common class
    return job.result(retry=retry_of_requests(), timeout=REQUEST_SECONDS)

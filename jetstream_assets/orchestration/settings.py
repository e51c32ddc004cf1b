"""Where things are and how much of the machine to use: the settings of a code location.

Belongs here: what differs between a laptop, a test and production, read from ``JETSTREAM_...``
environment variables or given by the command line. Does not: anything about one experiment; that
is in its configuration file.
"""

from datetime import date, time
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from jetstream_assets.errors import SettingsError
from jetstream_assets.experiments.checks import Check
from jetstream_assets.report.gcs_store import bucket_and_prefix, is_bucket
from jetstream_assets.warehouse.location import is_bigquery, project_and_dataset


class Executor(StrEnum):
    """How the steps of a run are executed."""

    DASK = "dask"
    IN_PROCESS = "in-process"


class NotifiedChecks(StrEnum):
    """Which failed checks people are told of."""

    WARN = "warn"
    ERROR = "error"
    NONE = "none"


class Settings(BaseSettings):
    """Settings of a code location; every field can be set by ``JETSTREAM_<FIELD>``."""

    model_config = SettingsConfigDict(env_prefix="JETSTREAM_", frozen=True)

    configuration: str = Field(
        ".jetstream/demo/configuration",
        description="Directory or git repository (path or URL) that holds the TOML configuration.",
    )
    configuration_ref: str | None = Field(
        None, description="Branch, tag or commit of the configuration; default: what is there."
    )
    configuration_url: str | None = Field(
        None,
        description="Web address of the configuration's files, for links in exported metadata.",
    )
    configuration_seconds: int = Field(
        default=60, ge=1, description="Seconds between looks for a new commit of the configuration."
    )
    experiments: str = Field(
        ".jetstream/demo/experiments.json",
        description="File or URL of the experiments' records in Experimenter's JSON shape.",
    )
    warehouse: str = Field(
        ".jetstream/demo/warehouse",
        description="Folder of Parquet tables, <dataset>/<table>/, or bigquery://project/dataset; "
        "results are written there too.",
    )
    duckdb_macros: str | None = Field(
        None,
        description="SQL file of CREATE MACRO statements: the organisation's own functions, for a "
        "warehouse of Parquet.",
    )
    bigquery_location: str | None = Field(
        None, description="Location of the datasets, such as EU; default: that of the results."
    )
    bigquery_source_project: str | None = Field(
        None,
        description="Project of tables that SQL names without one; default: that of the warehouse.",
    )
    bigquery_maximum_bytes_billed: int = Field(
        default=10_000_000_000_000,
        ge=1,
        description="Bytes that one query may bill; one that would bill more is refused.",
    )
    bigquery_timeout_seconds: float = Field(
        default=21_600, gt=0, description="Seconds after which a query in BigQuery is stopped."
    )
    bigquery_scratch_hours: float = Field(
        default=24,
        ge=1,
        description="Hours after which scratch tables are gone that a killed run left in BigQuery.",
    )
    bigquery_views: bool = Field(
        default=False,
        description="Also publish results by the views of Jetstream, <slug>_<basis>_<period> and "
        "statistics_<slug>_<period>.",
    )
    output: str = Field(
        ".jetstream/demo/output",
        description="Folder, or gs://bucket/prefix, for exported documents.",
    )
    note: str | None = Field(
        None,
        description="Sentence that stands at the top of every page, such as that this is a test.",
    )
    first_date: date = Field(
        date(2024, 1, 1), description="First date of the date partitions; keep it recent."
    )
    strict: bool = Field(
        default=False, description="Refuse a configuration with unknown keys instead of warning."
    )
    lookback: int = Field(
        default=3,
        ge=0,
        le=90,
        description="Days before a date whose sources are read again when they changed.",
    )
    full: bool = Field(
        default=False,
        description="Compute every window from the sources' rows instead of from daily aggregates.",
    )
    daily_at: time = Field(
        default=time(4),
        description="Time of day (UTC) at which the day before is analysed, such as 04:00.",
    )
    patience: int = Field(
        default=3,
        ge=0,
        le=90,
        description="Days for which a cell waits for a source that does not have its date yet; "
        "then it runs on what is there.",
    )
    waiting_seconds: int = Field(
        default=600,
        ge=5,
        description="Seconds between two looks at the cells that wait.",
    )
    executor: Executor = Field(Executor.DASK, description="Executor of the assets' steps.")
    shards: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Parts at most into which the statistics of a run are cut.",
    )
    threads: int = Field(
        default=1,
        ge=1,
        description="Threads of an embedded query. More than one is faster on few large "
        "experiments, and the last digits of float sums then vary from run to run.",
    )
    memory_limit: str | None = Field(
        default=None,
        pattern=r"^\d+(\.\d+)? ?([KMGT]i?B)$",
        description="Memory of an embedded query, such as 4GB; more spills to the warehouse's "
        "disk. Default: half of the machine's or the container's.",
    )
    workers: int = Field(
        default=0,
        ge=0,
        description="Worker processes of the Dask executor at most; 0: as many as cores are "
        "granted to the run, by its container or its affinity.",
    )

    webhook_url: SecretStr | None = Field(
        default=None,
        description="Address of a chat's incoming webhook (Slack's shape) for failures; a secret.",
    )
    ui_url: str | None = Field(
        default=None, description="Address of the UI, for links in messages to people."
    )
    notified_checks: NotifiedChecks = Field(
        default=NotifiedChecks.WARN,
        description="Which failed checks are told: warn (all), error (the grave ones) or none.",
    )
    blocking_checks: str = Field(
        default="",
        description="Names of checks, separated by commas: where one fails, nothing is exported.",
    )
    check_p_value: float = Field(
        default=0.001,
        gt=0,
        lt=1,
        description="A difference between branches that checks find less likely is no chance.",
    )
    check_several_branches: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="The largest share of units that may have been in several branches.",
    )

    @field_validator("output", mode="before")
    @classmethod
    def _is_folder_or_bucket(cls, output: object) -> object:
        if is_bucket(str(output)):
            bucket_and_prefix(str(output))
        return str(output) if isinstance(output, Path) else output

    @field_validator("warehouse", mode="before")
    @classmethod
    def _is_folder_or_bigquery(cls, warehouse: object) -> object:
        if is_bigquery(str(warehouse)):
            project_and_dataset(str(warehouse))
        return str(warehouse) if isinstance(warehouse, Path) else warehouse

    @field_validator("ui_url")
    @classmethod
    def _without_slash(cls, url: str | None) -> str | None:
        return None if url is None else url.rstrip("/")

    @field_validator("blocking_checks")
    @classmethod
    def _are_checks(cls, names: str) -> str:
        unknown = [name for name in _listed(names) if name not in list(Check)]
        if unknown:
            raise ValueError(
                f"there is no check {', '.join(map(repr, unknown))}; "
                f"the checks are {', '.join(Check)}"
            )
        return names

    @property
    def blocking(self) -> tuple[Check, ...]:
        """The checks that block the export."""
        return tuple(Check(name) for name in _listed(self.blocking_checks))

    def absolute(self) -> "Settings":
        """The same settings with local paths made absolute, for processes started elsewhere."""
        paths: dict[str, object] = {}
        if not is_bigquery(self.warehouse):
            paths["warehouse"] = str(Path(self.warehouse).resolve())
        if not is_bucket(self.output):
            paths["output"] = str(Path(self.output).resolve())
        local = {
            name: str(Path(location).resolve())
            for name in ("configuration", "experiments", "duckdb_macros")
            if (location := getattr(self, name)) and Path(location).exists()
        }
        return self.model_copy(update=paths | local)


def read_settings(**given: Any) -> Settings:  # noqa: ANN401  # pydantic checks them
    """The settings of the environment; what is given goes before it.

    Raises:
        SettingsError: A value is not allowed; all such values are told.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        told = [
            f"JETSTREAM_{str(problem['loc'][0]).upper()} is {problem['input']!r}: "
            + problem["msg"].removeprefix("Value error, ")
            for problem in error.errors(include_url=False)
        ]
        raise SettingsError(". ".join(told) + ".") from None


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]

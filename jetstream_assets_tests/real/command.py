"""The command as a user runs it, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from jetstream_assets_tests.report.consumer import AnalysisErrors, Metadata, Statistic, Statistics

if TYPE_CHECKING:
    import pandas as pd

SHARED = Path(__file__).parents[2] / "../shared/data"
JETSTREAM = Path(sys.executable).with_name("jetstream")


def shared_data(name: str) -> Path:
    """A folder of real data beside the repository."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the real data is not beside the repository: no folder {folder}")
    return folder.resolve()


@dataclass(frozen=True)
class Workplace:
    """A folder with everything that the command needs, and its results."""

    root: Path
    configuration: Path

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse"

    @property
    def experiments(self) -> Path:
        return self.root / "experiments.json"

    @property
    def output(self) -> Path:
        return self.root / "output"

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        """`jetstream run` with these options, in a process of its own."""
        own = ("DAGSTER_", "JETSTREAM_")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(own)}
        return subprocess.run(
            [
                *(str(JETSTREAM), "run", "--config", str(self.configuration)),
                *("--experiments", str(self.experiments), "--warehouse", str(self.warehouse)),
                *("--output", str(self.output), *options),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
            env=environment,
            cwd=self.root,
        )

    def table(self, name: str, columns: str = "*") -> pd.DataFrame:
        """All stored rows of a result table, straight from the Parquet files."""
        files = str(self.warehouse / "jetstream" / name / "**/*.parquet")
        with duckdb.connect() as connection:
            rows: pd.DataFrame = connection.sql(
                f"SELECT {columns} FROM read_parquet($files, union_by_name = true)",  # noqa: S608  # the test's own text
                params={"files": files},
            ).df()
            return rows

    def records(self, slug: str, suffix: str) -> list[Statistic]:
        """A period's document, read by the consumer's own model."""
        name = f"statistics/statistics_{slug.replace('-', '_')}_{suffix}.json"
        read: list[Statistic] = Statistics.model_validate_json(
            (self.output / name).read_bytes()
        ).root
        return read

    def metadata(self, slug: str) -> Any:  # noqa: ANN401  # the consumer's model is not typed
        name = f"metadata/metadata_{slug.replace('-', '_')}.json"
        return Metadata.model_validate_json((self.output / name).read_bytes())

    def errors(self, slug: str) -> list[Any]:
        name = f"errors/errors_{slug.replace('-', '_')}.json"
        read: list[Any] = AnalysisErrors.model_validate_json((self.output / name).read_bytes()).root
        return read

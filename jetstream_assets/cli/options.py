"""Options that several commands share, so that they are spelt and explained alike.

Belongs here: the options of cells and inputs. Does not: what a command makes of them.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer


class Format(StrEnum):
    """How a command prints what it has found: for people, or for programs."""

    TEXT = "text"
    JSON = "json"


_DAY: dict[str, Any] = {"formats": ["%Y-%m-%d"], "metavar": "YYYY-MM-DD"}

Config = Annotated[
    str, typer.Option(help="Directory or git repository (path or URL) with the TOML files.")
]
Experiments = Annotated[str, typer.Option(help="JSON file or URL with the experiments' records.")]
Warehouse = Annotated[
    str,
    typer.Option(
        help="Folder of Parquet tables, <dataset>/<table>/*.parquet, or bigquery://project/dataset."
    ),
]
WarehouseOfResults = Annotated[
    str | None,
    typer.Option(
        "--warehouse",
        help="Folder of Parquet tables, or bigquery://project/dataset. \\[default: the demo's]",
    ),
]
Slugs = Annotated[
    list[str] | None, typer.Option(help="Only this experiment; may be given several times.")
]
OnDate = Annotated[datetime | None, typer.Option(help="This date; its data is complete.", **_DAY)]
FromDate = Annotated[
    datetime | None, typer.Option("--from", help="First of several dates.", **_DAY)
]
ToDate = Annotated[
    datetime | None, typer.Option("--to", help="Last of several dates, inclusive.", **_DAY)
]
AllDates = Annotated[
    bool, typer.Option("--all-dates", help="Every date from launch to end, or to yesterday.")
]
Ref = Annotated[
    str | None, typer.Option(help="Branch, tag or commit of a configuration repository.")
]
Macros = Annotated[
    str | None,
    typer.Option(
        envvar="JETSTREAM_DUCKDB_MACROS",
        help="SQL file of CREATE MACRO statements: the organisation's own functions for DuckDB.",
    ),
]
Lookback = Annotated[
    int,
    typer.Option(help="Days before a date whose sources are read again when they changed.", min=0),
]

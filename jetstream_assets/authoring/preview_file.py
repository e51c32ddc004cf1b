"""The experiment's file with what a preview says in its place.

Belongs here: changing the text of a TOML file. Does not: what is said (`preview`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import tomlkit
from tomlkit.exceptions import TOMLKitError

from jetstream_assets.authoring.preview_dates import PreviewDates
from jetstream_assets.errors import ConfigError


@dataclass(frozen=True)
class Said:
    """What a preview says in the place of the file, of defaults and of the record.

    Args:
        dates: When it is taken to run.
        dataset: Where its tables go.
        sample_size: Percentage of built-in enrollment events.
        enrollment_query: SQL that says who is enrolled; None for what the experiment says.
        unannotated: Names of data sources whose rows say nothing of experiments.
    """

    dates: PreviewDates
    dataset: str
    sample_size: int
    enrollment_query: str | None = None
    unannotated: Collection[str] = ()


def changed_file(content: bytes, path: str, said: Said) -> bytes:
    """The file with what is said; all else in it stays.

    Raises:
        ConfigError: It is written in a way that cannot be changed.
    """
    try:
        document = tomlkit.parse(content)
        document.setdefault("experiment", {}).update(_experiment(said))
        sources = document.setdefault("data_sources", {})
        for name in sorted(said.unannotated):
            sources.setdefault(name, {})["experiments_column_type"] = "none"
    except TOMLKitError as error:
        raise ConfigError(path, "", f"The file cannot be changed: {error}.") from error
    return tomlkit.dumps(document).encode()


def _experiment(said: Said) -> dict[str, object]:
    table: dict[str, object] = {
        "dataset_id": said.dataset,
        # Pages are what a preview is for, and it is looked at by who made it.
        "is_private": False,
        "skip": False,
        "start_date": said.dates.start_date.isoformat(),
        "enrollment_period": said.dates.enrollment_period,
        "sample_size": said.sample_size,
    }
    if said.dates.end_date is not None:
        table["end_date"] = said.dates.end_date.isoformat()
    if said.enrollment_query is not None:
        # It was rendered already: what looks like a template in it is none.
        table["enrollment_query"] = f"{{% raw %}}{said.enrollment_query}{{% endraw %}}"
    return table

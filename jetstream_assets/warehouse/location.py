"""Where a warehouse is, as one text: a folder, or ``bigquery://project/dataset``.

Belongs here: telling both apart. Does not: opening either (`orchestration.warehouse_resource`).
"""

from __future__ import annotations

import re

from jetstream_assets.errors import SettingsError

_SCHEME = "bigquery://"
_PLACE = re.compile(r"bigquery://(?P<project>[a-z0-9.:-]+)/(?P<dataset>[A-Za-z0-9_]+)/?")


def is_bigquery(location: str) -> bool:
    """Whether a location is in BigQuery."""
    return location.startswith(_SCHEME)


def project_and_dataset(location: str) -> tuple[str, str]:
    """The project and the dataset of a location in BigQuery.

    Raises:
        SettingsError: It does not name both.
    """
    found = _PLACE.fullmatch(location)
    if found is None:
        raise SettingsError(
            f"{location!r} is no place for tables: bigquery://project/dataset is, with the project "
            "in which queries run and the dataset of the results."
        )
    return found["project"], found["dataset"]

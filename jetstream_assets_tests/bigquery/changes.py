"""What a request may change of a resource, and how.

Belongs here: patches, and schemas that grow. Does not: when (`catalog`, `writing`).
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from jetstream_assets_tests.bigquery.refusals import Json, invalid

if TYPE_CHECKING:
    from jetstream_assets_tests.bigquery.names import TableKey


def patched(resource: Json, change: Json) -> Json:
    """A resource with a change: what is null goes, labels are merged one by one."""
    made = {**resource, "etag": uuid.uuid4().hex}
    for name, value in change.items():
        if name in {"tableReference", "datasetReference", "etag", "id", "kind"}:
            continue
        if name == "labels" and value is not None:
            value = {**made.get("labels", {}), **value}  # noqa: PLW2901
            value = {key: text for key, text in value.items() if text is not None}  # noqa: PLW2901
        made[name] = value
    return {name: value for name, value in made.items() if value is not None}


def check_growth(key: TableKey, old: list[Json], new: list[Json]) -> None:
    """Refuse a schema that is not the old one with more nullable or with relaxed columns."""
    changed = {field["name"].lower(): field for field in new}
    for field in old:
        now = changed.pop(field["name"].lower(), None)
        if now is None:
            raise invalid(
                f"Provided Schema does not match Table {key}. Field {field['name']} is missing in "
                "new schema"
            )
        is_relaxed = (field["mode"], now["mode"]) == ("REQUIRED", "NULLABLE")
        for part in ("type", "mode"):
            if field[part] != now[part] and not (part == "mode" and is_relaxed):
                raise invalid(
                    f"Provided Schema does not match Table {key}. Field {field['name']} has "
                    f"changed {part} from {field[part]} to {now[part]}"
                )
    for field in changed.values():
        if field["mode"] == "REQUIRED":
            raise invalid(
                f"Provided Schema does not match Table {key}. Cannot add required fields to an "
                f"existing schema. (field: {field['name']})"
            )

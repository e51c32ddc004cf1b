"""The paths of the API, and what answers each.

Belongs here: the table of routes for datasets, tables and rows. Does not: jobs (`job_routes`),
uploads (`uploads`), sockets (`server`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from jetstream_assets_tests.bigquery.catalog import Catalog
from jetstream_assets_tests.bigquery.jobs import Jobs
from jetstream_assets_tests.bigquery.names import TableKey
from jetstream_assets_tests.bigquery.refusals import Json, Refusal, invalid
from jetstream_assets_tests.bigquery.requests import Reply, Request
from jetstream_assets_tests.bigquery.values import rows_as_json

if TYPE_CHECKING:
    import pyarrow as pa


_PAGE = 50_000
_INTEGERS = "formatOptions.useInt64Timestamp"


@dataclass
class Service:
    """What routes work on.

    Args:
        catalog: Tables.
        jobs: Jobs.
        view_fields: The fields of a view's query, which must be right.
        page_rows: The most rows of one answer.
    """

    catalog: Catalog
    jobs: Jobs
    view_fields: Callable[[TableKey, str], list[Json]]
    page_rows: int = _PAGE


Handler = Callable[[Service, Request, tuple[str, ...]], Reply]
_P = r"/bigquery/v2/projects/([^/]+)"
_D = rf"{_P}/datasets/([^/]+)"
_T = rf"{_D}/tables/([^/]+)"


class Routes:
    """Patterns of paths with their handlers, tried in order."""

    def __init__(self, routes: list[tuple[str, str, Handler]]) -> None:
        self._routes = [(method, re.compile(path), handler) for method, path, handler in routes]

    def answer(self, service: Service, request: Request) -> Reply:
        """The answer to a request; refusals are answers, too."""
        try:
            for method, pattern, handler in self._routes:
                found = pattern.fullmatch(request.path)
                if found and method == request.method:
                    names = tuple(unquote(part) for part in found.groups())
                    return handler(service, request, names)
        except Refusal as refusal:
            return Reply(refusal.status, refusal.body)
        nowhere = Refusal("notFound", f"Not found: {request.method} {request.path}")
        return Reply(nowhere.status, nowhere.body)


def _list_datasets(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    (project,) = names
    found = service.catalog.datasets(project)
    kept = ("kind", "id", "datasetReference", "labels", "location")
    told = [{key: one[key] for key in kept if key in one} for one in found]
    return Reply(body=_page("datasets", told, request))


def _insert_dataset(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    return Reply(body=service.catalog.add_dataset(names[0], request.json))


def _get_dataset(service: Service, _: Request, names: tuple[str, ...]) -> Reply:
    return Reply(body=service.catalog.dataset((names[0], names[1])))


def _patch_dataset(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    return Reply(body=service.catalog.change_dataset((names[0], names[1]), request.json))


def _delete_dataset(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    with_contents = request.query.get("deleteContents", "").lower() == "true"
    service.catalog.remove_dataset((names[0], names[1]), with_contents=with_contents)
    return Reply(204)


def _list_tables(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    kept = (
        "kind", "id", "tableReference", "friendlyName", "labels", "type",
        "timePartitioning", "rangePartitioning", "clustering", "creationTime", "expirationTime",
        "view",
    )  # fmt: skip
    found = [one.described() for one in service.catalog.tables((names[0], names[1]))]
    told = [{key: one[key] for key in kept if key in one} for one in found]
    return Reply(body=_page("tables", told, request))


def _insert_table(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    resource = request.json
    reference = resource["tableReference"]
    if "$" in reference["tableId"]:
        raise invalid(f'Invalid table ID "{reference["tableId"]}": it names a partition')
    key = TableKey(names[0], names[1], reference["tableId"])
    if "view" in resource:
        resource["schema"] = {"fields": service.view_fields(key, resource["view"]["query"])}
    return Reply(body=service.catalog.add_table(key, resource).described())


def _get_table(service: Service, _request: Request, names: tuple[str, ...]) -> Reply:
    table, _, _ = names[2].partition("$")
    return Reply(body=service.catalog.table(TableKey(names[0], names[1], table)).described())


def _patch_table(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    etag, change = request.headers.get("if-match"), request.json
    if change.get("view"):
        key = TableKey(*names)
        change["schema"] = {"fields": service.view_fields(key, change["view"]["query"])}
    changed = service.catalog.change_table(TableKey(*names), change, etag)
    return Reply(body=changed.described())


def _delete_table(service: Service, _request: Request, names: tuple[str, ...]) -> Reply:
    table, _, partition = names[2].partition("$")
    key = TableKey(names[0], names[1], table)
    if partition:
        service.catalog.remove_partition(key, partition)
    else:
        service.catalog.remove_table(key)
    return Reply(204)


def _list_rows(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    table, _, partition = names[2].partition("$")
    stored = service.catalog.table(TableKey(names[0], names[1], table))
    rows = stored.partitions.get(partition, stored.rows.slice(0, 0)) if partition else stored.rows
    fields = stored.fields
    chosen = request.query.get("selectedFields")
    if chosen:
        fields = [one for one in fields if one["name"] in chosen.split(",")]
        rows = rows.select([one["name"] for one in fields])
    return Reply(body=page_of_rows(rows, fields, request, service.page_rows))


def page_of_rows(rows: pa.Table, fields: list[Json], request: Request, most: int) -> Json:
    """The rows that an answer has, and the token of the next."""
    start = request.number("pageToken", request.number("startIndex", 0))
    asked = request.query.get("maxResults")
    size = most if asked is None else min(int(asked), most)
    part = rows.slice(start, size)
    as_integers = request.query.get(_INTEGERS, "").lower() == "true"
    told: Json = {"totalRows": str(rows.num_rows)}
    if part.num_rows:
        told["rows"] = rows_as_json(part, fields, as_integers=as_integers)
    if start + size < rows.num_rows and size:
        told["pageToken"] = str(start + size)
    return told


def _page(name: str, found: list[Json], request: Request) -> Json:
    start, size = request.number("pageToken", 0), request.number("maxResults", 1000)
    told: Json = {name: found[start : start + size], "totalItems": len(found)}
    if start + size < len(found):
        told["nextPageToken"] = str(start + size)
    return told


TABLE_ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", rf"{_P}/datasets", _list_datasets),
    ("POST", rf"{_P}/datasets", _insert_dataset),
    ("GET", _D, _get_dataset),
    ("PATCH", _D, _patch_dataset),
    ("DELETE", _D, _delete_dataset),
    ("GET", rf"{_D}/tables", _list_tables),
    ("POST", rf"{_D}/tables", _insert_table),
    ("GET", _T, _get_table),
    ("PATCH", _T, _patch_table),
    ("DELETE", _T, _delete_table),
    ("GET", rf"{_T}/data", _list_rows),
]

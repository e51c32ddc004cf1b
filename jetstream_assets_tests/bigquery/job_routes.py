"""The paths of jobs, and what answers each.

Belongs here: starting, asking after, cancelling and listing jobs, and their results. Does not: what
jobs do (`work`), uploads (`uploads`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets_tests.bigquery.fields import arrow_schema
from jetstream_assets_tests.bigquery.requests import Reply, Request
from jetstream_assets_tests.bigquery.routes import Handler, Service, page_of_rows

if TYPE_CHECKING:
    from jetstream_assets_tests.bigquery.jobs import Job
    from jetstream_assets_tests.bigquery.refusals import Json

_P = r"/bigquery/v2/projects/([^/]+)"
_LONGEST_WAIT = 10_000  # milliseconds
_OF_QUERY = (
    "query", "defaultDataset", "useLegacySql", "parameterMode", "queryParameters",
    "maximumBytesBilled", "useQueryCache",
)  # fmt: skip


def _insert(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    return Reply(body=service.jobs.insert(names[0], request.json).resource)


def _job(service: Service, request: Request, names: tuple[str, ...]) -> Job:
    return service.jobs.find(names[0], names[1], request.query.get("location"))


def _get(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    return Reply(body=_job(service, request, names).resource)


def _cancel(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    job = _job(service, request, names)
    service.jobs.cancel(job)
    return Reply(body={"kind": "bigquery#jobCancelResponse", "job": job.resource})


def _list(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    wanted = request.query.get("stateFilter", "").upper()
    since = request.number("minCreationTime", 0)
    found = [
        {**job.resource, "state": job.state}
        for job in reversed(service.jobs.all())
        if job.project == names[0] and job.created >= since and wanted in {"", job.state}
    ]
    start, size = request.number("pageToken", 0), request.number("maxResults", 1000)
    told: Json = {"jobs": found[start : start + size]}
    if start + size < len(found):
        told["nextPageToken"] = str(start + size)
    return Reply(body=told)


def _query(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    """``jobs.query``: a job that is waited for."""
    asked = request.json
    config = {"query": {name: asked[name] for name in _OF_QUERY if name in asked}}
    for name in ("labels", "dryRun", "jobTimeoutMs"):
        if name in asked:
            config[name] = asked[name]
    reference = {"location": asked.get("location")}
    job = service.jobs.insert(names[0], {"jobReference": reference, "configuration": config})
    if config.get("dryRun"):
        return Reply(body=_results(job, service, request))
    job.done.wait(min(int(asked.get("timeoutMs") or _LONGEST_WAIT), _LONGEST_WAIT) / 1000)
    limits = {name: str(asked[name]) for name in ("maxResults",) if name in asked}
    options = asked.get("formatOptions") or {}
    if options.get("useInt64Timestamp"):
        limits["formatOptions.useInt64Timestamp"] = "true"
    asking = Request("GET", request.path, limits, request.headers, b"")
    return Reply(body=_results(job, service, asking))


def _get_results(service: Service, request: Request, names: tuple[str, ...]) -> Reply:
    job = _job(service, request, names)
    job.done.wait(min(request.number("timeoutMs", _LONGEST_WAIT), _LONGEST_WAIT) / 1000)
    return Reply(body=_results(job, service, request))


def _results(job: Job, service: Service, request: Request) -> Json:
    told: Json = {
        "kind": "bigquery#getQueryResultsResponse",
        "jobReference": job.reference,
        "jobComplete": job.state == "DONE",
    }
    if job.state != "DONE":
        return told
    if job.error is not None:
        raise job.error
    told |= {"totalBytesProcessed": job.statistics["totalBytesProcessed"], "cacheHit": False}
    if "numDmlAffectedRows" in job.details:
        told["numDmlAffectedRows"] = job.details["numDmlAffectedRows"]
    told["schema"] = job.details.get("schema", {})
    fields = told["schema"].get("fields", [])
    rows = arrow_schema(fields).empty_table() if job.rows is None else job.rows.rows
    return told | page_of_rows(rows, fields, request, service.page_rows)


JOB_ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", rf"{_P}/jobs", _insert),
    ("GET", rf"{_P}/jobs", _list),
    ("GET", rf"{_P}/jobs/([^/]+)", _get),
    ("POST", rf"{_P}/jobs/([^/]+)/cancel", _cancel),
    ("POST", rf"{_P}/queries", _query),
    ("GET", rf"{_P}/queries/([^/]+)", _get_results),
]

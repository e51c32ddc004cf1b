"""What jobs do: queries and scripts.

Belongs here: running a query job, its statistics, its refusals. Does not: loads and copies
(`loading`), the life of a job (`jobs`).
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets_tests.bigquery.binding import Scope, parsed, tables
from jetstream_assets_tests.bigquery.loading import copy, load
from jetstream_assets_tests.bigquery.names import TableKey
from jetstream_assets_tests.bigquery.parameters import with_parameters
from jetstream_assets_tests.bigquery.refusals import Json, Refusal, invalid, not_served
from jetstream_assets_tests.bigquery.sizes import billed
from jetstream_assets_tests.bigquery.statements import Outcome, Place, run
from jetstream_assets_tests.bigquery.transaction import Conflict, Transaction
from jetstream_assets_tests.bigquery.writing import Destination, write

if TYPE_CHECKING:
    from jetstream_assets_tests.bigquery.catalog import Catalog
    from jetstream_assets_tests.bigquery.jobs import Job
    from jetstream_assets_tests.bigquery.pruning import Scan
    from jetstream_assets_tests.bigquery.reading import Engine, Rows

ANONYMOUS = "_anonymous"
_LONGEST_STATEMENT = 2**20  # characters, without parameters
_EXPIRES_AFTER = 24 * 3600 * 1000


class QueriesAndLoads:
    """The work of jobs over a catalog."""

    def __init__(self, catalog: Catalog, engine: Engine) -> None:
        self._catalog = catalog
        self._engine = engine

    def check(self, job: Job) -> None:
        """Refuse a statement that cannot be parsed, as the service does before there is a job.

        A job without a location runs where the first dataset is that it names.
        """
        named = [job.configuration.get(job.kind, {}).get("destinationTable")]
        if job.kind == "query":
            project = self._place(job).project
            named += [_reference(one, project) for tree in self._trees(job) for one in tables(tree)]
        elif job.kind not in {"load", "copy"}:
            raise not_served(f"jobs of the kind {sorted(job.configuration)}")
        if not job.location:
            job.location = self._location(named)

    def _location(self, named: list[Json | None]) -> str:
        for one in filter(None, named):
            with suppress(KeyError, Refusal):
                key = (one["projectId"], one["datasetId"])
                return str(self._catalog.dataset(key)["location"])
        return "US"

    def plan(self, job: Job) -> None:
        """What a dry run tells of a query: its fields and what it would read."""
        trees = self._trees(job)
        if len(trees) > 1 or not isinstance(trees[0], exp.Query):
            raise not_served("dry runs of statements other than one query")
        scope = self._place(job).scope(Transaction(self._catalog, job.location))
        found = self._engine.plan(trees[0], scope)
        read = [key.resource for key in scope.read]
        self._tell(job, [Outcome("SELECT", found, found.scans, read=read)])
        job.details["schema"] = {"fields": found.fields}

    def view_fields(self, key: TableKey, query: str) -> list[Json]:
        """The fields of a view, whose query must be one that could run."""
        (tree,) = parsed(query)
        scope = Scope(key.project, key.dataset, Transaction(self._catalog).find)
        return self._engine.plan(tree, scope).fields

    def run(self, job: Job) -> None:
        """Do the work of a job."""
        if job.kind == "load":
            load(self._catalog, job)
        elif job.kind == "copy":
            copy(self._catalog, job)
        else:
            self._query(job)

    def _query(self, job: Job) -> None:
        trees = self._trees(job)
        outcomes = self._script(job, trees) if len(trees) > 1 else [self._alone(trees[0], job)]
        self._tell(job, outcomes)
        found = [one.rows for one in outcomes if one.rows is not None]
        if found:
            self._keep(job, found[-1])

    def _alone(self, tree: exp.Expr, job: Job) -> Outcome:
        """One statement; it waits for its turn where another changes the same table."""
        place = self._place(job)
        while True:
            transaction = Transaction(self._catalog, job.location)
            outcome = run(tree.copy(), place, transaction)
            try:
                transaction.commit()
            except Conflict:
                place.stop.check()
                continue
            return outcome

    def _script(self, job: Job, trees: list[exp.Expr]) -> list[Outcome]:
        if "destinationTable" in job.configuration["query"]:
            raise invalid("configuration.query.destinationTable cannot be set for scripts")
        place, outcomes = self._place(job), []
        transaction: Transaction | None = None
        for tree in trees:
            place.stop.check()
            if isinstance(tree, exp.Transaction):
                transaction = Transaction(self._catalog, job.location)
            elif isinstance(tree, exp.Commit | exp.Rollback):
                if transaction is None:
                    raise invalid("There is no transaction to end")
                if isinstance(tree, exp.Commit):
                    _commit(transaction)
                transaction = None
            elif transaction is not None:
                outcomes.append(run(tree, place, transaction))
            else:
                outcomes.append(self._alone(tree, job))
        job.statistics["numChildJobs"] = str(len(trees))
        return outcomes

    def _trees(self, job: Job) -> list[exp.Expr]:
        if job.trees:
            return job.trees
        config = job.configuration["query"]
        if config.get("useLegacySql", True):
            raise not_served("legacy SQL")
        if len(config["query"]) > _LONGEST_STATEMENT:
            raise invalid("The query is too large. The maximum standard SQL query length is 1M")
        parameters = config.get("queryParameters") or []
        job.trees = [with_parameters(tree, parameters) for tree in parsed(config["query"])]
        return job.trees

    def _place(self, job: Job) -> Place:
        config = job.configuration["query"]
        default, limit = config.get("defaultDataset") or {}, config.get("maximumBytesBilled")
        return Place(
            self._catalog,
            self._engine,
            default.get("projectId") or job.project,
            default.get("datasetId"),
            None if limit is None else int(limit),
            job.stop,
        )

    def _keep(self, job: Job, rows: Rows) -> None:
        """Write the rows of a query to its destination, or to a table without a name."""
        config = job.configuration["query"]
        job.rows = rows
        job.details["schema"] = {"fields": rows.fields}
        if "destinationTable" in config:
            job.stop.check()
            target = Destination.of(config, "WRITE_EMPTY")
            write(self._catalog, target, rows.fields, rows.rows, job.location)
            return
        key = TableKey(job.project, ANONYMOUS, f"anon{uuid.uuid4().hex}")
        self._catalog.add_anonymous(key, rows.fields, rows.rows, _EXPIRES_AFTER)
        job.configuration = {**job.configuration, "query": {**config, **_to(key)}}

    def _tell(self, job: Job, outcomes: list[Outcome]) -> None:
        scans = [scan for one in outcomes for scan in one.scans]
        sizes = [scan.size for scan in scans]
        changed: Json = {}
        for one in outcomes:
            for name, number in one.changed.items():
                changed[name] = str(int(changed.get(name, "0")) + int(number))
        total, kinds = str(sum(sizes)), [one.kind for one in outcomes]
        job.statistics["totalBytesProcessed"] = total
        job.details |= {
            "statementType": kinds[0] if len(kinds) == 1 else "SCRIPT",
            "totalBytesProcessed": total,
            "totalBytesBilled": str(billed(sizes)),
            "billingTier": 1,
            "cacheHit": False,
            "referencedTables": [key for one in outcomes for key in one.read],
            "queryPlan": [_stage(number, scan) for number, scan in enumerate(scans)],
        }
        if changed:
            affected = sum(int(number) for number in changed.values())
            job.details |= {"numDmlAffectedRows": str(affected), "dmlStats": changed}


def _reference(table: exp.Table, project: str) -> Json:
    return {"projectId": table.catalog or project, "datasetId": table.db}


def _stage(number: int, scan: Scan) -> Json:
    """A first stage of a query's plan, which reads one table."""
    read = {"kind": "READ", "substeps": [f"FROM {'.'.join(scan.key)}"]}
    return {
        "id": str(number),
        "name": f"S{number:02d}: Input",
        "recordsRead": str(scan.rows),
        "steps": [read],
    }


def _commit(transaction: Transaction) -> None:
    try:
        transaction.commit()
    except Conflict as conflict:
        raise conflict.refusal from conflict


def _to(key: TableKey) -> Json:
    return {"destinationTable": key.resource}

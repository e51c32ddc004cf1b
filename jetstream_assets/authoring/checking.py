"""Checking the files of a repository: each by itself, what it refers to, and its SQL.

Belongs here: which files are checked how, in which order. Does not: the checks (`written`,
`meaning`, `compiling`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.authoring.compiling import Compiler
from jetstream_assets.authoring.findings import Checked, Cost, Finding, Severity
from jetstream_assets.authoring.meaning import Meaning, meaning
from jetstream_assets.authoring.written import found_at, written_findings
from jetstream_assets.config.layout import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from jetstream_assets.authoring.dry_run import DryRun
    from jetstream_assets.config.document import Document
    from jetstream_assets.config.repository import ConfigurationRepository, Key
    from jetstream_assets.config.schema.base import Table
    from jetstream_assets.errors import ConfigError
    from jetstream_assets.experiments.record import ExperimentRecord


def check(
    repository: ConfigurationRepository,
    records: Mapping[str, ExperimentRecord],
    *,
    paths: Collection[str] | None = None,
    dry_run: DryRun | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Checked:
    """Everything that is wrong in files of a repository, sorted by file and line.

    A mistake that several experiments meet in a file that they share is told once.

    Args:
        repository: The whole configuration.
        records: Experiments' records by slug; for others one is invented.
        paths: The files to check; None for all. What is wrong in others is told where it keeps one
            of these from being computed.
        dry_run: Asks a warehouse what the statements would read; None to ask none.
        on_progress: Told how many groups of files are done, of how many.
    """
    documents = {d.path: d for group in repository.documents.values() for d in group}
    wanted = {path for path in documents if paths is None or path in paths}
    keys = [key for key, group in repository.documents.items() if wanted & {d.path for d in group}]
    findings = [f for path in sorted(wanted) for f in _written(documents[path])]
    compiler = Compiler()
    costs: list[Cost] = []
    for done, key in enumerate(sorted(keys)):
        on_progress(done, len(keys))
        found = _meaning(key, repository, records)
        findings += _meant(found, documents)
        if found is not None and found.configuration is not None:
            path = repository.documents[key][-1].path
            refused = tuple(compiler.problems(found.configuration, path))
            if dry_run is not None and key[0] is Kind.EXPERIMENT and not refused:
                refused, cost = dry_run.ask(found.configuration, path)
                costs.append(cost)
            findings += [_finding(error, documents) for error in refused]
    on_progress(len(keys), len(keys))
    ordered = tuple(sorted(dict.fromkeys(findings)))
    return Checked(tuple(sorted(wanted)), ordered, tuple(costs))


def _written(document: Document[Table]) -> Iterator[Finding]:
    if not document.is_foreign:
        yield from written_findings(document)


def _meaning(
    key: Key, repository: ConfigurationRepository, records: Mapping[str, ExperimentRecord]
) -> Meaning | None:
    """What the files mean; None where one cannot be read, or is another tool's."""
    group = repository.documents[key]
    if any(document.problem is not None or document.is_foreign for document in group):
        return None
    return meaning(key, repository, records)


def _meant(found: Meaning | None, documents: Mapping[str, Document[Table]]) -> Iterator[Finding]:
    if found is None:
        return
    for error in found.errors:
        yield _finding(error, documents)
    for warning in found.warnings:
        yield _finding(warning, documents, Severity.WARNING)


def _finding(
    error: ConfigError,
    documents: Mapping[str, Document[Table]],
    severity: Severity = Severity.ERROR,
) -> Finding:
    message = f"{error.problem} {error.remedy}".strip()
    document = documents.get(error.path)
    if document is None:
        return Finding(error.path, 0, 0, severity, error.key, message)
    return found_at(document, error.key, message, severity)

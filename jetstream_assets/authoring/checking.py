"""Checking the files of a repository: each by itself, what it refers to, and its SQL.

Belongs here: which files are checked how, in which order. Does not: the checks (`written`,
`meaning`, `compiling`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.authoring.compiling import Compiler
from jetstream_assets.authoring.dry_run import DryRun
from jetstream_assets.authoring.findings import Checked, Cost, Finding, Severity
from jetstream_assets.authoring.meaning import meaning
from jetstream_assets.authoring.written import found_at, written_findings
from jetstream_assets.config.document import Document
from jetstream_assets.config.layout import Kind
from jetstream_assets.config.repository import ConfigurationRepository
from jetstream_assets.config.schema.base import Table
from jetstream_assets.experiments.record import ExperimentRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from jetstream_assets.config.repository import Key
    from jetstream_assets.errors import ConfigError


def check(
    repository: ConfigurationRepository,
    records: Mapping[str, ExperimentRecord],
    *,
    paths: Collection[str] | None = None,
    dry_run: DryRun | None = None,
    own_macros: Collection[str] = (),
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
        own_macros: Names of macros of the embedded warehouse beyond the shipped ones.
        on_progress: Told how many groups of files are done, of how many.
    """
    documents = {d.path: d for group in repository.documents.values() for d in group}
    wanted = {path for path in documents if paths is None or path in paths}
    keys = [key for key, group in repository.documents.items() if wanted & {d.path for d in group}]
    findings = [f for path in sorted(wanted) for f in written_findings(documents[path])]
    asked = _Check(repository, records, documents, dry_run, Compiler(own_macros))
    costs: list[Cost] = []
    for done, key in enumerate(sorted(keys)):
        on_progress(done, len(keys))
        if all(d.problem is None and not d.is_foreign for d in repository.documents[key]):
            found, cost = asked.of(key)
            findings += found
            costs += cost
    on_progress(len(keys), len(keys))
    ordered = tuple(sorted(dict.fromkeys(findings)))
    return Checked(tuple(sorted(wanted)), ordered, tuple(costs))


@dataclass
class _Check:
    """The checks of files that can be read, each of which may need others."""

    repository: ConfigurationRepository
    records: Mapping[str, ExperimentRecord]
    documents: Mapping[str, Document[Table]]
    dry_run: DryRun | None
    compiler: Compiler

    def of(self, key: Key) -> tuple[list[Finding], list[Cost]]:
        """What is wrong in the files of a key, and what an experiment's statements would read."""
        found = meaning(key, self.repository, self.records)
        told = [(Severity.ERROR, error) for error in found.errors]
        told += [(Severity.WARNING, warning) for warning in found.warnings]
        costs: list[Cost] = []
        if found.configuration is not None:
            path = self.repository.documents[key][-1].path
            told += self.compiler.problems(found.configuration, path)
            is_fine = all(severity is Severity.WARNING for severity, _ in told)
            if self.dry_run is not None and key[0] is Kind.EXPERIMENT and is_fine:
                refused, cost = self.dry_run.ask(found.configuration, path)
                told += [(Severity.ERROR, error) for error in refused]
                costs.append(cost)
        return [self._finding(severity, error) for severity, error in told], costs

    def _finding(self, severity: Severity, error: ConfigError) -> Finding:
        message = f"{error.problem} {error.remedy}".strip()
        document = self.documents.get(error.path)
        if document is None:
            return Finding(error.path, 0, 0, severity, error.key, message)
        return found_at(document, error.key, message, severity)

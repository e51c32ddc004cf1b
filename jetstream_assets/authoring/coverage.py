"""How much of an organisation's configuration is understood, and what is not and why.

Belongs here: counting files, experiments, and distinct SQL by how far it comes. Does not: the steps
(`meaning`, `binding`), the table (`report.coverage_table`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from jetstream_assets.authoring.meaning import meaning
from jetstream_assets.config.layout import Kind
from jetstream_assets.config.named_metrics import named_metrics
from jetstream_assets.sql.enrollments import enrollments_query

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from sqlglot import exp

    from jetstream_assets.authoring.binding import Binder, Bound
    from jetstream_assets.config.repository import ConfigurationRepository
    from jetstream_assets.experiments.configuration import AnalysisConfiguration


@dataclass(frozen=True)
class Covered:
    """How far the members of one kind come.

    Args:
        kind: What they are, such as ``metrics``.
        found: How many there are; of SQL, how many distinct ones.
        understood: How many can be read or resolved.
        bigquery: Of these with SQL of their own, how many can be written for BigQuery.
        duckdb: How many of those for DuckDB.
        bound: How many of those DuckDB takes over inferred columns; None where that is not asked.
    """

    kind: str
    found: int
    understood: int
    bigquery: int | None = None
    duckdb: int | None = None
    bound: int | None = None


@dataclass(frozen=True)
class Coverage:
    """``reasons`` are (kind, reason, how often), the most frequent first."""

    rows: tuple[Covered, ...]
    reasons: tuple[tuple[str, str, int], ...]


def coverage(
    repository: ConfigurationRepository,
    binder: Binder,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Coverage:
    """How much of a repository is understood.

    Args:
        repository: The whole configuration.
        binder: Binds expressions.
        on_progress: Told how many experiments are done, of how many.
    """
    reasons: Counter[tuple[str, str]] = Counter()
    documents = [d for group in repository.documents.values() for d in group]
    reasons.update(("files", problem.problem) for problem in repository.problems)
    files = Covered("files", len(documents), len(documents) - len(repository.problems))
    configurations = _configurations(repository, reasons, on_progress)
    slugs = repository.experiment_slugs
    rows = (
        files,
        Covered("experiments", len(slugs), len(configurations)),
        _metrics(repository, binder, reasons),
        _bound("segments", [binder.bind(text) for text in _segments(configurations)], reasons),
        _bound(
            "exposure signals", [binder.bind(text) for text in _signals(configurations)], reasons
        ),
        _bound(
            "enrollment queries",
            [binder.bind_query(build) for build in _enrollment_queries(configurations)],
            reasons,
        ),
    )
    told = tuple((kind, reason, number) for (kind, reason), number in reasons.most_common())
    return Coverage(rows, told)


def _configurations(
    repository: ConfigurationRepository,
    reasons: Counter[tuple[str, str]],
    on_progress: Callable[[int, int], None],
) -> list[AnalysisConfiguration]:
    found = []
    slugs = repository.experiment_slugs
    for done, slug in enumerate(slugs):
        on_progress(done, len(slugs))
        of = meaning((Kind.EXPERIMENT, slug, ""), repository, {})
        if of.configuration is not None:
            found.append(of.configuration)
        elif of.errors:
            reasons["experiments", str(of.errors[0])] += 1
    on_progress(len(slugs), len(slugs))
    return found


def _metrics(
    repository: ConfigurationRepository, binder: Binder, reasons: Counter[tuple[str, str]]
) -> Covered:
    """Every name in a list and every definition; equal SQL once, a name without meaning each."""
    texts: dict[str, None] = {}
    unknown = 0
    for named in named_metrics(repository):
        if isinstance(named.meant, str):
            unknown += 1
            reasons["metrics", f"{named.path}: {named.name}: {named.meant}"] += 1
        elif named.meant.select_expression is not None:
            texts[named.meant.select_expression] = None
    row = _bound("metrics", [binder.bind(text) for text in texts], reasons)
    return Covered(
        "metrics", row.found + unknown, row.understood, row.bigquery, row.duckdb, row.bound
    )


def _segments(configurations: Iterable[AnalysisConfiguration]) -> dict[str, None]:
    return dict.fromkeys(
        segment.select_expression for one in configurations for segment in one.segments
    )


def _signals(configurations: Iterable[AnalysisConfiguration]) -> dict[str, None]:
    signals = (one.exposure_signal for one in configurations)
    return dict.fromkeys(signal.select_expression for signal in signals if signal is not None)


def _enrollment_queries(
    configurations: Iterable[AnalysisConfiguration],
) -> list[Callable[[], exp.Query]]:
    """Those that experiments write themselves, with what is made of their rows."""
    own = (one for one in configurations if one.enrollment_query is not None)
    return [
        partial(enrollments_query, replace(one, segments=()), with_exposures=False) for one in own
    ]


def _bound(kind: str, found: Collection[Bound], reasons: Counter[tuple[str, str]]) -> Covered:
    reasons.update((kind, one.reason) for one in found if one.reason)
    return Covered(
        kind,
        len(found),
        len(found),
        sum(one.bigquery for one in found),
        sum(one.duckdb for one in found),
        sum(one.bound for one in found),
    )

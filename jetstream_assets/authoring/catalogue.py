"""Every shared metric of a configuration, as people look it up.

Belongs here: what each metric is and who uses it, and the two forms of the list. Does not: where it
is written (`cli.docs`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from jetstream_assets.config.layers import Origin
from jetstream_assets.config.layout import Kind
from jetstream_assets.config.metrics import MetricResolver
from jetstream_assets.config.named_metrics import any_record, named_metrics
from jetstream_assets.config.resolve import scope_of
from jetstream_assets.errors import ConfigError
from jetstream_assets.report.markdown import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jetstream_assets.config.repository import ConfigurationRepository

_MOST_USERS = 20


@dataclass(frozen=True)
class Entry:
    """A metric of an application.

    Args:
        app_name: The application.
        name: The metric's name.
        title: What people call it.
        description: What it is, in words.
        sql: Its select expression with functions filled in; empty for a ratio of two others.
        data_source: What it is computed from; empty for a ratio.
        statistics: What is made of it by default.
        used_by: The files that list it, defaults first.
        problem: Why it cannot be used; empty where it can.
    """

    app_name: str
    name: str
    title: str
    description: str
    sql: str
    data_source: str
    statistics: tuple[str, ...]
    used_by: tuple[str, ...]
    problem: str = ""


def catalogue(repository: ConfigurationRepository) -> tuple[Entry, ...]:
    """Every metric that shared definitions of an application define, by application and name."""
    users = _users(repository)
    applications = sorted(
        {name for kind, name, _ in repository.documents if kind is Kind.DEFINITIONS}
    )
    return tuple(entry for app in applications for entry in _entries(app, repository, users))


def catalogue_markdown(entries: Sequence[Entry]) -> str:
    """A chapter for each application, a section for each metric."""
    parts = ["# Metrics\n"]
    for number, entry in enumerate(entries):
        if not number or entries[number - 1].app_name != entry.app_name:
            parts.append(f"## {escaped(entry.app_name)}\n")
        parts.append("\n\n".join(_section(entry)) + "\n")
    return "\n".join(parts)


def catalogue_html(entries: Sequence[Entry]) -> str:
    """The same as one page that needs nothing else."""
    environment = Environment(
        loader=PackageLoader("jetstream_assets.authoring", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("catalogue.html.j2").render(entries=entries, most=_MOST_USERS)


def _section(entry: Entry) -> Iterator[str]:
    yield f"### {escaped(entry.name)}"
    if entry.title:
        yield f"**{escaped(entry.title)}**"
    if entry.description:
        yield escaped(entry.description)
    if entry.problem:
        yield f"Cannot be used: {escaped(entry.problem)}"
    if entry.sql:
        # Indented code ends only where the indentation does, whatever is in it.
        yield "\n".join(f"    {line}" for line in entry.sql.splitlines())
    facts = [
        ("data source", entry.data_source),
        ("statistics", ", ".join(entry.statistics)),
        ("used by", _users_text(entry.used_by)),
    ]
    yield "\n".join(f"- {name}: {escaped(text)}" for name, text in facts if text)


def _users_text(paths: Sequence[str]) -> str:
    more = len(paths) - _MOST_USERS
    told = ", ".join(paths[:_MOST_USERS])
    return f"{told} and {more} more" if more > 0 else told


def _users(repository: ConfigurationRepository) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """The files that list a metric, by application and name; defaults before outcomes."""
    found: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for named in named_metrics(repository):
        if named.kind is not Kind.DEFINITIONS:
            found[named.app_name, named.name][named.path] = None
    return {key: tuple(paths) for key, paths in found.items()}


def _entries(
    app_name: str,
    repository: ConfigurationRepository,
    users: Mapping[tuple[str, str], tuple[str, ...]],
) -> Iterator[Entry]:
    documents = [d for d in repository.definitions(app_name) if d.problem is None]
    names = {
        name: (document.path, definition)
        for document in documents
        for name, definition in document.layer.metrics.definitions.items()
    }
    try:
        resolver = MetricResolver(scope_of(any_record(app_name), repository))
    except ConfigError:
        return
    for name, (path, definition) in sorted(names.items()):
        used = users.get((app_name, name), ())
        written = (definition.friendly_name or "", definition.description or "")
        try:
            found = resolver.resolve(name, Origin(path, name))
        except ConfigError as error:
            yield Entry(app_name, name, *written, "", "", (), used, error.problem)
            continue
        metric, source = found.metric, found.metric.data_source
        yield Entry(
            app_name,
            name,
            metric.friendly_name,
            metric.description,
            metric.select_expression or "",
            source.name if source is not None else "",
            tuple(found.definition.value.statistics or {}),
            used,
        )

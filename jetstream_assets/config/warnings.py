"""What an experiment's files say and nothing reads, told in sentences.

Belongs here: choosing the warnings that concern one experiment. Does not: finding unknown keys
(`schema.base`), errors.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from jetstream_assets.config.wording import dotted_key, one_of
from jetstream_assets.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.config.document import Document
    from jetstream_assets.config.repository import ConfigurationRepository
    from jetstream_assets.config.schema.base import Table, UnknownKey
    from jetstream_assets.experiments.configuration import AnalysisConfiguration

# A parameter with a value for each branch is an expression; between quotes it is only its text.
_QUOTED_CASE = re.compile(r"""['"]CASE e\.branch WHEN""")


def told_warnings(
    configuration: AnalysisConfiguration,
    documents: tuple[Document[Table], ...],
    repository: ConfigurationRepository,
    *,
    strict: bool,
) -> AnalysisConfiguration:
    """The configuration with its warnings.

    Args:
        configuration: A resolved configuration.
        documents: The files of the experiment, its application's defaults and its outcomes.
        repository: Where they are from.
        strict: Whether an unknown key is an error.

    Raises:
        ConfigError: There is an unknown key, and ``strict`` says that this is an error.
    """
    unknown = [key for document in documents for key in document.unknown_keys]
    unknown.extend(_of_definitions(configuration, repository))
    if strict and unknown:
        key = unknown[0]
        more = f" ({len(unknown) - 1} more unknown keys follow.)" if len(unknown) > 1 else ""
        raise ConfigError(key.path, key.key, f"The key is not known.{more}", key.suggestion)
    sentences = (*map(str, unknown), *_doubts(configuration))
    return replace(configuration, warnings=tuple(dict.fromkeys(sentences)))


def _of_definitions(
    configuration: AnalysisConfiguration, repository: ConfigurationRepository
) -> Iterator[UnknownKey]:
    """Unknown keys of those shared definitions that the experiment uses."""
    used = tuple(_used_tables(configuration))
    for document in repository.definitions(configuration.experiment.app_name):
        for key in document.unknown_keys:
            if key.key.startswith(used):
                yield key


def _used_tables(configuration: AnalysisConfiguration) -> Iterator[str]:
    for metric in configuration.metrics:
        yield dotted_key(["metrics", metric.name]) + "."
        if metric.data_source is not None:
            yield dotted_key(["data_sources", metric.data_source.name]) + "."
    for segment in configuration.segments:
        yield dotted_key(["segments", segment.name]) + "."
        yield dotted_key(["segments", "data_sources", segment.data_source.name]) + "."


def _doubts(configuration: AnalysisConfiguration) -> Iterator[str]:
    experiment = configuration.experiment
    slugs = [branch.slug for branch in experiment.branches]
    reference = experiment.reference_branch
    if reference is not None and slugs and reference not in slugs:
        yield f"The reference branch {reference!r} is no branch; it should be {one_of(slugs)}."
    for metric in configuration.metrics:
        if _QUOTED_CASE.search(metric.select_expression or ""):
            yield (
                f"The metric {metric.name!r} uses a parameter that is distinct by branch between "
                "quotes, so it compares with the text of an expression. Remove the quotes."
            )

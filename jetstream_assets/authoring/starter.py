"""A first file for an experiment, with what there is to choose from.

Belongs here: the file's text. Does not: where it is written (`cli.init`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from jetstream_assets.config.layout import Kind
from jetstream_assets.config.wording import cut, did_you_mean, one_of, shown
from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.experiment import is_slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jetstream_assets.config.repository import ConfigurationRepository

_NAME = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
_MOST_NAMES = 30


def starter(slug: str, app_name: str | None, repository: ConfigurationRepository) -> str:
    """The text of a file that `checking.check` finds nothing wrong with.

    Args:
        slug: The experiment's.
        app_name: Its application; None for the only one that has definitions or defaults.
        repository: What is there to choose from.

    Raises:
        ConfigError: The slug is none, it has a file already, or the application is not known.
    """
    if not is_slug(slug):
        problem = f"{shown(slug)} is no slug; use letters, digits, dashes and underscores."
        raise ConfigError(cut(slug), "", problem)
    existing = repository.experiment(slug)
    if existing:
        raise ConfigError(existing[-1].path, "", "The experiment has a file already.", "Edit it.")
    application = _application(app_name, repository)
    # Not HTML: a TOML file, of names that are checked.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("jetstream_assets.authoring", ""),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template("starter.toml.j2").render(
        slug=slug, app_name=application, **_choices(application, repository)
    )


def _application(app_name: str | None, repository: ConfigurationRepository) -> str:
    keys = (key for key in repository.documents if key[0] in {Kind.DEFINITIONS, Kind.DEFAULTS})
    known = sorted({name for _, name, _ in keys if _NAME.fullmatch(name)})
    if app_name is None and len(known) == 1:
        return known[0]
    if app_name in known:
        return str(app_name)
    found = "no application is named" if app_name is None else f"found {shown(app_name)}"
    allowed = one_of(known) if known else "none, for the repository has no definitions"
    remedy = did_you_mean(app_name or "", known) or "Name it with --app."
    raise ConfigError(repository.location, "", f"{found}; allowed: {allowed}.", remedy)


def _choices(app_name: str, repository: ConfigurationRepository) -> dict[str, list[str]]:
    """The first names of each kind that an experiment of the application may use."""
    documents = [
        document
        for document in (*repository.definitions(app_name), *repository.defaults(app_name))
        if document.problem is None
    ]
    layers = [document.layer for document in documents]
    return {
        "metrics": _names(layer.metrics.definitions for layer in layers),
        "segments": _names(layer.segments.definitions for layer in layers),
        "data_sources": _names(layer.data_sources.definitions for layer in layers),
    }


def _names(sections: Iterable[Mapping[str, object]]) -> list[str]:
    names = sorted({name for section in sections for name in section if _NAME.fullmatch(name)})
    more = len(names) - _MOST_NAMES
    return [*names[:_MOST_NAMES], f"and {more} more"] if more > 0 else names

"""Snippets are templates of two kinds, and nothing in a template may reach beyond its values.

Belongs here: Jinja in a sandbox, ``{name}`` placeholders without access to attributes, and text
made safe for the inside of a SQL string. Does not: which snippet gets which values.

The two kinds meet in one snippet: Jinja comes first, then placeholders; so a literal brace is
doubled where placeholders are filled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from string import Formatter
from typing import TYPE_CHECKING

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from jetstream_assets.config.document import Document
from jetstream_assets.config.layers import Origin
from jetstream_assets.config.schema.documents import FunctionsDocument
from jetstream_assets.config.wording import cut, did_you_mean, shown
from jetstream_assets.experiments.experiment import Experiment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date


# What a template can raise beside Jinja's own errors: wrong arguments, wrong operands.
_TEMPLATE_ERRORS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError)
# Braces too, so that a slug cannot be taken for a placeholder.
_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        "'": "\\'",
        '"': '\\"',
        "`": "\\x60",
        "{": "\\x7b",
        "}": "\\x7d",
        "\n": "\\n",
        "\r": "\\r",
    }
)


def string_content(text: str) -> str:
    """Text as it stands between the quotes of a BigQuery string literal, whichever quotes."""
    return text.translate(_ESCAPES)


def fill(text: str, values: Mapping[str, str], origin: Origin) -> str:
    """Text with each ``{name}`` replaced by its value, and doubled braces by single ones.

    Raises:
        ConfigError: A placeholder has another name, or a brace stands alone.
    """
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise origin.error(f"{error}.", "Double a brace that is meant literally.") from error
    filled = []
    for literal, name, spec, conversion in parts:
        filled.append(literal)
        if name is None:
            continue
        if name not in values or spec or conversion:
            raise _unknown_placeholder(name, values, origin)
        filled.append(values[name])
    return "".join(filled)


def render_source(text: str, experiment: TemplateExperiment, origin: Origin) -> str:
    """A data source's text with Jinja rendered, if it speaks of ``experiment``.

    Otherwise its doubled braces are literal braces, for ``fill``.

    Raises:
        ConfigError: The template names something that the experiment does not have.
    """
    try:
        variables = meta.find_undeclared_variables(_PLAIN.parse(text)) if "{{" in text else set()
    except TemplateSyntaxError:
        return text
    return render_experiment(text, experiment, origin) if "experiment" in variables else text


def render_experiment(text: str, experiment: TemplateExperiment, origin: Origin) -> str:
    """A template in which ``experiment`` is the only value, rendered.

    Raises:
        ConfigError: The template is not well-formed or names something else.
    """
    if not _is_template(text):
        return text
    return _rendered(_PLAIN, text, {"experiment": experiment}, origin)


@dataclass(frozen=True)
class Functions:
    """The functions that select expressions may call, read when one is first needed."""

    documents: tuple[Document[FunctionsDocument], ...]

    def render(self, text: str, parameters: Mapping[str, str], origin: Origin) -> str:
        """A select expression with its functions and ``parameters`` rendered.

        Raises:
            ConfigError: The template is not well-formed, names something else, or the file of
                functions cannot be used.
        """
        if not _is_template(text):
            return text
        return _rendered(self._environment, text, {"parameters": parameters}, origin)

    @cached_property
    def _environment(self) -> ImmutableSandboxedEnvironment:
        environment = _sandbox()
        for document in self.documents:
            for name, function in document.value.functions.items():
                origin = Origin(document.path, "functions").below(name, "definition")
                environment.globals[name] = _function(function.definition, origin)
        return environment


@dataclass(frozen=True)
class TemplateExperiment:
    """What templates may say of an experiment; every text is safe inside a SQL string."""

    _experiment: Experiment

    @property
    def slug(self) -> str:
        """The experiment slug."""
        return string_content(self._experiment.slug)

    @property
    def normandy_slug(self) -> str:
        """The experiment slug, by the name that configuration files use."""
        return self.slug

    @property
    def app_name(self) -> str:
        """The application."""
        return string_content(self._experiment.app_name)

    @property
    def app_id(self) -> str:
        """The application's id."""
        return string_content(self._experiment.app_id)

    @property
    def reference_branch(self) -> str:
        """The reference branch."""
        branch = self._experiment.reference_branch
        if branch is None:
            raise ValueError("the experiment has no reference branch")
        return string_content(branch)

    @property
    def enrollment_period(self) -> int:
        """Days of enrollment."""
        return self._experiment.enrollment_period

    @property
    def start_date_str(self) -> str:
        """The first date of enrollment, YYYY-MM-DD."""
        return _known(self._experiment.start_date, "start").isoformat()

    @property
    def end_date_str(self) -> str:
        """The last date, YYYY-MM-DD."""
        return _known(self._experiment.end_date, "end").isoformat()

    @property
    def last_enrollment_date_str(self) -> str:
        """The last date of enrollment, YYYY-MM-DD."""
        _known(self._experiment.start_date, "start")
        return self._experiment.timeline.last_enrollment_date.isoformat()


def _sandbox() -> ImmutableSandboxedEnvironment:
    # The output is SQL, where HTML's escapes would be wrong.
    environment = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined)
    # Jinja's own functions are for pages: loops over ranges, filler text.
    environment.globals.clear()
    return environment


_PLAIN = _sandbox()


def _is_template(text: str) -> bool:
    return any(mark in text for mark in ("{{", "{%", "{#"))


def _rendered(
    environment: ImmutableSandboxedEnvironment,
    text: str,
    values: Mapping[str, object],
    origin: Origin,
) -> str:
    try:
        return str(environment.from_string(text).render(values))
    except RecursionError as error:
        raise origin.error("The template is nested too deeply.") from error
    except _TEMPLATE_ERRORS as error:
        raise origin.error(f"The template cannot be rendered: {cut(str(error))}.") from error


def _function(definition: str, origin: Origin) -> Callable[[object], str]:
    def call(select_expr: object) -> str:
        return fill(definition, {"select_expr": str(select_expr)}, origin)

    return call


def _unknown_placeholder(name: str, values: Mapping[str, str], origin: Origin) -> Exception:
    allowed = ", ".join(f"{{{value}}}" for value in values) or "none"
    remedy = did_you_mean(name, values) or "Double a brace that is meant literally."
    return origin.error(f"{shown(name)} is no placeholder here; allowed: {allowed}.", remedy)


def _known(day: date | None, which: str) -> date:
    if day is None:
        raise ValueError(f"the experiment has no {which} date")
    return day

"""Parameters give an outcome's SQL the values of one experiment.

Belongs here: merging parameters and writing them as SQL text. Does not: where they are used
(`templates`).

The value is the experiment's, else the outcome's, else the experiment's default, else the
outcome's default; values for branches are laid over default values for branches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.config.layers import Folded, Origin, first
from jetstream_assets.config.templates import string_content
from jetstream_assets.config.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jetstream_assets.config.schema.experiment import ParameterTable

Value = str | dict[str, str] | None


def merge_parameters(
    own: Iterable[tuple[str, Mapping[str, ParameterTable]]],
    outcomes: Iterable[tuple[str, Mapping[str, ParameterTable]]],
) -> dict[str, str]:
    """The SQL text of every parameter by name.

    Args:
        own: Paths and parameters of the defaults and the experiment's files, lowest first.
        outcomes: Paths and parameters of the outcomes; the first one wins.

    Raises:
        ConfigError: A parameter has no value, or not the kind of value that it says.
    """
    merged: dict[str, Folded[ParameterTable]] = {}
    for path, tables in own:
        for name, table in tables.items():
            merged[name] = _overlaid(
                merged.get(name), table, Origin(path, "parameters").below(name)
            )
    for path, tables in outcomes:
        for name, table in tables.items():
            outcome = first(table, Origin(path, "parameters").below(name))
            merged[name] = _over_outcome(merged[name], outcome) if name in merged else outcome
    return {name: _sql(parameter) for name, parameter in merged.items()}


def _overlaid(
    lower: Folded[ParameterTable] | None, upper: ParameterTable, origin: Origin
) -> Folded[ParameterTable]:
    return first(upper, origin) if lower is None else lower.overlaid(upper, origin)


def _over_outcome(
    own: Folded[ParameterTable], outcome: Folded[ParameterTable]
) -> Folded[ParameterTable]:
    said = own.value.model_fields_set
    value = outcome.value.model_copy(update={name: getattr(own.value, name) for name in said})
    return Folded(value, own.origin, {**outcome.origins, **own.origins})


def _sql(parameter: Folded[ParameterTable]) -> str:
    value = _value(parameter.value.value, parameter.value.default)
    if parameter.value.distinct_by_branch:
        if isinstance(value, dict) and value:
            return _by_branch(value)
        raise parameter.origin.error(
            f"found {shown(value)}. The parameter is distinct by branch, so it needs a value for "
            "each branch.",
            'Write value.<branch> = "..." for each.',
        )
    if isinstance(value, str):
        return value
    raise parameter.origin.error(
        f"found {shown(value)}. The parameter needs one text as its value.",
        "Write it as a text, or set distinct_by_branch = true to give one for each branch.",
    )


def _value(value: Value, default: Value) -> Value:
    if isinstance(value, dict) and isinstance(default, dict):
        return {**default, **value}
    return default if value is None else value


def _by_branch(values: Mapping[str, str]) -> str:
    cases = (
        f'WHEN "{string_content(branch)}" THEN "{string_content(value)}"'
        for branch, value in values.items()
    )
    return f"CASE e.branch {' '.join(cases)} END"

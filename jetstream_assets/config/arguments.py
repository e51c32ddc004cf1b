"""Parameters of statistics and pre-treatments are checked when they are read, not when they run.

Belongs here: checking written values against the table of parameters. Does not: the table
(`experiments.statistic_parameters`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jetstream_assets.config.wording import did_you_mean, one_of, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jetstream_assets.config.layers import Origin
    from jetstream_assets.experiments.metrics import Scalar
    from jetstream_assets.experiments.statistic_parameters import Parameter

_KINDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def complete_arguments(
    parameters: Sequence[Parameter], written: Mapping[str, object], origin: Origin
) -> tuple[tuple[str, Scalar], ...]:
    """Every parameter with its written or default value, sorted by name.

    Args:
        parameters: What may be given.
        written: What is given.
        origin: Where it is written.

    Raises:
        ConfigError: An unknown parameter, a required one that is missing, or a value that is not
            allowed.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in written:
        if name not in known:
            allowed = one_of(sorted(known)) if known else "none, it takes no parameters"
            problem = f"There is no such parameter; allowed: {allowed}."
            raise origin.below(name).error(problem, did_you_mean(name, known))
    return tuple((name, _argument(known[name], written, origin)) for name in sorted(known))


def _argument(parameter: Parameter, written: Mapping[str, object], origin: Origin) -> Scalar:
    at = origin.below(parameter.name)
    if parameter.name not in written:
        if parameter.is_required:
            raise at.error("The parameter is missing; it is required.", "Add it.")
        return parameter.default
    found = written[parameter.name]
    value = _typed(parameter, found)
    if value is None or not _is_allowed(parameter, value):
        raise at.error(f"found {shown(found)}; it must be {_allowed(parameter)}.")
    return value


def _typed(parameter: Parameter, found: object) -> str | int | float | bool | None:
    """The value in the parameter's type, or None when it has another."""
    if parameter.kind is float and isinstance(found, int) and not isinstance(found, bool):
        return float(found)
    if type(found) is not parameter.kind:
        return None
    is_finite = not isinstance(found, float) or math.isfinite(found)
    return found if is_finite and isinstance(found, str | int | float) else None


def _is_allowed(parameter: Parameter, value: str | float) -> bool:
    if parameter.choices:
        return value in parameter.choices
    if isinstance(value, str | bool):
        return True
    low = -math.inf if parameter.minimum is None else parameter.minimum
    high = math.inf if parameter.maximum is None else parameter.maximum
    return low < value < high if parameter.excludes_bounds else low <= value <= high


def _allowed(parameter: Parameter) -> str:
    if parameter.choices:
        return one_of([repr(choice) for choice in parameter.choices])
    strictly = parameter.excludes_bounds
    bounds = []
    if parameter.minimum is not None:
        bounds.append(f"{'above' if strictly else 'at least'} {parameter.minimum:g}")
    if parameter.maximum is not None:
        bounds.append(f"{'below' if strictly else 'at most'} {parameter.maximum:g}")
    return f"{_KINDS[parameter.kind]} {' and '.join(bounds)}".strip()

"""The shape of configuration files as JSON Schema, for editors that complete and check TOML.

Belongs here: the schemas of the files' kinds, made from the models that read them. Does not: what
only a whole repository can say, such as which names exist (`checking`).

Keys that nothing reads are allowed, as when a file is read: they are warnings.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jetstream_assets.config.repository import MODELS
from jetstream_assets.experiments.statistic_parameters import PRE_TREATMENTS, STATISTICS
from jetstream_assets.experiments.windows import Period

if TYPE_CHECKING:
    from jetstream_assets.config.layout import Kind
    from jetstream_assets.experiments.statistic_parameters import Parameter

    Schema = dict[str, Any]

_DIALECT = "http://json-schema.org/draft-07/schema#"
_APART = "<definitions>"
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_COVARIATES = [period.value for period in Period if period.is_preenrollment]


def json_schema(kind: Kind) -> Schema:
    """The schema of a kind of file, draft 7, which editors of TOML understand."""
    schema = MODELS[kind].model_json_schema()
    parts: dict[str, Schema] = schema.get("$defs", {})
    for part in (schema, *parts.values()):
        _join_definitions(part)
    if "MetricDefinition" in parts:
        parts["MetricDefinition"]["properties"]["statistics"] = _statistics()
        parts["CovariateTable"]["properties"]["period"]["enum"] = _COVARIATES
        parts["PreTreatmentTable"]["properties"]["name"]["enum"] = sorted(PRE_TREATMENTS)
        parts |= {_part_name(name): _statistic(name) for name in STATISTICS}
    title = f"jetstream {kind.value}"
    return {"$schema": _DIALECT, **schema, "title": title}


def schema_text(kind: Kind) -> str:
    """The schema as text, the same for the same models."""
    return json.dumps(json_schema(kind), indent=2, sort_keys=True) + "\n"


def _join_definitions(part: Schema) -> None:
    """Definitions stand beside the other keys of their table, under names of their own."""
    properties = part.get("properties", {})
    for described in properties.values():
        # A table that is left out is empty; saying so helps nobody.
        if isinstance(described.get("default"), dict):
            del described["default"]
    apart = properties.pop(_APART, None)
    if apart is not None:
        # A key that nothing reads is no table, and no mistake of its type.
        other = {"type": ["array", "string", "number", "boolean"]}
        part["additionalProperties"] = {"anyOf": [apart["additionalProperties"], other]}


def _part_name(statistic: str) -> str:
    return f"statistic_{statistic}"


def _statistics() -> Schema:
    listed = {name: {"$ref": f"#/$defs/{_part_name(name)}"} for name in STATISTICS}
    return {
        "type": "object",
        "description": "The statistics to make of the metric, each with its parameters.",
        "properties": listed,
        "additionalProperties": False,
    }


def _statistic(name: str) -> Schema:
    """A statistic's table: its parameters, pre-treatments, and a covariate where it takes one."""
    known = STATISTICS[name]
    properties = {parameter.name: _parameter(parameter) for parameter in known.parameters}
    by_name = {"enum": sorted(PRE_TREATMENTS)}
    properties["pre_treatments"] = {
        "type": "array",
        "items": {"anyOf": [by_name, {"$ref": "#/$defs/PreTreatmentTable"}]},
    }
    if known.takes_covariate:
        properties["covariate_adjustment"] = {"$ref": "#/$defs/CovariateTable"}
    required = [parameter.name for parameter in known.parameters if parameter.is_required]
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _parameter(parameter: Parameter) -> Schema:
    found: Schema = {"type": _TYPES[parameter.kind]}
    if parameter.choices:
        found["enum"] = list(parameter.choices)
    prefix = "exclusiveM" if parameter.excludes_bounds else "m"
    for bound, value in (("inimum", parameter.minimum), ("aximum", parameter.maximum)):
        if value is not None:
            found[f"{prefix}{bound}"] = value
    if not parameter.is_required and parameter.default is not None:
        found["default"] = parameter.default
    return found

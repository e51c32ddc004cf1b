"""Calls the command line in this process, as a user would in a shell."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from jetstream_assets.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typer.testing import Result

    from jetstream_assets_tests.orchestration.laboratory import Laboratory


def jetstream(*arguments: str, environment: Mapping[str, str] = MappingProxyType({})) -> Result:
    """Run the command; no stack trace may escape it."""
    return CliRunner().invoke(app, list(arguments), env={"DAGSTER_HOME": "", **environment})


def run(
    laboratory: Laboratory,
    *arguments: str,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Result:
    """`jetstream run` over a laboratory's inputs, in this process."""
    inputs = {
        "--config": laboratory.root / "configuration",
        "--experiments": laboratory.root / "experiments.json",
        "--warehouse": laboratory.root / "warehouse",
        "--output": laboratory.root / "output",
        "--executor": "in-process",
    }
    given = [str(part) for pair in inputs.items() for part in pair]
    return jetstream("run", *given, *arguments, environment=environment)

"""What the help of a command is to say is what it says."""

from __future__ import annotations

import pytest
import typer
from rich.text import Text

from jetstream_assets.cli.main import app

COMMANDS = typer.main.get_group(app).commands


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_of_an_options_help_is_taken_for_markup(name: str) -> None:
    for parameter in COMMANDS[name].params:
        text = getattr(parameter, "help", None) or ""
        assert Text.from_markup(text).plain == text.replace("\\[", "["), parameter.name

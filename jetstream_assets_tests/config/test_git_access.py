"""Git is let in by the environment or the URL, and nothing that is read holds the credentials."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from jetstream_assets.config.git import remote_commit
from jetstream_assets.config.git_access import TOKEN, access_to, redacted
from jetstream_assets.config.news import head_commit, read_news
from jetstream_assets.config.repository import open_configuration
from jetstream_assets.errors import ConfigError
from jetstream_assets_tests.config.remote import PASSWORD, USER, served
from jetstream_assets_tests.config.test_git import commit, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jetstream_assets_tests.config.folder import Folder

WATCHING_GIT = """#!/bin/sh
echo "$@" >> {log}
exec {git} "$@"
"""


@pytest.fixture
def remote(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """The address of a repository that asks for credentials, and the commit that is there."""
    monkeypatch.delenv(TOKEN, raising=False)
    folder.root.mkdir()
    run(folder, "init", "--quiet", "--initial-branch", "main")
    head = commit(folder, "[experiment]\nenrollment_period = 1")
    run(folder, "clone", "--quiet", "--bare", str(folder.root), str(tmp_path / "hub.git"))
    with served(tmp_path) as (address, _):
        yield f"{address}/hub.git", head


@pytest.fixture
def command_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the command line of every git that is started."""
    log, programs = tmp_path / "command-lines", tmp_path / "programs"
    programs.mkdir()
    log.touch()
    program = programs / "git"
    program.write_text(WATCHING_GIT.format(log=log, git=shutil.which("git")))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return log


@pytest.mark.parametrize("way", ["token", "user and password", "url"])
def test_each_way_lets_git_in_and_stands_on_no_command_line(
    remote: tuple[str, str], way: str, command_lines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, head = remote
    if way == "url":
        url = url.replace("://", f"://{USER}:{quote(PASSWORD, safe='')}@")
    else:
        monkeypatch.setenv(TOKEN, PASSWORD if way == "token" else f"{USER}:{PASSWORD}")
    assert head_commit(url, "main") == head
    assert read_news(url, None, head, "[x]").files.commit == head
    repository = open_configuration(url, ref="main")
    assert (repository.commit, repository.location) == (head, remote[0])
    lines = command_lines.read_text()
    assert f"ls-remote --quiet -- {remote[0]} main" in lines
    assert f"--no-tags -- {remote[0]} main" in lines
    for secret in access_to(url).secrets:
        assert secret not in lines


def test_a_refusal_names_the_location_and_no_secret(
    remote: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = remote
    with pytest.raises(ConfigError, match="git ls-remote failed: fatal: could not read Username"):
        remote_commit(url, None)
    monkeypatch.setenv(TOKEN, "wrong-token")
    with_password = url.replace("://", "://me:wrong-password@")
    for location in (url, with_password):
        with pytest.raises(ConfigError, match="git ls-remote failed: fatal:") as caught:
            remote_commit(location, None)
        assert caught.value.path == url
        access = access_to(location)
        for secret in (*access.secrets, "wrong-"):
            assert secret not in str(caught.value)
            assert secret not in repr(access)


def test_settings_of_git_in_the_environment_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "abc")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    environment = access_to("https://host/a/b").environment
    assert environment["GIT_CONFIG_COUNT"] == "3"
    # Only this server gets the token.
    assert environment["GIT_CONFIG_KEY_2"] == "http.https://host/.extraHeader"
    for other in ("ssh://git@host/a", "git@host:a/b", "file:///a"):
        assert access_to(other).environment == {}


def test_locations_are_redacted_whatever_a_password_holds() -> None:
    assert redacted("https://me:p@ss:w@host/a@b") == "https://host/a@b"
    assert redacted("fatal: 'https://me:p@host/a' and ssh://git@host/b") == (
        "fatal: 'https://host/a' and ssh://host/b"
    )

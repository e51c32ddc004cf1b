from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.config import git
from jetstream_assets.config.repository import open_configuration
from jetstream_assets.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from jetstream_assets.config.repository import ConfigurationRepository
    from jetstream_assets_tests.config.folder import Folder


def run(folder: Folder, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder.root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Folder, text: str) -> str:
    folder.own(text)
    run(folder, "add", "--all")
    run(folder, "commit", "--quiet", "--message", "Change")
    return run(folder, "rev-parse", "HEAD")


@pytest.fixture
def commits(folder: Folder) -> tuple[str, str]:
    """Two commits; the period is 1 in the first, tagged, and 2 in the second."""
    folder.root.mkdir()
    run(folder, "init", "--quiet", "--initial-branch", "main")
    folder.write("definitions/fenix.toml", "")
    first = commit(folder, "[experiment]\nenrollment_period = 1")
    run(folder, "tag", "one")
    second = commit(folder, "[experiment]\nenrollment_period = 2")
    return first, second


def period(repository: ConfigurationRepository) -> int | None:
    [document] = repository.experiment("my-experiment")
    return document.value.experiment.enrollment_period


def test_a_clean_directory_is_its_commit(folder: Folder, commits: tuple[str, str]) -> None:
    repository = folder.open()
    assert (repository.commit, period(repository)) == (commits[1], 2)


@pytest.mark.parametrize("change", ["jetstream/my-experiment.toml", "jetstream/new.toml"])
@pytest.mark.usefixtures("commits")
def test_a_changed_directory_is_a_digest(folder: Folder, change: str) -> None:
    folder.write(change, "[experiment]\nenrollment_period = 3")
    first = folder.open().commit
    assert first.startswith("files:")
    assert folder.open().commit == first
    folder.write(change, "[experiment]\nenrollment_period = 4")
    assert folder.open().commit != first


@pytest.mark.usefixtures("commits")
def test_an_ignored_file_is_no_part_of_the_commit(folder: Folder) -> None:
    folder.write(".git/info/exclude", "new.toml\n").write("jetstream/new.toml", "")
    assert folder.open().commit.startswith("files:")


def test_a_plain_directory_is_a_digest_of_names_and_contents(folder: Folder) -> None:
    folder.own("a = 1")
    first = folder.open().commit
    assert first.startswith("files:")
    (folder.root / "jetstream/my-experiment.toml").rename(folder.root / "jetstream/b.toml")
    assert folder.open().commit != first


def test_every_kind_of_reference(folder: Folder, commits: tuple[str, str]) -> None:
    for ref, expected in (
        ("one", 0),
        (commits[0], 0),
        (commits[0][:8], 0),
        ("main~1", 0),
        ("main", 1),
        ("HEAD", 1),
    ):
        repository = open_configuration(str(folder.root), ref=ref)
        assert (repository.commit, period(repository)) == (commits[expected], expected + 1)


def test_a_directory_below_the_repository(folder: Folder, commits: tuple[str, str]) -> None:
    below = str(folder.root / "jetstream")
    clean = open_configuration(below)
    assert (clean.commit, period(clean)) == (commits[1], 2)
    first = open_configuration(below, ref="one")
    assert (first.commit, period(first)) == (commits[0], 1)


def test_a_bare_repository(folder: Folder, commits: tuple[str, str], tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    run(folder, "clone", "--quiet", "--bare", str(folder.root), str(bare))
    assert open_configuration(str(bare)).commit == commits[1]
    assert open_configuration(str(bare), ref="one").commit == commits[0]


def test_a_url(folder: Folder, commits: tuple[str, str]) -> None:
    url = f"file://{folder.root}"
    newest = open_configuration(url)
    assert (newest.commit, period(newest), newest.location) == (commits[1], 2, url)
    for ref in ("one", commits[0]):
        older = open_configuration(url, ref=ref)
        assert (older.commit, period(older)) == (commits[0], 1)


@pytest.mark.parametrize(
    "ref", ["--upload-pack=touch /tmp/x", "-x", "a:b", "+main", "a..b", "a b", "", "main\n"]
)
@pytest.mark.usefixtures("commits")
def test_a_reference_cannot_be_an_option(folder: Folder, ref: str) -> None:
    for location in (str(folder.root), f"file://{folder.root}"):
        with pytest.raises(ConfigError, match="is no branch, tag or commit"):
            open_configuration(location, ref=ref)


@pytest.mark.parametrize(
    "location", ["--upload-pack=x", "ext::sh -c 'touch x'", "-C", "", "ftp://host/x", "host:\n"]
)
def test_a_location_cannot_be_an_option(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        open_configuration(location)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("commits")
def test_an_unknown_reference_is_told(folder: Folder) -> None:
    with pytest.raises(ConfigError, match="There is no branch, tag or commit"):
        open_configuration(str(folder.root), ref="absent")
    with pytest.raises(ConfigError, match="git fetch failed: fatal: couldn't find remote ref"):
        open_configuration(f"file://{folder.root}", ref="absent")


def test_a_reference_needs_a_repository(folder: Folder) -> None:
    folder.own("")
    with pytest.raises(ConfigError, match="not a git repository"):
        open_configuration(str(folder.root), ref="main")


def test_an_unreachable_url_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="git fetch failed") as caught:
        open_configuration(f"file://{tmp_path}/nowhere")
    assert caught.value.path == f"file://{tmp_path}/nowhere"
    with pytest.raises(ConfigError) as caught:
        open_configuration("http://user:secret@127.0.0.1:9/repository")
    assert "secret" not in str(caught.value)


def test_slow_git_is_stopped(
    folder: Folder, commits: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "_SECONDS", 0.0)
    with pytest.raises(ConfigError, match="took more than 0 seconds"):
        open_configuration(str(folder.root), ref=commits[0])


def test_without_git_a_directory_still_reads(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.own("[experiment]\nenrollment_period = 2")
    monkeypatch.setenv("PATH", str(tmp_path))
    repository = folder.open()
    assert period(repository) == 2
    assert repository.commit.startswith("files:")
    with pytest.raises(ConfigError, match="git is not installed"):
        open_configuration(str(folder.root), ref="main")

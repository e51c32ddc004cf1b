"""The head of a location, and what the messages of the commits since a known one say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets.config.git import remote_commit
from jetstream_assets.config.news import News, head_commit, read_news
from jetstream_assets.errors import ConfigError
from jetstream_assets_tests.config.test_git import run

if TYPE_CHECKING:
    from jetstream_assets_tests.config.folder import Folder

MARKER = "[marked]"


@pytest.fixture
def repository(folder: Folder) -> Folder:
    folder.root.mkdir()
    run(folder, "init", "--quiet", "--initial-branch", "main")
    return folder


def commit(folder: Folder, text: str, message: str) -> str:
    folder.own(text)
    run(folder, "add", "--all")
    run(folder, "commit", "--quiet", "--message", message)
    return run(folder, "rev-parse", "HEAD")


def texts(news: News) -> list[tuple[bytes, ...]]:
    """What the file holds before and after each unmarked commit."""
    found = []
    for pair in news.unmarked:
        contents = [content for files in pair for content in files.contents.values()]
        found.append(tuple(content for content in contents if isinstance(content, bytes)))
    return found


@pytest.mark.parametrize("is_remote", [False, True])
def test_marked_commits_are_told_apart(repository: Folder, *, is_remote: bool) -> None:
    location = f"file://{repository.root}" if is_remote else str(repository.root)
    known = commit(repository, "a = 1", "One")
    second = commit(repository, "a = 2", "Two")
    news = read_news(location, None, known, MARKER)
    assert (news.files.commit, news.marked, news.unmarked) == (second, (), ())
    third = commit(repository, "a = 3", f"Three\n\n{MARKER}")
    assert read_news(location, None, second, MARKER).marked == (third,)
    commit(repository, "a = 4", "Four")
    news = read_news(location, None, known, MARKER)
    assert news.marked == (third,)
    assert texts(news) == [(b"a = 1", b"a = 2"), (b"a = 3", b"a = 4")]


def test_without_a_history_to_the_known_commit_the_head_speaks(repository: Folder) -> None:
    first = commit(repository, "a = 1", f"One {MARKER}")
    second = commit(repository, "a = 2", "Two")
    for known in ("1" * 40, "files:" + "1" * 40, "--all", ""):
        news = read_news(f"file://{repository.root}", None, known, MARKER)
        assert (news.files.commit, news.marked) == (second, ())
    news = read_news(str(repository.root), first, "1" * 40, MARKER)
    assert news.marked == (first,)


def test_a_directory_that_no_commit_describes_says_nothing(repository: Folder) -> None:
    known = commit(repository, "a = 1", f"One {MARKER}")
    repository.own("a = 2")
    news = read_news(str(repository.root), None, known, MARKER)
    assert news.files.commit == head_commit(str(repository.root), None)
    assert news.files.commit.startswith("files:")
    assert news.marked == ()


def test_a_remote_is_asked_for_one_name(repository: Folder) -> None:
    url = f"file://{repository.root}"
    first = commit(repository, "a = 1", "One")
    run(repository, "tag", "--annotate", "--message", "A tag", "one")
    run(repository, "checkout", "--quiet", "-b", "feature/main")
    second = commit(repository, "a = 2", "Two")
    assert remote_commit(url, None) == second
    # Not the branch whose name only ends like it.
    assert remote_commit(url, "main") == first
    assert remote_commit(url, "feature/main") == second
    assert remote_commit(url, "one") == first
    assert remote_commit(url, "refs/heads/main") == first
    assert remote_commit(url, second) == second
    with pytest.raises(ConfigError, match="There is no branch or tag 'absent'"):
        remote_commit(url, "absent")
    with pytest.raises(ConfigError, match="is no branch, tag or commit"):
        remote_commit(url, "--upload-pack=x")


def test_the_head_is_that_of_what_would_be_read(repository: Folder) -> None:
    first = commit(repository, "a = 1", "One")
    second = commit(repository, "a = 2", "Two")
    assert head_commit(str(repository.root), None) == second
    assert head_commit(str(repository.root), "main~1") == first
    assert head_commit(str(repository.root / ".git"), None) == second
    with pytest.raises(ConfigError, match="There is no such directory"):
        head_commit(str(repository.root / "absent"), None)

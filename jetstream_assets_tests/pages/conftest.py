from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets_tests.pages.reader import Reader, open_reader

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def browser() -> Iterator[Reader]:
    with open_reader() as reader:
        yield reader


@pytest.fixture
def reader(browser: Reader) -> Reader:
    """The browser, without a memory of what other tests opened."""
    browser.complaints.clear()
    browser.strangers.clear()
    return browser

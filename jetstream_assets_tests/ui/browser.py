"""The Dagster UI in a headless Chromium, as a person would read and click it.

Belongs here: the browser, the addresses of pages, what is read and clicked on them. Does not:
starting the UI (`services`), what should be there (the tests).
"""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from playwright.sync_api import Page, expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from playwright.sync_api import Request

    from jetstream_assets.orchestration.partitions import Cell

NO_CHROMIUM = (
    "There is no Chromium on this machine (looked for chromium, chromium-browser, google-chrome "
    "in PATH): the UI is NOT tested. On Debian: apt-get install chromium."
)
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Whatever a page asks for, nothing leaves this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_WIDTH, _HEIGHT = 1920, 1200
_TIMEOUT_MILLISECONDS = 60_000
_GROUP = "locations/jetstream_assets/asset-groups/analysis"
# The rows of a table itself, not of the tables in its cells, read at one moment.
_ROWS = """table => [...table.tBodies[0].rows].map(
    row => [...row.cells].slice(0, 2).map(cell => cell.innerText.trim())
)"""
_METADATA_IN_A_DIALOG = "[Show Markdown]"
_DETAILS = "Latest materialization"


def chromium() -> str | None:
    """The browser's path, or None when there is none on this machine."""
    return next((path for name in _PROGRAMS if (path := shutil.which(name))), None)


@dataclass
class Browser:
    """One page of the UI at a time.

    Args:
        page: The browser's page.
        url: The UI's address.
        strangers: Addresses outside this machine that pages asked for.
        errors: Exceptions that nothing on the pages caught.
    """

    page: Page
    url: str
    strangers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def show_graph(self) -> None:
        """Open the graph of the assets."""
        self._open(_GROUP)
        expect(self.page.get_by_text("statistics_export", exact=True).first).to_be_visible()

    def show_asset(self, asset: str) -> None:
        """Open an asset's overview, with its newest metadata."""
        self._open(f"assets/{asset}?view=overview")
        expect(self.page.get_by_text(_DETAILS)).to_be_visible()

    def show_partitions(self, asset: str, first: date, last: date) -> None:
        """Open the partitions of an asset over some dates, both inclusive."""
        dates = quote(f"[{first}...{last}]")
        self._open(f"assets/{asset}?view=partitions&date_range={dates}")
        expect(self.page.get_by_text("Partitions Selected")).to_be_visible()

    def show_cell(self, asset: str, cell: Cell) -> None:
        """Open one partition of an asset with its metadata."""
        self._open(f"assets/{asset}?view=partitions&partition={quote(str(cell.key))}")
        expect(self.page.locator("span", has_text=_exactly(str(cell.key)))).to_be_visible()
        expect(self.page.get_by_text(_DETAILS)).to_be_visible()
        expect(self.page.locator("table td + td").first).to_be_visible()

    def metadata(self) -> dict[str, str]:
        """The labels and texts of the metadata table that is shown; long Markdown is opened."""
        shown = self.page.locator("table").first.evaluate(_ROWS)
        return {
            label: self.opened_markdown(label) if text == _METADATA_IN_A_DIALOG else text
            for label, text in shown
        }

    def opened_markdown(self, label: str) -> str:
        """The text of a Markdown value that is too long to be shown in the table."""
        self.open_markdown(label)
        text = self.page.get_by_role("dialog").inner_text()
        self.page.get_by_role("button", name="Close").click()
        return text

    def open_markdown(self, label: str) -> None:
        """Open the dialog of a Markdown value, as a click on it does."""
        row = self.page.locator("tr", has=self.page.get_by_text(label, exact=True)).first
        row.get_by_text(_METADATA_IN_A_DIALOG).click()
        expect(self.page.get_by_role("button", name="Close")).to_be_visible()
        # The dialog is there before what it shows.
        shown = self.page.get_by_role("dialog").locator("p, pre, table").first
        expect(shown).to_be_visible()

    def materialize(self, cell: Cell) -> None:
        """Launch a run of all assets for a cell through the graph's dialog."""
        self._choose(cell.slug, cell.date.isoformat())
        self.page.get_by_role("button", name="Launch 1 run").click()
        expect(self.page.get_by_text("Launched run")).to_be_visible()

    def backfill(self, slug: str, first: date, last: date) -> None:
        """Launch a backfill of all assets for an experiment's dates through the graph's dialog."""
        self._choose(slug, f"[{first}...{last}]")
        self.page.get_by_role("button", name="Launch backfill").click()
        expect(self.page.get_by_text("Created backfill")).to_be_visible()

    def cancel_backfill(self, backfill: str) -> None:
        """Cancel a backfill on its page, as its menu and the dialog ask for it."""
        self._act_on_backfill(backfill, "Cancel backfill")
        dialog = self.page.locator("[role=dialog][aria-modal=true]")
        dialog.get_by_role("button", name="Cancel backfill").click()
        expect(dialog).to_be_hidden()

    def execute_backfill_again(self, backfill: str) -> None:
        """Launch what a backfill was for once more, from its page."""
        self._act_on_backfill(backfill, "Re-execute")
        expect(self.page.get_by_text("Created backfill")).to_be_visible()

    def _act_on_backfill(self, backfill: str, action: str) -> None:
        self._open(f"runs/b/{backfill}")
        expect(self.page.get_by_text("Partition selection")).to_be_visible()
        # The menu's button shows an arrow and no text.
        self.page.get_by_role("button").filter(has_not_text=re.compile(r"\w")).last.click()
        self.page.get_by_text(action, exact=True).click()

    def _choose(self, slug: str, dates: str) -> None:
        """Open the graph's dialog and select an experiment and dates."""
        self.show_graph()
        self.page.get_by_role("button", name="Materialize all").click()
        entry = self.page.get_by_placeholder(re.compile(r"^ex: "))
        entry.fill(dates)
        entry.press("Enter")
        self.page.get_by_text("Select a partition or create one").click()
        self.page.locator("span", has_text=_exactly(slug)).click()
        self.page.keyboard.press("Escape")

    def text(self) -> str:
        """All text of the page."""
        return self.page.locator("body").inner_text()

    def picture(self, path: Path) -> None:
        """Write what is shown as a PNG."""
        self.page.wait_for_load_state("networkidle")
        self.page.screenshot(path=path)

    def _open(self, path: str) -> None:
        self.page.goto(f"{self.url}/{path}")

    def note_request(self, request: Request) -> None:
        """Remember a request to somewhere else."""
        address = urlsplit(request.url)
        if address.scheme in {"http", "https", "ws", "wss"} and address.hostname != "127.0.0.1":
            self.strangers.append(request.url)


def _exactly(text: str) -> re.Pattern[str]:
    return re.compile(f"^{re.escape(text)}$")


@contextmanager
def open_browser(url: str, program: str) -> Iterator[Browser]:
    """A browser at the UI's address, closed at the end of the body."""
    expect.set_options(timeout=_TIMEOUT_MILLISECONDS)
    with sync_playwright() as playwright:
        engine = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        try:
            page = engine.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
            page.set_default_timeout(_TIMEOUT_MILLISECONDS)
            browser = Browser(page, url)
            page.on("request", browser.note_request)
            page.on("pageerror", lambda error: browser.errors.append(str(error)))
            yield browser
        finally:
            engine.close()

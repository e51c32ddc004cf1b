"""A results page in a headless Chromium, as a person opens the file.

Belongs here: opening, selecting, reading, judging what a screen reader meets, pictures. Does not:
what should be on the page (the tests).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request, ViewportSize, sync_playwright

from jetstream_assets.report.readable import estimate_text
from jetstream_assets_tests.ui.browser import NO_CHROMIUM, chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

# For a person to look at; `make test` leaves them there.
PICTURES = Path(__file__).parents[2] / ".jetstream/pictures"
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND")
_DESKTOP = ViewportSize(width=1400, height=1000)
_PHONE = ViewportSize(width=390, height=844)
_SIGHTS: tuple[tuple[str, ViewportSize, Literal["light", "dark"]], ...] = (
    ("light", _DESKTOP, "light"),
    ("dark", _DESKTOP, "dark"),
    ("phone", _PHONE, "light"),
)
_DRAWN = "body[data-drawn=yes]"
_GRAVE = frozenset({"serious", "critical"})
_NAMES = ("point", "lower", "upper", "comparison")


@dataclass
class Reader:
    """One page at a time.

    Args:
        page: The browser's page.
        complaints: What the console was told, and exceptions that nothing caught.
        strangers: Whatever was asked for beside the file itself.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def open(self, path: Path, selection: str = "") -> None:
        """Open a page, with what its address selects, and wait until it is drawn."""
        # Another address first: of the same page with another selection nothing is loaded.
        self.page.goto("about:blank")
        self.page.goto(f"{path.as_uri()}{selection and f'#{selection}'}")
        self.page.wait_for_selector(_DRAWN, state="attached")

    def select(self, name: str, value: str) -> None:
        """Choose in one of the selectors, and wait until the page shows it."""
        self.page.locator(f"select[data-selects={name}]").select_option(value)
        self.page.wait_for_function(
            "([name, value]) => location.hash.includes(new URLSearchParams([[name, value]]))",
            arg=[name, value],
        )
        self.page.wait_for_selector(_DRAWN, state="attached")

    def rows(self, role: str) -> dict[tuple[str, str], str]:
        """The text of each row of a table of effects by metric and branch."""
        found = self.page.locator(f"[data-metrics={role}] tbody tr").evaluate_all(
            """rows => rows.map(row => [
                row.dataset.metric,
                row.querySelector(".branch")?.textContent ?? "",
                [...row.cells].map(cell => cell.textContent).join(" | "),
            ])"""
        )
        return {(metric, branch): text for metric, branch, text in found}

    def text(self) -> str:
        """All that can be seen."""
        return str(self.page.locator("body").inner_text())

    def violations(self) -> list[str]:
        """What keeps people from using the page, the grave ones, with where it is."""
        self.page.evaluate(
            "for (const one of document.querySelectorAll('details')) one.open = true"
        )
        self.page.wait_for_timeout(50)
        found: list[dict[str, Any]] = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {one['help']}: {node['html'][:200]}"
            for one in found
            if one["impact"] in _GRAVE
            for node in one["nodes"][:3]
        ]

    def is_too_wide(self) -> bool:
        """Whether the page has to be scrolled sideways."""
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        return bool(self.page.evaluate(wide))

    def take_pictures(self, path: Path, name: str) -> None:
        """Pictures of the whole page in light, in dark and on a phone."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        for kind, size, scheme in _SIGHTS:
            self.page.set_viewport_size(size)
            self.page.emulate_media(color_scheme=scheme)
            self.open(path)
            assert not self.is_too_wide(), f"{name} in {kind}"
            self.page.screenshot(path=PICTURES / f"{name}-{kind}.png", full_page=True)
            violations = self.violations()
            assert not violations, f"{name} in {kind}: {violations}"
            assert not self.is_too_wide(), f"{name} in {kind}, everything opened"
        self.page.set_viewport_size(_DESKTOP)
        self.page.emulate_media(color_scheme="light")

    def troubles(self) -> list[str]:
        """What went wrong, and what was asked of somebody else."""
        return [*self.complaints, *self.strangers]


def said(record: dict[str, Any]) -> tuple[str, str]:
    """A record's point and interval as the page has to write them."""
    row = {name: record.get(name) for name in _NAMES} | {"branch": record["branch"]}
    text = estimate_text(row)
    return text.point, text.interval


@contextmanager
def open_reader() -> Iterator[Reader]:
    """A browser, closed at the end of the body; without one on this machine the test is skipped."""
    program = chromium()
    if program is None:
        pytest.skip(NO_CHROMIUM)
    with sync_playwright() as playwright:
        engine = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        try:
            page = engine.new_page(viewport=_DESKTOP)
            page.set_default_timeout(20_000)
            reader = Reader(page)

            def note_console(message: ConsoleMessage) -> None:
                reader.complaints.append(f"{message.type}: {message.text}")

            def note_request(request: Request) -> None:
                if not request.url.startswith(("file:", "blob:", "about:")):
                    reader.strangers.append(request.url)

            page.on("console", note_console)
            page.on("request", note_request)
            page.on("pageerror", lambda error: reader.complaints.append(str(error)))
            yield reader
        finally:
            engine.close()

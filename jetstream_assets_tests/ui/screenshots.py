"""Pictures of the UI for people: the graph, an asset, cells with their metadata, the partitions.

    python -m jetstream_assets_tests.ui.screenshots OUTPUT_DIR [--url http://127.0.0.1:3000]

With ``--url`` it pictures a UI that is running (`make dev`, say) with whatever was analysed there;
without it starts one over a small experiment. Belongs here: which pictures. Does not: the pages.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets_tests.orchestration.laboratory import EXPERIMENT, FIRST_WEEK, make_laboratory
from jetstream_assets_tests.ui.browser import NO_CHROMIUM, chromium, open_browser
from jetstream_assets_tests.ui.endpoint import Endpoint
from jetstream_assets_tests.ui.services import running_services

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets_tests.ui.browser import Browser

_RUN_SECONDS = 240.0
_DAYS_BEFORE = timedelta(days=10)
_DAYS_AFTER = timedelta(days=5)


def take_pictures(browser: Browser, cell: Cell, folder: Path) -> list[Path]:
    """Write the pictures around one materialized cell; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    taken: list[Path] = []

    def take(name: str) -> None:
        taken.append(folder / f"{name}.png")
        browser.picture(taken[-1])

    browser.show_graph()
    take("graph")
    browser.show_asset("statistics")
    take("statistics")
    browser.show_partitions("statistics", cell.date - _DAYS_BEFORE, cell.date + _DAYS_AFTER)
    take("partitions")
    for asset in ("analysis_plan", "enrollments", "metrics", "statistics", "results_page"):
        browser.show_cell(asset, cell)
        take(f"cell-{asset}")
    browser.show_cell("statistics", cell)
    browser.open_markdown("results")
    take("cell-statistics-results")
    browser.show_cell("results_page", cell)
    browser.open_markdown("results")
    take("cell-results_page-results")
    return taken


def main(arguments: Sequence[str]) -> None:
    """Read the command line and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the pictures are written")
    parser.add_argument("--url", help="a UI that is running; default: start one")
    options = parser.parse_args(arguments)
    program = chromium()
    if program is None:
        sys.exit(NO_CHROMIUM)
    if options.url:
        _picture(options.url.rstrip("/"), program, options.folder)
    else:
        _picture_small_experiment(program, options.folder)


def _picture_small_experiment(program: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        laboratory = make_laboratory(root / "laboratory")
        with running_services(root / "home", laboratory.settings) as services:
            endpoint = Endpoint(services.url)
            endpoint.add_experiment(EXPERIMENT.slug)
            dates = (FIRST_WEEK - timedelta(days=days) for days in range(3))
            cells = [Cell(EXPERIMENT.slug, on) for on in dates]
            backfill = endpoint.backfill(endpoint.assets(), cells)
            (run,) = endpoint.finished_runs(1, _RUN_SECONDS, dagster__backfill=backfill)
            if run.status != "SUCCESS":
                sys.exit(services.complaint(f"The run ended with {run.status}."))
            _picture(services.url, program, folder)


def _picture(url: str, program: str, folder: Path) -> None:
    cells = Endpoint(url).cells_with("statistics", "results")
    if not cells:
        sys.exit(f"Nothing was analysed at {url} yet: materialize a cell with due windows first.")
    with open_browser(url, program) as browser:
        for path in take_pictures(browser, max(cells), folder):
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

"""What holds of every page over what was exported beside it.

Belongs here: the page against the documents, whichever experiment it is. Does not: an experiment.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jetstream_assets.experiments.experiment import normalized
from jetstream_assets.report.overview_schema import Overview
from jetstream_assets_tests.pages.reader import said

if TYPE_CHECKING:
    from pathlib import Path

    from jetstream_assets.report.overview_schema import MetricRecord
    from jetstream_assets_tests.pages.reader import Reader

    Record = dict[str, Any]

LARGEST_PAGE = 2_000_000


def page_of(output: Path, slug: str) -> Path:
    return output / f"pages/{normalized(slug)}.html"


def overview_of(output: Path, slug: str) -> Overview:
    name = f"overview/overview_{normalized(slug)}.json"
    return Overview.model_validate_json((output / name).read_text())


def records_of(output: Path, told: Overview, period: str) -> list[Record]:
    text = (output / told.documents[f"statistics_{period}"]).read_text()
    records: list[Record] = json.loads(text)
    return records


def check_numbers(
    reader: Reader, output: Path, told: Overview, window: tuple[str, int], **selection: str
) -> int:
    """Every number of the tables of effects is that of the exported record; how many rows."""
    period, index = window
    wanted = {"analysis_basis": "enrollments", "segment": "all"} | selection
    reference = wanted.pop("reference", told.reference_branch)
    records = [
        record
        for record in records_of(output, told, period)
        if record["window_index"] == str(index)
        and all(record[name] == value for name, value in wanted.items())
    ]
    checked = 0
    for role in ("goal", "guardrail", "other"):
        if not reader.page.locator(f"[data-metrics={role}]").count():
            continue
        _show_all(reader, role)
        rows = reader.rows(role)
        for metric in (one for one in told.metrics if one.role == role and one.statistic):
            for branch in (one.slug for one in told.branches if one.slug != reference):
                expected = _expected(records, metric, branch, reference)
                if expected:
                    missing = [text for text in expected if text not in rows[metric.name, branch]]
                    assert not missing, (metric.name, branch, missing)
                    checked += 1
    return checked


def _show_all(reader: Reader, role: str) -> None:
    more = reader.page.locator(f"[data-metrics={role}] > button")
    while more.count():
        more.click()


def _expected(
    records: list[Record], metric: MetricRecord, branch: str, reference: str | None
) -> list[str]:
    """The texts of a row: values of both branches, differences, adjusted and not."""
    texts = []
    for record in (r for r in records if r["metric"] == metric.name):
        other = record.get("comparison_to_branch")
        is_of_row = record["branch"] == branch and other in {None, reference}
        is_reference = record["branch"] == reference and other is None
        speaks = record["statistic"] in {metric.statistic, metric.unadjusted, metric.sequential}
        if not speaks or not (is_of_row or is_reference):
            continue
        point, interval = said(record)
        is_shown_alone = record["statistic"] == metric.statistic
        if other is not None and (is_shown_alone or record["comparison"] == "relative_uplift"):
            texts += [point, interval]
        elif other is None and is_shown_alone:
            texts.append(point)
    return texts


def check_whole(reader: Reader, output: Path, slug: str, pictures: str) -> None:
    """What any page has to be: small enough, usable by all, silent, with drawn charts."""
    path = page_of(output, slug)
    assert path.stat().st_size < LARGEST_PAGE
    reader.take_pictures(path, pictures)
    reader.open(path)
    assert reader.page.locator("figure svg").count() > 0
    for drawn in reader.page.locator("figure svg").all():
        assert drawn.locator("path[d]").count() > 0
    assert not reader.troubles()


def check_downloads(reader: Reader, output: Path, told: Overview) -> None:
    """The documents come out of the page as they were exported, and the CSV has every record."""
    for button in reader.page.locator("button[data-download]").all():
        with reader.page.expect_download() as started:
            button.click()
        saved = started.value
        text = saved.path().read_bytes()
        if button.get_attribute("data-download") == "csv":
            records = sum(
                len(records_of(output, told, kind.removeprefix("statistics_")))
                for kind in told.documents
                if kind.startswith("statistics_")
            )
            assert text.count(b"\n") == records
            continue
        folder = saved.suggested_filename.partition("_")[0]
        assert text == (output / folder / saved.suggested_filename).read_bytes()

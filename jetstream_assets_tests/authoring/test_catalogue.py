from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from jetstream_assets_tests.cli.command import jetstream

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "</pre><script>alert(1)</script>|`*"


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    for folder in ("definitions", "jetstream/defaults"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "definitions/fenix.toml").write_text(
        '[data_sources.events]\nfrom_expression = "t"\n'
        '[metrics.clicks]\ndata_source = "events"\nselect_expression = "SUM(clicks)"\n'
        'friendly_name = "Clicks"\ndescription = "All of them."\n'
        '[metrics.lost]\ndata_source = "nowhere"\nselect_expression = "SUM(x)"\n'
        "[metrics.unused]\ndata_source = 'events'\n"
        f"select_expression = '''COUNTIF(a = \"{HOSTILE}\")'''\n"
        f"friendly_name = '''{HOSTILE}'''\n"
    )
    (tmp_path / "jetstream/defaults/fenix.toml").write_text(
        '[metrics]\nweekly = ["clicks"]\n[metrics.clicks.statistics.binomial]\n'
    )
    (tmp_path / "jetstream/mine.toml").write_text('[metrics]\noverall = ["clicks"]')
    return tmp_path


def test_each_metric_is_told_with_its_sql_and_who_uses_it(configuration: Path) -> None:
    told = jetstream("docs", "--config", str(configuration))
    assert told.exit_code == 0, told.output
    (clicks,) = [part for part in told.stdout.split("### ") if part.startswith("clicks")]
    for words in ("**Clicks**", "All of them.", "    SUM(clicks)", "- data source: events",
                  "- statistics: binomial"):  # fmt: skip
        assert words in clicks
    assert "- used by: jetstream/defaults/fenix.toml, jetstream/mine.toml" in clicks
    (lost,) = [part for part in told.stdout.split("### ") if part.startswith("lost")]
    assert "Cannot be used: There is no data source 'nowhere'" in lost


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002  # as it is called
        self.tags.append(tag)


def test_what_others_named_stays_text(configuration: Path) -> None:
    page = configuration / "metrics.html"
    options = ("--config", str(configuration), "--format", "html", "--output", str(page))
    told = jetstream("docs", *options)
    assert told.exit_code == 0, told.output
    assert "3 metrics in" in told.stderr
    parser = _Tags()
    parser.feed(page.read_text())
    assert "script" not in parser.tags
    assert parser.tags.count("h3") == 3
    markdown = jetstream("docs", "--config", str(configuration)).stdout
    outside = [line for line in markdown.splitlines() if not line.startswith("    ")]
    assert not any("<script>" in line for line in outside)

from __future__ import annotations

import io
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

from rich.console import Console

from jetstream_assets.experiments.failures import Failure, Stage
from jetstream_assets.report.cells import CellOutcome, cell_ranges
from jetstream_assets.report.terminal import outcome_table, statistics_table
from jetstream_assets_tests.report.rows import statistics_rows

if TYPE_CHECKING:
    from rich.table import Table

START = date(2024, 1, 1)
SPEND = Failure(Stage.METRICS, "column spend is missing", "QueryError", metric="spend")


def printed(table: Table, width: int = 100) -> list[str]:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


def words(table: Table) -> list[str]:
    """The lines without rules and without the spaces that align them."""
    lines = (" ".join(line.split()) for line in printed(table))
    return [line for line in lines if line.strip("─")]


def day(number: int) -> date:
    return START + timedelta(days=number)


def idle(number: int, slug: str = "my-exp") -> CellOutcome:
    reason = f"Nothing is due on {day(number)}: units enroll until 2024-01-08."
    return CellOutcome(slug, day(number), 0, "", (), "nothing due", reason)


def computed(number: int, *failures: Failure) -> CellOutcome:
    weeks = f", weekly {number // 7}" if number % 7 == 0 else ""
    return CellOutcome(
        "my-exp", day(number), 100, f"daily {number}{weeks}", failures, "computed", ""
    )


def test_statistics_stand_under_headings_with_what_is_common_below() -> None:
    interval = {"ci_width": 0.95, "units": 40}
    comparison = {"branch": "treatment", "comparison_to_branch": "control", **interval}
    rows = statistics_rows(
        {"branch": "control", "point": 10.375, "lower": 8.6789, "upper": 12.071, **interval},
        {
            "comparison": "relative_uplift",
            "point": 0.1631,
            "lower": 0.0425,
            "upper": 0.29,
            **comparison,
        },
        {"metric": "identity", "statistic": "count", "branch": "control", "point": 20132.0},
    )
    assert words(statistics_table(rows)) == [
        "metric, statistic, branch estimate interval units",
        "identity, count",
        "control 20,132",
        "active_hours, mean",
        "control 10.38 [8.68, 12.07] 40",
        "treatment, uplift on control +16.3% [+4.2%, +29.0%] 40",
        "window weekly 1 (days 0 to 6); basis enrollments; segment all; level",
        "95%",
    ]


def test_what_differs_stands_in_the_heading() -> None:
    rows = statistics_rows(
        {"branch": "a", "point": 1.0, "segment": "new"},
        {"branch": "a", "point": 1.0, "covariate": "preenrollment_week.active_hours"},
    )
    found = words(statistics_table(rows))
    assert found[1:3] == [
        "active_hours, mean; segment all; adjusted for",
        "preenrollment_week.active_hours",
    ]
    assert found[4] == "active_hours, mean; segment new"


def test_deciles_name_their_share_and_a_branch_once() -> None:
    rows = statistics_rows(
        *(
            {"statistic": "deciles", "branch": "a", "parameter": n / 10, "point": n + 0.25}
            for n in (1, 2)
        )
    )
    assert words(statistics_table(rows))[2:4] == ["a 10% 1.250", "20% 2.250"]


def test_why_a_number_is_missing_stands_below_once() -> None:
    few = {"status": "insufficient_data", "reason": "fewer than 2 units"}
    rows = statistics_rows(
        {"branch": "a", "point": 1.0},
        {"branch": "b", **few},
        {"branch": "c", **few},
        {"metric": "spend", "status": "failed", "reason": "column is missing"},
        {"metric": "x", "branch": "a", **few},
    )
    found = words(statistics_table(rows))
    assert "b; c: insufficient data: fewer than 2" in " ".join(found)
    assert "failed: column is missing" in found
    assert "insufficient data: fewer than 2 units" in found


def test_a_decided_comparison_is_bold() -> None:
    console = Console(width=100, file=io.StringIO(), force_terminal=True, color_system="standard")
    decided = {"branch": "a", "comparison": "difference", "comparison_to_branch": "b"}
    console.print(
        statistics_table(
            statistics_rows(
                {**decided, "point": 2.5, "lower": 1.5, "upper": 3.5},
                {**decided, "point": 7.5, "lower": -1.5, "upper": 9.5, "statistic": "x"},
            )
        )
    )
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert re.search(r"\x1b\[1m +\+2.500", text)
    assert re.search(r"\+7.500", text)
    assert not re.search(r"\x1b\[1m +\+7.500", text)


def test_long_names_fold_and_numbers_never_do() -> None:
    name = "a_metric_whose_name_has_no_space_" * 4
    rows = statistics_rows(
        {
            "metric": name,
            "branch": "treatment-with-a-very-long-slug-of-many-words" * 2,
            "comparison": "relative_uplift",
            "comparison_to_branch": "control-with-a-very-long-slug-of-many-words" * 2,
            "point": 1.2345,
            "lower": 1.1,
            "upper": 1.3,
        },
    )
    lines = printed(statistics_table(rows))
    assert max(map(len, lines)) <= 100
    assert any("+123.4%" in line and "[+110.0%, +130.0%]" in line for line in lines)
    assert name in "".join("".join(lines).split())


def test_nothing_is_said_in_words() -> None:
    assert words(statistics_table(statistics_rows()))[-1] == "No statistics."
    assert words(outcome_table([]))[-1] == "No dates."


def test_sixty_dates_are_told_in_a_few_rows() -> None:
    cells = [idle(n) for n in range(7)]
    cells += [computed(n) for n in range(7, 28)]
    cells += [computed(n, SPEND, SPEND) for n in range(28, 40)]
    cells += [CellOutcome("my-exp", day(40), 0, "daily 40", (), "failed", "The disk is full.")]
    cells += [
        CellOutcome("my-exp", day(n), 0, "", (), "refused", "It ended on 2024-02-10.")
        for n in range(41, 60)
    ]
    lines = printed(outcome_table(reversed(cells)))
    assert max(map(len, lines)) <= 100
    assert [" ".join(line.split()) for line in lines] == [
        "experiment, dates result rows due, or why there is no result",
        "─" * (len(lines[1].strip())),
        "my-exp",
        "2024-01-01 to 2024-01-07 nothing due Nothing is due: units enroll until 2024-01-08.",
        "2024-01-08 to 2024-01-28 computed 2,100 daily 7-27, weekly 1-3",
        "2024-01-29 to 2024-02-09 computed 1,200 daily 28-39, weekly 4-5",
        "spend: column spend is missing",
        "2024-02-10 failed daily 40",
        "The disk is full.",
        "2024-02-11 to 2024-02-29 refused It ended on 2024-02-10.",
        "33 computed, 7 nothing due, 19 refused, 1 failed; 3,300 rows of statistics, 24 failures",
    ]


def test_long_reasons_wrap_and_hostile_ones_are_text() -> None:
    slug = "[bold red]" + "x" * 70
    reason = "word " * 60 + "\x1b[31m[/nonsense]"
    lines = printed(outcome_table([CellOutcome(slug, START, 0, "", (), "refused", reason)]))
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in "".join(lines)
    together = "".join("".join(lines).split())
    assert slug.replace(" ", "") in together
    assert "\\x1b[31m[/nonsense]" in together
    assert together.count("word") == 60


def test_one_date_keeps_its_sentence() -> None:
    [found] = cell_ranges([idle(3)])
    assert found.reasons == (idle(3).reason,)


def test_gaps_states_reasons_and_experiments_part_ranges() -> None:
    other_reason = CellOutcome("my-exp", day(5), 0, "", (), "nothing due", "Another reason.")
    cells = [idle(0), idle(1), idle(3), computed(4), other_reason, idle(5, "b"), idle(6, "b")]
    found = [(r.slug, r.first, r.last) for r in cell_ranges(cells)]
    assert found == [
        ("b", day(5), day(6)),
        ("my-exp", day(0), day(1)),
        ("my-exp", day(3), day(3)),
        ("my-exp", day(4), day(4)),
        ("my-exp", day(5), day(5)),
    ]


def test_what_was_due_is_told_in_ranges() -> None:
    dues = ["daily 1", "daily 2, weekly 1", "daily 3, overall", "daily 5, weekly 3"]
    cells = [
        CellOutcome("a", day(n), 1, due, (), "computed", "") for n, due in enumerate(dues, start=1)
    ]
    [found] = cell_ranges(cells)
    assert found.due == "daily 1-3+5, weekly 1+3, overall"
    dues = ["provisional daily 1", "provisional daily 1, provisional daily 2", "daily 1"]
    cells = [CellOutcome("a", day(n), 1, due, (), "computed", "") for n, due in enumerate(dues)]
    assert cell_ranges(cells)[0].due == "provisional daily 1-2, daily 1"
    assert found.computed == 4

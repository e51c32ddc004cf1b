"""The frame for notebooks, over the documents of a small run."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from jetstream_assets import results
from jetstream_assets.results.forest import NothingToDrawError, drawn_rows
from jetstream_assets.results.frame import COLUMNS, NoResultsError
from jetstream_assets_tests.orchestration.laboratory import END, EXPERIMENT, days, make_laboratory

if TYPE_CHECKING:
    from collections.abc import Iterator

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    laboratory = make_laboratory(tmp_path_factory.mktemp("results") / "laboratory")
    (run,) = laboratory.run(*days(EXPERIMENT.start_date, END))
    assert run.succeeded, run.errors
    return Path(laboratory.settings.output)


@pytest.fixture(autouse=True)
def drawing() -> Iterator[None]:
    """Without a screen, and without figures that stay."""
    from matplotlib import pyplot as plt  # noqa: PLC0415

    mpl.use("agg")
    yield
    plt.close("all")


def test_a_row_is_a_record_of_the_documents(output: Path) -> None:
    found = results.load(output, EXPERIMENT.slug)
    records = {
        path.stem.rpartition("experiment_")[2]: json.loads(path.read_text())
        for path in (output / "statistics").glob("*.json")
    }
    assert list(found.columns) == list(COLUMNS)
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == COLUMNS
    assert found.groupby("period").size().to_dict() == {
        period: len(listed) for period, listed in records.items()
    }
    weekly = found[found.period == "weekly"].reset_index(drop=True)
    for name in ("metric", "branch", "point", "lower", "p_value", "units"):
        expected = [record.get(name) for record in records["weekly"]]
        assert [None if pd.isna(value) else value for value in weekly[name]] == expected
    assert not found.is_provisional.any()
    first = weekly[weekly.window_index == 1].iloc[0]
    assert (first.window_start, first.window_end) == (0, 6)


def test_it_draws_what_is_selected(output: Path) -> None:
    found = results.load(str(output), EXPERIMENT.slug)
    ax = found.plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["searches", "active_hours"]
    assert "overall 1, enrollments, all" in ax.get_title()
    rows = drawn_rows(found, "control")
    assert set(rows.statistic) == {"mean_lm"}
    weekly = found[(found.period == "weekly") & (found.metric == "searches")]
    assert isinstance(weekly, results.Results)
    title = weekly.plot(ax).get_title()
    assert title == "small-experiment: weekly 2, enrollments, all"


def test_what_is_put_together_is_drawn_too(output: Path) -> None:
    found = results.load(output, EXPERIMENT.slug)
    weekly, overall = found[found.period == "weekly"], found[found.period == "overall"]
    owners = pd.DataFrame({"metric": ["searches"], "owner": ["search"]})
    for joined in (pd.concat([weekly, overall]), found.merge(owners, on="metric")):
        assert isinstance(joined, results.Results)
        assert joined.reference_branch == "control"
        assert "overall 1" in joined.plot().get_title()
    other = weekly.copy()
    other.reference_branch = "treatment"
    mixed = pd.concat([weekly, other])
    with pytest.raises(NothingToDrawError, match="difference from None"):
        mixed.plot()


def test_points_are_drawn_where_they_are(output: Path) -> None:
    found = results.load(output, EXPERIMENT.slug)
    ax = found.plot()
    rows = drawn_rows(found, "control")
    points = next(line for line in ax.get_lines() if line.get_marker() == "o")
    assert list(np.asarray(points.get_xdata())) == pytest.approx([100 * x for x in rows.point])
    assert list(np.asarray(points.get_ydata())) == [1, 0]


def test_of_several_levels_the_usual_one_is_drawn(output: Path) -> None:
    found = results.load(output, EXPERIMENT.slug)
    wide = found.assign(ci_width=0.99, lower=found.lower - 1)
    both = pd.concat([found, wide], ignore_index=True)
    assert list(drawn_rows(both, "control").ci_width) == [0.95, 0.95]
    assert list(drawn_rows(wide, "control").ci_width) == [0.99, 0.99]


def test_what_is_not_there_is_named(output: Path) -> None:
    with pytest.raises(NoResultsError, match="there are results of small-experiment"):
        results.load(output, "another")
    with pytest.raises(NoResultsError, match="there are none of any"):
        results.load(output / "nowhere", EXPERIMENT.slug)
    found = results.load(output, EXPERIMENT.slug)
    with pytest.raises(NothingToDrawError, match="select fewer rows away"):
        found[found.metric == "nothing"].plot()


def test_without_matplotlib_it_says_how_to_get_it(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = results.load(output, EXPERIMENT.slug)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"jetstream-assets\[plot\]"):
        found.plot()


def test_the_example_of_the_readme_runs(output: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    text = example.replace(".jetstream/demo/output", str(output))
    text = text.replace("compact-toolbar-2026", EXPERIMENT.slug)
    assert text != example
    names: dict[str, object] = {}
    exec(text, names)  # noqa: S102  # the README's own
    weekly = names["weekly"]
    assert isinstance(weekly, results.Results)
    assert set(weekly.period) == {"weekly"}

"""The exported statistics of an experiment as one tidy table.

Belongs here: reading the documents, the columns and their types. Does not: drawing (`forest`), the
shape of the documents (`report.statistics_export`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from jetstream_assets.errors import JetstreamError
from jetstream_assets.report.folder_store import FolderDocumentStore
from jetstream_assets.report.gcs_store import GcsDocumentStore, bucket_and_prefix, is_bucket
from jetstream_assets.report.overview import overview_name
from jetstream_assets.report.overview_schema import Overview
from jetstream_assets.report.page.rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from jetstream_assets.report.store import DocumentStore

COLUMNS = {
    "experiment": "string",
    "period": "string",
    "window_index": "Int64",
    "window_start": "Int64",
    "window_end": "Int64",
    "analysis_basis": "string",
    "segment": "string",
    "metric": "string",
    "statistic": "string",
    "covariate": "string",
    "branch": "string",
    "comparison": "string",
    "comparison_to_branch": "string",
    "ci_width": "Float64",
    "parameter": "Float64",
    "point": "Float64",
    "lower": "Float64",
    "upper": "Float64",
    "units": "Int64",
    "p_value": "Float64",
    "p_value_adjusted": "Float64",
    "is_provisional": "boolean",
}
_STATISTICS = "statistics_"
_NUMBERS = ("window_index", "parameter")


class NoResultsError(JetstreamError):
    """There are no exported results of that experiment: the message says what there is."""


class Results(pd.DataFrame):
    """A frame of results that draws its effects; rows may be selected or joined, and it still does.

    ``reference_branch`` is that of the experiment, None where it has none or where frames of
    experiments with different ones were put together.
    """

    _metadata = ["reference_branch"]  # noqa: RUF012  # pandas names it so
    reference_branch: str | None = None

    @property
    def _constructor(self) -> Callable[..., Results]:
        return Results

    def __finalize__(self, other: Any, method: str | None = None, **options: Any) -> Results:  # noqa: ANN401  # pandas' own
        """Keep the reference branch also where pandas does not: in `concat` and `merge`."""
        sources = {"concat": "objs", "merge": "left"}
        if method not in sources:
            super().__finalize__(other, method=method, **options)  # type: ignore[misc]  # not in the stubs
            return self
        found = getattr(other, sources[method], ())
        frames = [found] if isinstance(found, pd.DataFrame) else found
        known = {frame.reference_branch for frame in frames if isinstance(frame, Results)}
        self.reference_branch = known.pop() if len(known) == 1 else None
        return self

    def plot(self, ax: Axes | None = None) -> Axes:  # type: ignore[override]  # its own drawing
        """A forest plot: the relative differences from the reference branch, metric by metric.

        Of the rows, those of the newest window of the longest period are drawn, of the basis and
        segment that come first (``enrollments``, ``all``), by the statistic that speaks for the
        metric; select rows before to see others.

        Args:
            ax: Where to draw; a figure of its own by default.

        Raises:
            NothingToDrawError: No row is a relative difference from the reference branch.
            ImportError: matplotlib is not installed: ``pip install "jetstream-assets[plot]"``.
        """
        from jetstream_assets.results.forest import draw_forest  # noqa: PLC0415

        return draw_forest(self, self.reference_branch, ax)


def load(output: str | Path, slug: str) -> Results:
    """The exported statistics of an experiment, a row for each record of its documents.

    Args:
        output: The folder, or ``gs://bucket/prefix``, that documents are exported to.
        slug: The experiment's slug.

    Returns:
        The columns of `COLUMNS`, in the order of the documents; what a record does not say is
        missing. ``period`` is named as documents are; ``window_start`` and ``window_end`` are days
        since the anchor date, both inclusive; relative differences are shares, .02 is 2 %.

    Raises:
        NoResultsError: There are none of that experiment.
        DocumentStoreError: The place of the documents is in trouble.
    """
    store = _store(str(output))
    body = store.read(overview_name(slug))
    if body is None:
        raise NoResultsError(_nothing(store, str(output), slug))
    overview = Overview.model_validate_json(body)
    rows = [row for kind, name in overview.documents.items() for row in _rows(store, kind, name)]
    windows = {(w.period, w.window_index): (w.start, w.end) for w in overview.windows}
    for row in rows:
        row["experiment"] = overview.slug
        of_window = windows.get((row["period"], row["window_index"]), (None, None))
        row["window_start"], row["window_end"] = of_window
        row["is_provisional"] = row.get("is_provisional", False)
    columns = {
        name: pd.array([row.get(name) for row in rows], dtype=dtype)  # type: ignore[call-overload]  # a name of a type
        for name, dtype in COLUMNS.items()
    }
    results = Results(columns)
    results.reference_branch = overview.reference_branch
    return results


def _rows(store: DocumentStore, kind: str, name: str) -> list[dict[str, Any]]:
    """The records of a document of statistics, of its period; none of another document."""
    body = store.read(name) if kind.startswith(_STATISTICS) else None
    if body is None:
        return []
    records: list[dict[str, Any]] = json.loads(body)
    period = kind.removeprefix(_STATISTICS)
    return [{**record, "period": period, **_as_numbers(record)} for record in records]


def _as_numbers(record: dict[str, Any]) -> dict[str, float | None]:
    """The fields that documents hold as text although they are numbers."""
    texts = {name: record.get(name) for name in _NUMBERS}
    return {name: None if text is None else float(text) for name, text in texts.items()}


def _store(output: str) -> DocumentStore:
    if not is_bucket(output):
        return FolderDocumentStore(Path(output))
    from google.cloud import storage  # noqa: PLC0415  # loads Google's client

    from jetstream_assets.report.gcs_errors import trouble  # noqa: PLC0415  # loads it, too

    with trouble(f"the documents in {output}", "the output"):
        client = storage.Client()
    return GcsDocumentStore(client, *bucket_and_prefix(output))


def _nothing(store: DocumentStore, output: str, slug: str) -> str:
    known = sorted(entry.slug for entry in read_rows(store).entries)
    there = f"there are results of {', '.join(known)}" if known else "there are none of any"
    return (
        f"{output} has no results of the experiment {slug!r}; {there}. Name one of these, or run "
        f"`jetstream run --slug {slug} --output {output} ...` first."
    )

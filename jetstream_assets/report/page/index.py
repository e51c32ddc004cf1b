"""The page of all experiments.

Belongs here: what it knows of each experiment, and the page. Does not: an experiment's own page.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from jetstream_assets.report.page import scripts
from jetstream_assets.report.page.rendering import render

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jetstream_assets.report.overview_schema import Overview

_GRAVITY = ("ok", "warn", "fail")


class IndexEntry(BaseModel):
    """``index/<normalized slug>.json``: an experiment's row in the page of all of them.

    ``trust`` is the gravest state of the checks, null without any; ``refusal`` why the experiment
    is not analysed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    slug: str
    normalized_slug: str
    note: str | None = None
    name: str | None = None
    app: str | None = None
    status: str | None = None
    start_date: date | None = None
    verdict: str | None = None
    more_days: int | None = None
    refusal: str | None = None
    trust: str | None = None
    data_through: date
    is_provisional: bool


def index_entry(overview: Overview) -> IndexEntry:
    """What the page of all experiments knows of one."""
    states = [item.state for item in overview.trust]
    verdict = overview.verdict
    return IndexEntry(
        slug=overview.slug,
        normalized_slug=overview.normalized_slug,
        note=overview.note,
        name=overview.name,
        app=overview.app,
        status=overview.status,
        start_date=overview.start_date,
        verdict=verdict.verdict if verdict else None,
        more_days=verdict.more_days if verdict else None,
        refusal=overview.refusal.message if overview.refusal else None,
        trust=max(states, key=_GRAVITY.index, default=None),
        data_through=overview.data_through,
        is_provisional=overview.is_provisional,
    )


def render_index(entries: Iterable[IndexEntry]) -> bytes:
    """The page of all experiments, the newest first; the same for the same entries."""
    ordered = sorted(entries, key=lambda entry: entry.slug)
    ordered.sort(key=lambda entry: entry.start_date or date.min, reverse=True)
    return render("index.html.j2", scripts.index_scripts(), entries=ordered)

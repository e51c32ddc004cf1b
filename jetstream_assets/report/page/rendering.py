"""An experiment's page.

Belongs here: what the template of the page is given. Does not: the templates (`templates`), what
happens in the browser (`static`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from jetstream_assets.report.page import scripts
from jetstream_assets.report.page.embedding import OVERVIEW, embed
from jetstream_assets.report.page.words import FILTERS, link, words
from jetstream_assets.report.readable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jetstream_assets.report.overview_schema import Overview

_MARKS = {"positive": "▲", "negative": "▼", "inconclusive": "◆", "invalid": "✖"}
_SHORT_COMMIT = 12


def render_page(overview: Overview, name: str, documents: Mapping[str, bytes]) -> bytes:
    """The page of an experiment, the same for the same documents.

    Args:
        overview: What is told of the experiment.
        name: The name of the overview's document.
        documents: The bytes of the documents by kind: ``overview`` itself, and those that
            ``overview.documents`` names; one that is not there is left out.
    """
    embedded, left_out = embed({OVERVIEW: name, **overview.documents}, documents)
    reason = _invalid_reason(overview)
    roles = {metric.role for metric in overview.metrics}
    return render(
        "page.html.j2",
        scripts.page_scripts(),
        overview=overview,
        about=list(_about(overview)),
        invalid_reason=reason,
        is_invalid=bool(reason),
        has_rule="goal" in roles,
        has_guardrails="guardrail" in roles,
        embedded=embedded,
        left_out=left_out,
        has_statistics=any(one.kind.startswith("statistics_") for one in embedded),
    )


def render(template: str, of: tuple[str, ...], **values: object) -> bytes:
    """A page from a template, with the scripts that it may run.

    Raises:
        jinja2.UndefinedError: The template asks for something that is not given.
    """
    text = (
        _environment()
        .get_template(template)
        .render(
            scripts=of, marks=_MARKS, policy=scripts.policy(of), style=scripts.style(), **values
        )
    )
    return text.encode("utf-8", errors="backslashreplace")


@cache
def _environment() -> Environment:
    """The templates, compiled once a process; what they are told stays text."""
    environment = Environment(
        loader=PackageLoader("jetstream_assets.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.globals["link"] = link
    return environment


def _invalid_reason(overview: Overview) -> str:
    """Why the effects are not to be read; empty where they are."""
    ratio = (item for item in overview.trust if item.name == "sample_ratio")
    failed = next((item.message for item in ratio if item.state == "fail"), "")
    if failed or overview.verdict is None or overview.verdict.verdict != "invalid":
        return failed
    return overview.verdict.text


def _about(overview: Overview) -> Iterator[tuple[str, str]]:
    """What stands under the title."""
    if overview.name:
        yield "Slug", printable(overview.slug)
    yield "Data through", str(overview.data_through)
    if overview.windows:
        yield "Results", "provisional" if overview.is_provisional else "final"
    if overview.status:
        yield "Status", words(overview.status)
    for term, value in (
        ("Application", overview.app),
        ("Started", overview.start_date),
        ("Enrollment until", overview.enrollment_end),
        ("Ends", overview.end_date),
        ("Analysis unit", overview.analysis_unit),
        ("Reference branch", overview.reference_branch),
    ):
        if value is not None:
            yield term, printable(str(value))
    if overview.configuration_commit:
        kind, _, commit = overview.configuration_commit.rpartition(":")
        yield "Configuration", f"{kind} {commit[:_SHORT_COMMIT]}".strip()

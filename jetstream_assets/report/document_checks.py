"""The check of documents: what is published is of the shape that consumers read.

Belongs here: the verdict on the documents of an experiment. Does not: their shape
(`document_schema`), publishing them (`publish`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.experiments.checks import Check, Listing, Verdict
from jetstream_assets.report.document_schema import schema_problems

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jetstream_assets.report.store import Document, DocumentStore, Published

_CHECK = Check.DOCUMENTS_MATCH_THEIR_SCHEMA


def check_published(published: Iterable[Published], store: DocumentStore) -> Verdict:
    """Whether the documents that are there now, read back, match their schema."""
    return _verdict({document.name: store.read(document.name) for document in published})


def check_documents(documents: Iterable[Document]) -> Verdict:
    """The same of documents that are ready to be published."""
    return _verdict({document.name: document.body for document in documents})


def _verdict(bodies: dict[str, bytes | None]) -> Verdict:
    problems = {
        name: ("it is not there",) if body is None else schema_problems(name, body)
        for name, body in bodies.items()
    }
    wrong = {name: found for name, found in problems.items() if found}
    message = f"{len(bodies)} documents match their schema."
    if not bodies:
        message = "No document is published of this experiment."
    if wrong:
        told = "; ".join(f"{name}: {found[0]}" for name, found in wrong.items())
        message = f"{len(wrong)} of {len(bodies)} documents do not match their schema: {told}."
    rows = tuple((name, problem) for name, found in wrong.items() for problem in found)
    facts = {"documents": len(bodies), "documents_that_do_not_match": len(wrong)}
    return Verdict(_CHECK, not wrong, message, facts, Listing(("document", "problem"), rows))

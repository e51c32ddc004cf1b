"""Experimenter's records, read one by one: a bad record is told and never stops the others.

Belongs here: reading records from a file or a service, and checking them. Does not: merging them
with configuration files (`effective`).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import stamina
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from jetstream_assets.config.schema.base import Day
from jetstream_assets.config.wording import all_problems, shown
from jetstream_assets.errors import ExperimentError, UnreachableExperimentsError
from jetstream_assets.experiments.experiment import Branch
from jetstream_assets.experiments.record import ExperimentRecord

__all__ = [
    "ExperimentRecord",
    "ExperimentRecords",
    "RecordProblem",
    "read_experiments",
    "record_document",
    "records_by_slug",
]

_TRIES = 3
_TOO_MANY_REQUESTS = 429
_FIRST_SERVER_ERROR = 500


@dataclass(frozen=True)
class RecordProblem:
    """A record that cannot be used.

    ``slug`` is None when it is not known; ``position`` counts the records from 1.
    """

    slug: str | None
    position: int
    message: str


@dataclass(frozen=True)
class ExperimentRecords:
    """The records that can be used and those that cannot, both in the order of the source."""

    records: tuple[ExperimentRecord, ...]
    problems: tuple[RecordProblem, ...]


def read_experiments(
    location: str, *, timeout_seconds: float = 30.0, first_wait_seconds: float = 1.0
) -> ExperimentRecords:
    """The experiments of a JSON file or of Experimenter's API.

    Args:
        location: A path, or a URL with http or https. Its content is a list of experiments, or
            one experiment.
        timeout_seconds: The longest wait for a connection and for each part of an answer.
        first_wait_seconds: The wait before the second try of a URL; the third waits longer.

    Raises:
        ExperimentError: The source cannot be read, or is not JSON of that shape.
    """
    if location.startswith(("http://", "https://")):
        content = _fetch(location, timeout_seconds, first_wait_seconds)
    else:
        content = _read(location)
    return _records(_items(content, location))


def records_by_slug(location: str | None) -> dict[str, ExperimentRecord]:
    """The records of a location that can be used; none without a location.

    Raises:
        ExperimentError: The source cannot be read, or is not JSON of that shape.
    """
    if location is None:
        return {}
    return {record.slug: record for record in read_experiments(location).records}


def record_document(record: ExperimentRecord) -> dict[str, object]:
    """A record in Experimenter's shape, which `read_experiments` reads as the same record."""
    days = {"startDate": record.start_date, "endDate": record.end_date}
    days["enrollmentEndDate"] = record.enrollment_end_date
    return {
        "slug": record.slug,
        **{key: None if day is None else day.isoformat() for key, day in days.items()},
        "branches": [{"slug": branch.slug, "ratio": branch.ratio} for branch in record.branches],
        "proposedEnrollment": record.proposed_enrollment,
        "bucketConfig": {"randomizationUnit": record.randomization_unit},
        "referenceBranch": record.reference_branch,
        "appName": record.app_name,
        "appId": record.app_id,
        "outcomes": [{"slug": slug} for slug in record.outcomes],
        "segments": [{"slug": slug} for slug in record.segments],
        "isRollout": record.is_rollout,
        "userFacingName": record.name,
        "userFacingDescription": record.description,
    }


def _read(location: str) -> bytes:
    try:
        return Path(location).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = error.strerror if isinstance(error, OSError) else error
        raise ExperimentError(
            f"{location}: the experiments cannot be read: {reason}. Give a JSON file or a URL."
        ) from error


def _fetch(url: str, timeout_seconds: float, first_wait_seconds: float) -> bytes:
    try:
        for attempt in stamina.retry_context(
            on=_is_transient,
            attempts=_TRIES,
            wait_initial=first_wait_seconds,
            wait_jitter=first_wait_seconds,
            wait_exp_base=10,
            wait_max=180,
            timeout=None,
        ):
            with attempt:
                response = httpx.get(
                    url,
                    timeout=timeout_seconds,
                    follow_redirects=True,
                    headers={"User-Agent": "jetstream_assets"},
                )
                return response.raise_for_status().content
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        kind = UnreachableExperimentsError if _is_transient(error) else ExperimentError
        raise kind(f"{url}: the server answered with status {status}.") from error
    except httpx.TimeoutException as error:
        raise UnreachableExperimentsError(
            f"{url}: no answer within {timeout_seconds:g} seconds, {_TRIES} times."
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        kind = UnreachableExperimentsError if _is_transient(error) else ExperimentError
        raise kind(f"{url}: the experiments cannot be fetched: {error}.") from error
    raise AssertionError("a retry context either returns or raises")


def _is_transient(error: Exception) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status >= _FIRST_SERVER_ERROR or status == _TOO_MANY_REQUESTS
    return isinstance(error, httpx.TransportError)


def _items(content: bytes, location: str) -> list[object]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ExperimentError(f"{location}: this is not JSON: {error}.") from error
    if isinstance(document, dict):
        return [document]
    if isinstance(document, list):
        return document
    raise ExperimentError(
        f"{location}: found {shown(document)}; it must be a list of experiments, or one."
    )


def _records(items: list[object]) -> ExperimentRecords:
    copies = Counter(_slug(item) for item in items)
    records: list[ExperimentRecord] = []
    problems: list[RecordProblem] = []
    for position, item in enumerate(items, start=1):
        slug = _slug(item)
        read = _record(item)
        if slug is not None and copies[slug] > 1:
            told = (
                f"Record {position}: slug: {shown(slug)} is the slug of {copies[slug]} records, so "
                "none of them is used. Each experiment must be listed once."
            )
            problems.append(RecordProblem(slug, position, told))
        elif isinstance(read, ExperimentRecord):
            records.append(read)
        else:
            problems.append(RecordProblem(slug, position, f"Record {position}: {read}"))
    return ExperimentRecords(tuple(records), tuple(problems))


def _slug(item: object) -> str | None:
    slug = item.get("slug") if isinstance(item, dict) else None
    return slug if isinstance(slug, str) else None


def _record(item: object) -> ExperimentRecord | str:
    """The record, or what is wrong with it."""
    try:
        return _Record.model_validate(item).as_record()
    except ValidationError as error:
        return all_problems(error)


def _as_list(value: object) -> object:
    return [] if value is None else value


def _told(text: str | None) -> str | None:
    """Text without space around it; None where nothing is left."""
    return (text or "").strip() or None


def _distinct(branches: list[_Branch]) -> list[_Branch]:
    slugs = [branch.slug for branch in branches]
    if len(set(slugs)) < len(slugs):
        raise ValueError("each branch must have a slug of its own")
    return branches


class _Written(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class _Branch(_Written):
    slug: Annotated[str, Field(min_length=1)]
    ratio: Annotated[int, Field(ge=0)] = 1


class _Bucket(_Written):
    randomization_unit: str | None = Field(alias="randomizationUnit", default=None)


class _Named(_Written):
    slug: str


class _Record(_Written):
    """One experiment as Experimenter writes it; keys that are not listed here are not read."""

    slug: Annotated[str, Field(min_length=1)]
    branches: Annotated[list[_Branch], BeforeValidator(_as_list), AfterValidator(_distinct)] = (
        Field(default_factory=list)
    )
    start_date: Day | None = Field(alias="startDate")
    end_date: Day | None = Field(alias="endDate")
    enrollment_end_date: Day | None = Field(alias="enrollmentEndDate", default=None)
    proposed_enrollment: Annotated[int, Field(ge=0)] | None = Field(alias="proposedEnrollment")
    bucket: _Bucket | None = Field(alias="bucketConfig")
    reference_branch: str | None = Field(alias="referenceBranch")
    app_name: str = Field(alias="appName", default="firefox_desktop")
    app_id: str = Field(alias="appId", default="firefox-desktop")
    outcomes: Annotated[list[_Named], BeforeValidator(_as_list)] = Field(default_factory=list)
    segments: Annotated[list[_Named], BeforeValidator(_as_list)] = Field(default_factory=list)
    is_rollout: bool = Field(alias="isRollout", default=False)
    name: str | None = Field(alias="userFacingName", default=None)
    description: str | None = Field(alias="userFacingDescription", default=None)

    def as_record(self) -> ExperimentRecord:
        return ExperimentRecord(
            slug=self.slug,
            branches=tuple(Branch(branch.slug, branch.ratio) for branch in self.branches),
            start_date=self.start_date,
            end_date=self.end_date,
            enrollment_end_date=self.enrollment_end_date,
            proposed_enrollment=self.proposed_enrollment or 0,
            randomization_unit=self.bucket.randomization_unit if self.bucket else None,
            reference_branch=self.reference_branch,
            app_name=self.app_name,
            app_id=self.app_id,
            outcomes=tuple(dict.fromkeys(outcome.slug for outcome in self.outcomes)),
            segments=tuple(dict.fromkeys(segment.slug for segment in self.segments)),
            is_rollout=self.is_rollout,
            name=_told(self.name),
            description=_told(self.description),
        )

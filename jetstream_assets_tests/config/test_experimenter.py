from __future__ import annotations

import json
import threading
import time
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from jetstream_assets.config.experimenter import ExperimentRecords, read_experiments
from jetstream_assets.errors import ExperimentError
from jetstream_assets.experiments.experiment import Branch
from jetstream_assets.experiments.record import ExperimentRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITTEN: dict[str, Any] = {
    "slug": "my-experiment",
    "branches": [{"slug": "control", "ratio": 1, "features": []}, {"slug": "a", "ratio": 2}],
    "startDate": "2024-01-01",
    "endDate": "2024-02-05",
    "enrollmentEndDate": "2024-01-07",
    "proposedEnrollment": 14,
    "bucketConfig": {
        "randomizationUnit": "group_id",
        "namespace": "x",
        "start": 0,
        "count": 100,
        "total": 10000,
    },
    "referenceBranch": "control",
    "appName": "fenix",
    "appId": "org.mozilla.fenix",
    "outcomes": [{"slug": "one", "priority": "primary"}, {"slug": "two"}, {"slug": "one"}],
    "segments": [{"slug": "night"}],
    "isEnrollmentPaused": True,
    "isRollout": False,
    "userFacingName": "An experiment of mine",
    "userFacingDescription": "Whether <b>bold</b> is better. ",
    "schemaVersion": "1.12.0",
}
RECORD = ExperimentRecord(
    slug="my-experiment",
    branches=(Branch("control", 1), Branch("a", 2)),
    start_date=date(2024, 1, 1),
    end_date=date(2024, 2, 5),
    enrollment_end_date=date(2024, 1, 7),
    proposed_enrollment=14,
    randomization_unit="group_id",
    reference_branch="control",
    app_name="fenix",
    app_id="org.mozilla.fenix",
    outcomes=("one", "two"),
    segments=("night",),
    name="An experiment of mine",
    description="Whether <b>bold</b> is better.",
)
LEAST = {
    "slug": "small",
    "startDate": None,
    "endDate": None,
    "proposedEnrollment": None,
    "bucketConfig": None,
    "referenceBranch": None,
}


def read(tmp_path: Path, content: object) -> ExperimentRecords:
    path = tmp_path / "experiments.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_experiments(str(path))


def test_a_list_and_a_single_experiment(tmp_path: Path) -> None:
    assert read(tmp_path, [WRITTEN]) == ExperimentRecords((RECORD,), ())
    assert read(tmp_path, WRITTEN) == ExperimentRecords((RECORD,), ())
    assert read(tmp_path, []) == ExperimentRecords((), ())


def test_the_least_that_must_be_written(tmp_path: Path) -> None:
    assert read(tmp_path, LEAST).records == (ExperimentRecord("small"),)
    assert read(tmp_path, LEAST | {"branches": []}).records == (ExperimentRecord("small"),)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slug": None}, "slug: found None. Input should be a valid string."),
        ({"slug": ""}, "slug: found ''. String should have at least 1 character."),
        ({"slug": 7}, "slug: found 7."),
        ({"startDate": "01/02/2024"}, "startDate: a date is written as YYYY-MM-DD"),
        ({"startDate": "2024-W01-1"}, "startDate: a date is written as YYYY-MM-DD"),
        ({"startDate": "2024-02-30"}, "startDate: day is out of range for month; found"),
        ({"endDate": 20240101}, "endDate: a date is written as YYYY-MM-DD; found 20240101."),
        ({"proposedEnrollment": "7"}, "proposedEnrollment: found '7'."),
        ({"proposedEnrollment": -1}, "proposedEnrollment: found -1."),
        ({"branches": [{"ratio": 1}]}, "branches.0.slug: the key is missing; it is required."),
        ({"branches": [{"slug": "a", "ratio": "1"}]}, "branches.0.ratio: found '1'."),
        ({"branches": [{"slug": "a"}, {"slug": "a"}]}, "branches: each branch must have a slug"),
        ({"branches": "control"}, "branches: found 'control'."),
        ({"outcomes": ["one"]}, "outcomes.0: found 'one'."),
        ({"isRollout": "yes"}, "isRollout: found 'yes'."),
        ({"userFacingName": 7}, "userFacingName: found 7."),
        ({"bucketConfig": 1}, "bucketConfig: found 1."),
    ],
)
def test_a_bad_record_is_told_and_stops_no_other(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    found = read(tmp_path, [LEAST, WRITTEN | change])
    assert [record.slug for record in found.records] == ["small"]
    [problem] = found.problems
    assert problem.position == 2
    assert problem.message.startswith(f"Record 2: {message}")
    slug = change.get("slug", "my-experiment")
    assert problem.slug == (slug if isinstance(slug, str) else None)


@pytest.mark.parametrize("key", [key for key in LEAST if key != "slug"])
def test_a_key_that_must_be_written(tmp_path: Path, key: str) -> None:
    [problem] = read(tmp_path, {name: LEAST[name] for name in LEAST if name != key}).problems
    assert problem.message == f"Record 1: {key}: the key is missing; it is required."


@pytest.mark.parametrize("item", [None, 5, "a", [WRITTEN]])
def test_what_is_no_record_is_told(tmp_path: Path, item: object) -> None:
    found = read(tmp_path, [item, WRITTEN])
    assert found.records == (RECORD,)
    assert found.problems[0].message.startswith("Record 1: record: found ")


def test_copies_of_a_slug_are_all_refused(tmp_path: Path) -> None:
    found = read(tmp_path, [WRITTEN, LEAST, WRITTEN | {"endDate": None}])
    assert [record.slug for record in found.records] == ["small"]
    assert [(p.slug, p.position) for p in found.problems] == [
        ("my-experiment", 1),
        ("my-experiment", 3),
    ]
    assert found.problems[1].message == (
        "Record 3: slug: 'my-experiment' is the slug of 2 records, so none of them is used. "
        "Each experiment must be listed once."
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "this is not JSON"),
        ("{", "this is not JSON"),
        ("[" * 100_000, "this is not JSON"),
        ("5", "found 5; it must be a list of experiments, or one"),
        ('"text"', "found 'text'; it must be"),
        ("null", "found None; it must be"),
    ],
)
def test_what_is_no_list_of_experiments_is_an_error(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises(ExperimentError) as caught:
        read(tmp_path, content)
    assert message in str(caught.value)
    assert "experiments.json" in str(caught.value)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "experiments.json"
    path.write_bytes(b'[{"slug": "\xff"}]')
    with pytest.raises(ExperimentError, match="not JSON"):
        read_experiments(str(path))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="No such file or directory"):
        read_experiments(str(tmp_path / "absent.json"))
    with pytest.raises(ExperimentError, match="Is a directory"):
        read_experiments(str(tmp_path))
    with pytest.raises(ExperimentError, match="null"):
        read_experiments("a\0b")


class Server(ThreadingHTTPServer):
    """Answers each request with the next of its answers; the last one stays."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, bytes]] = []
        self.agents: list[str | None] = []
        self.delay_seconds = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/experiments/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.agents.append(self.headers.get("User-Agent"))
        time.sleep(server.delay_seconds)
        status, body = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as inherited
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def fetch(server: Server, timeout_seconds: float = 5.0) -> ExperimentRecords:
    return read_experiments(server.url, timeout_seconds=timeout_seconds, first_wait_seconds=0.001)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_trouble_is_tried_again(server: Server, status: int) -> None:
    server.answers = [(status, b""), (200, json.dumps([WRITTEN]).encode())]
    assert fetch(server).records == (RECORD,)
    assert server.agents == ["jetstream_assets"] * 2


@pytest.mark.parametrize(("status", "tries"), [(500, 3), (404, 1), (403, 1)])
def test_a_lasting_trouble_is_told(server: Server, status: int, tries: int) -> None:
    server.answers = [(status, b"")]
    with pytest.raises(ExperimentError, match=f"the server answered with status {status}"):
        fetch(server)
    assert len(server.agents) == tries


def test_garbage_is_told(server: Server) -> None:
    server.answers = [(200, b"<html>")]
    with pytest.raises(ExperimentError, match="this is not JSON"):
        fetch(server)
    assert len(server.agents) == 1


def test_silence_is_told(server: Server) -> None:
    server.answers = [(200, b"[]")]
    server.delay_seconds = 0.3
    with pytest.raises(ExperimentError, match=r"no answer within 0.05 seconds, 3 times"):
        fetch(server, timeout_seconds=0.05)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://[::1", "http://"])
def test_what_cannot_be_reached_is_told(url: str) -> None:
    with pytest.raises(ExperimentError, match="the experiments cannot be fetched"):
        read_experiments(url, timeout_seconds=1.0, first_wait_seconds=0.001)

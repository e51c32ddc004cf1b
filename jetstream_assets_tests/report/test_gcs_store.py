"""What is a bucket's own: headers, dates in metadata, lost races, faults of the network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jetstream_assets.errors import SettingsError
from jetstream_assets.orchestration.settings import read_settings
from jetstream_assets.report.gcs_store import GcsDocumentStore, bucket_and_prefix
from jetstream_assets.report.store import DocumentStoreError, PublishResult
from jetstream_assets_tests.gcs.server import (
    BUCKET,
    DENIED,
    UPLOAD,
    Fault,
    Gcs,
    Outcome,
    client_of,
    variables,
)

if TYPE_CHECKING:
    from pathlib import Path

NAME = "statistics/statistics_my_exp_weekly.json"
WRITTEN, UNCHANGED, SUPERSEDED = PublishResult
# Above 8 MB the client uploads in parts.
LARGE = b"x" * 9_000_000
SECONDS = 2.0

DYING = """
import sys
from datetime import date
from google.cloud.storage import Client
from jetstream_assets.report.gcs_store import GcsDocumentStore, bucket_and_prefix

store = GcsDocumentStore(Client(), *bucket_and_prefix(sys.argv[1]))
store.publish("doc.json", b"new" * int(sys.argv[2]), date(2024, 1, 5))
"""


@pytest.fixture
def store(gcs: Gcs, tmp_path: Path) -> GcsDocumentStore:
    return GcsDocumentStore(client_of(gcs), BUCKET, f"{tmp_path.name}", SECONDS)


def day(number: int) -> date:
    return date(2024, 1, 1) + timedelta(days=number)


def key(store: GcsDocumentStore, name: str = NAME) -> str:
    return f"{store.prefix}/{name}"


def test_an_object_says_what_it_is_and_that_it_may_change(
    gcs: Gcs, store: GcsDocumentStore
) -> None:
    store.publish(NAME, b"[]\n", day(1))
    found = gcs.object(key(store))
    assert found["contentType"] == "application/json"
    assert found["cacheControl"] == "no-cache"
    assert found["metadata"] == {"as-of": "2024-01-02"}
    store.publish("page.html", b"<p>", day(1), "text/html")
    assert gcs.object(key(store, "page.html"))["contentType"] == "text/html"


def test_a_bucket_holds_the_consumers_names_and_nothing_else(
    gcs: Gcs, store: GcsDocumentStore
) -> None:
    for folder, stem in (("statistics", "a_weekly"), ("metadata", "a"), ("errors", "a")):
        store.publish(f"{folder}/{folder}_{stem}.json", b"[]", day(1))
    assert list(gcs.objects(f"{store.prefix}/")) == [
        "errors/errors_a.json",
        "metadata/metadata_a.json",
        "statistics/statistics_a_weekly.json",
    ]


def test_a_person_can_open_a_document(store: GcsDocumentStore) -> None:
    address = f"https://storage.cloud.google.com/our-results/{store.prefix}/{NAME}"
    assert store.location(NAME) == address


@pytest.mark.parametrize("newer", [False, True])
def test_unchanged_bytes_are_not_sent_again(
    gcs: Gcs, store: GcsDocumentStore, *, newer: bool
) -> None:
    store.publish(NAME, b"same", day(1))
    before = gcs.object(key(store))["generation"]
    gcs.requests.clear()
    assert store.publish(NAME, b"same", day(2 if newer else 1)).result is UNCHANGED
    found = gcs.object(key(store))
    assert (found["generation"], found["metadata"]) == (
        before,
        {"as-of": day(2 if newer else 1).isoformat()},
    )
    assert not [request for request in gcs.requests if request.startswith(UPLOAD)]


def test_what_a_person_uploaded_has_no_date(gcs: Gcs, store: GcsDocumentStore) -> None:
    store.publish(NAME, b"ours", day(5))
    store.client.bucket(BUCKET).blob(key(store)).upload_from_string(b"theirs")
    assert store.publish(NAME, b"ours again", day(1)).result is WRITTEN
    assert gcs.object(key(store))["metadata"] == {"as-of": "2024-01-02"}


def test_other_headers_are_mended(gcs: Gcs, store: GcsDocumentStore) -> None:
    blob = store.client.bucket(BUCKET).blob(key(store))
    blob.upload_from_string(b"[]", "text/plain")
    assert store.publish(NAME, b"[]", day(1)).result is WRITTEN
    assert gcs.object(key(store))["contentType"] == "application/json"


@pytest.mark.parametrize("there", [None, b"old", b"ours"])
@pytest.mark.parametrize("body", [b"ours", LARGE])
def test_a_newer_document_that_comes_between_is_kept(
    gcs: Gcs, store: GcsDocumentStore, there: bytes | None, body: bytes
) -> None:
    if there is not None:
        store.publish(NAME, there, day(1))
    rival = GcsDocumentStore(client_of(gcs), BUCKET, store.prefix, SECONDS)
    gcs.faults.append(_meanwhile(lambda: rival.publish(NAME, b"newer", day(3))))
    assert store.publish(NAME, body, day(2)).result is SUPERSEDED
    assert store.read(NAME) == b"newer"


def test_a_newer_date_of_the_same_bytes_that_comes_between_is_kept(
    gcs: Gcs, store: GcsDocumentStore
) -> None:
    # The rival changes metadata alone, so the generation is what it was.
    store.publish(NAME, b"same", day(1))
    rival = GcsDocumentStore(client_of(gcs), BUCKET, store.prefix, SECONDS)
    gcs.faults.append(_meanwhile(lambda: rival.publish(NAME, b"same", day(3))))
    assert store.publish(NAME, b"between", day(2)).result is SUPERSEDED
    assert store.read(NAME) == b"same"


def test_an_older_document_that_comes_between_is_replaced(
    gcs: Gcs, store: GcsDocumentStore
) -> None:
    rival = GcsDocumentStore(client_of(gcs), BUCKET, store.prefix, SECONDS)
    gcs.faults.append(_meanwhile(lambda: rival.publish(NAME, b"older", day(1))))
    assert store.publish(NAME, b"ours", day(2)).result is WRITTEN
    assert store.read(NAME) == b"ours"


@pytest.mark.parametrize("body", [b"old", b"new"])
def test_a_document_that_is_removed_meanwhile_is_written_anew(
    gcs: Gcs, store: GcsDocumentStore, body: bytes
) -> None:
    store.publish(NAME, b"old", day(1))
    gcs.faults.append(_meanwhile(lambda: gcs.storage.delete_file(BUCKET, key(store))))
    assert store.publish(NAME, body, day(2)).result is WRITTEN
    assert store.read(NAME) == body


def test_a_race_that_is_lost_again_and_again_is_an_error(
    gcs: Gcs, store: GcsDocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jetstream_assets.report.gcs_store._LONGEST_PAUSE", 0.001)
    gcs.faults.append(Fault(UPLOAD, status=412, times=12))
    with pytest.raises(DocumentStoreError, match=r"first 12 times in a row") as raised:
        store.publish(NAME, b"ours", day(2))
    assert raised.value.may_pass
    assert store.publish(NAME, b"ours", day(2)).result is WRITTEN


@pytest.mark.parametrize("body", [b"new", LARGE])
@pytest.mark.parametrize("method", ["GET /storage/v1/b/[^/]+/o/", UPLOAD, "PUT"])
@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.RESET_MIDWAY, Outcome.ANSWER_LOST])
def test_a_passing_fault_does_no_harm(
    gcs: Gcs, store: GcsDocumentStore, body: bytes, method: str, outcome: Outcome
) -> None:
    store.publish(NAME, b"old", day(1))
    gcs.faults.append(Fault(method, outcome))
    published = store.publish(NAME, body, day(2))
    # Where the answer is lost, the document is there before it is sent again.
    assert published.result in {WRITTEN, UNCHANGED}
    assert store.read(NAME) == body
    assert gcs.object(key(store))["metadata"] == {"as-of": "2024-01-03"}
    assert store.publish(NAME, b"older", day(1)).result is SUPERSEDED


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.RESET_MIDWAY])
def test_a_lasting_fault_is_an_error_that_may_pass(
    gcs: Gcs, store: GcsDocumentStore, outcome: Outcome
) -> None:
    store.publish(NAME, b"old", day(1))
    gcs.faults.append(Fault(UPLOAD, outcome, status=503, times=1000))
    with pytest.raises(DocumentStoreError, match="It may pass") as raised:
        store.publish(NAME, b"new", day(2))
    assert raised.value.may_pass
    assert NAME in str(raised.value)
    assert store.read(NAME) == b"old"


def test_a_place_where_nothing_answers_is_an_error(gcs: Gcs, store: GcsDocumentStore) -> None:
    nowhere = Gcs("http://127.0.0.1:1", gcs.storage)
    lost = GcsDocumentStore(client_of(nowhere), BUCKET, store.prefix, 0.5)
    for act in (lost.read, lost.names, lost.remove, lambda n: lost.publish(n, b"", day(1))):
        with pytest.raises(DocumentStoreError, match="It may pass"):
            act(NAME)


@pytest.mark.parametrize("act", ["read", "names", "remove", "publish"])
def test_a_missing_bucket_is_named(gcs: Gcs, act: str) -> None:
    lost = GcsDocumentStore(client_of(gcs), "nowhere", "", SECONDS)
    arguments = (NAME, b"", day(1)) if act == "publish" else (NAME,)
    with pytest.raises(DocumentStoreError, match=r"nowhere.*does not exist. Create it") as raised:
        getattr(lost, act)(*arguments)
    assert not raised.value.may_pass


@pytest.mark.parametrize("act", ["read", "names", "remove", "publish"])
def test_a_missing_permission_is_named_with_the_role(
    gcs: Gcs, store: GcsDocumentStore, act: str
) -> None:
    gcs.faults.append(Fault("(GET|POST|DELETE) ", status=403, message=DENIED, times=9))
    arguments = (NAME, b"", day(1)) if act == "publish" else (NAME,)
    with pytest.raises(DocumentStoreError, match=r"roles/storage\.objectUser") as raised:
        getattr(store, act)(*arguments)
    assert not raised.value.may_pass
    assert "run@our-project.iam.gserviceaccount.com" in str(raised.value)


@pytest.mark.parametrize("times", [1, 3_000_000])
def test_a_killed_writer_leaves_the_former_document(
    gcs: Gcs, store: GcsDocumentStore, times: int
) -> None:
    store.publish("doc.json", b"old", day(1))
    is_sending, is_dead = threading.Event(), threading.Event()

    def wait() -> None:
        is_sending.set()
        is_dead.wait(30)

    # The last request of either way to upload, half sent.
    request = UPLOAD if times == 1 else "PUT"
    gcs.faults.append(Fault(request, Outcome.RESET_MIDWAY, before=wait))
    root = f"gs://{BUCKET}/{store.prefix}"
    command = [sys.executable, "-c", DYING, root, str(times)]
    with subprocess.Popen(command, env=os.environ | variables(gcs)) as process:
        assert is_sending.wait(30)
        process.send_signal(signal.SIGKILL)
    is_dead.set()
    assert store.read("doc.json") == b"old"
    assert store.publish("doc.json", b"between", day(3)).result is WRITTEN


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 2), st.sampled_from([None, *Outcome])),
        max_size=6,
    )
)
def test_no_order_of_publications_and_faults_sets_a_document_back(
    gcs: Gcs, store: GcsDocumentStore, publications: list[tuple[int, int, Outcome | None]]
) -> None:
    store.remove("doc.json")
    newest, expected = -1, None
    for number, variant, outcome in publications:
        body = f"{number} {variant}".encode()
        gcs.faults[:] = [] if outcome is None else [Fault("(POST|PATCH) ", outcome)]
        store.publish("doc.json", body, day(number))
        if number >= newest:
            newest, expected = number, body
        assert store.read("doc.json") == expected


@pytest.mark.parametrize(
    ("location", "parts"),
    [
        ("gs://our-results", ("our-results", "")),
        ("gs://our-results/", ("our-results", "")),
        ("gs://our-results/a/b/", ("our-results", "a/b")),
        ("gs://example.com/a", ("example.com", "a")),
    ],
)
def test_a_location_is_a_bucket_and_a_prefix(location: str, parts: tuple[str, str]) -> None:
    assert bucket_and_prefix(location) == parts
    assert read_settings(output=location).absolute().output == location


@pytest.mark.parametrize(
    "location", ["gs://", "gs://A", "gs:///a", "gs://a b/c", "gs://our-results/../c"]
)
def test_a_location_that_names_no_bucket_is_refused(location: str) -> None:
    with pytest.raises(SettingsError, match=r"OUTPUT is 'gs://.*: (it names no|.*part)"):
        read_settings(output=location)


def test_without_credentials_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from jetstream_assets.orchestration.resources import DocumentsResource  # noqa: PLC0415

    for name in ("HOME", "CLOUDSDK_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(DocumentStoreError, match="found no Google credentials") as raised:
        DocumentsResource(root="gs://our-results").open()
    assert not raised.value.may_pass


def _meanwhile(act: object) -> Fault:
    """What another does between the look and the write of the next publication."""
    assert callable(act)

    def once() -> None:
        act()

    return Fault("(POST|PATCH) ", Outcome.CARRIED_OUT, before=once)

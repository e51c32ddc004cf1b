"""The server keeps the service's conditions, on which all that is said of the store rests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import NotFound, PreconditionFailed

from jetstream_assets_tests.gcs.server import BUCKET, Gcs, client_of, running_gcs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.cloud.storage import Blob, Bucket

LARGE = b"x" * 9_000_000


@pytest.fixture(scope="module")
def gcs() -> Iterator[Gcs]:
    with running_gcs() as running:
        yield running


@pytest.fixture
def bucket(gcs: Gcs) -> Bucket:
    return client_of(gcs).bucket(BUCKET)


def _insert(blob: Blob, **conditions: Any) -> None:  # noqa: ANN401
    blob.bucket.blob(blob.name).upload_from_string(b"new", **conditions)


def _insert_in_parts(blob: Blob, **conditions: Any) -> None:  # noqa: ANN401
    blob.bucket.blob(blob.name).upload_from_string(LARGE, **conditions)


def _copy(blob: Blob, **conditions: Any) -> None:  # noqa: ANN401
    source = _another(blob.bucket)
    blob.bucket.copy_blob(source, blob.bucket, blob.name, **conditions)


def _rewrite(blob: Blob, **conditions: Any) -> None:  # noqa: ANN401
    blob.bucket.blob(blob.name).rewrite(_another(blob.bucket), **conditions)


def _compose(blob: Blob, **conditions: Any) -> None:  # noqa: ANN401
    blob.bucket.blob(blob.name).compose([_another(blob.bucket)], **conditions)


def _delete(blob: Blob, **conditions: Any) -> None:  # noqa: ANN401
    blob.bucket.blob(blob.name).delete(**conditions)


def _patch(blob: Blob, **conditions: Any) -> None:  # noqa: ANN401
    changed = blob.bucket.blob(blob.name)
    changed.metadata = {"key": "new"}
    changed.patch(**conditions)


def _another(bucket: Bucket) -> Blob:
    blob = bucket.blob("another")
    blob.upload_from_string(b"another")
    return blob


CHANGES = [_insert, _insert_in_parts, _copy, _rewrite, _compose, _delete, _patch]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("condition", ["if_generation_match", "if_metageneration_match"])
def test_every_change_is_under_its_condition(
    bucket: Bucket, change: Callable[..., None], condition: str
) -> None:
    blob = bucket.blob(f"{change.__name__}/{condition}")
    blob.upload_from_string(b"old")
    blob.reload()
    held = {condition: getattr(blob, condition.removeprefix("if_").removesuffix("_match"))}
    with pytest.raises(PreconditionFailed):
        change(blob, **{condition: held[condition] + 1})
    before = (blob.generation, blob.metageneration)
    blob.reload()
    assert (blob.generation, blob.metageneration) == before
    assert blob.download_as_bytes() == b"old"
    change(blob, **held)
    with pytest.raises((PreconditionFailed, NotFound)):
        change(blob, if_generation_match=before[0], if_metageneration_match=before[1])


def test_of_sixteen_creators_one_wins(gcs: Gcs) -> None:
    clients = [client_of(gcs) for _ in range(16)]

    def create(number: int) -> bool:
        blob = clients[number].bucket(BUCKET).blob("raced")
        try:
            blob.upload_from_string(f"{number}", if_generation_match=0)
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        won = list(threads.map(create, range(16)))
    assert won.count(True) == 1
    assert gcs.body("raced") == f"{won.index(True)}".encode()


def test_an_upload_in_parts_meets_its_condition_when_it_ends(bucket: Bucket) -> None:
    blob = bucket.blob("in parts")
    address = blob.create_resumable_upload_session(if_generation_match=0, size=3)
    bucket.blob("in parts").upload_from_string(b"first")
    answer = bucket.client._http.put(address, data=b"abc")
    assert answer.status_code == 412
    assert blob.download_as_bytes() == b"first"


def test_a_former_generation_is_gone(bucket: Bucket) -> None:
    blob = bucket.blob("generations")
    blob.upload_from_string(b"1")
    former = blob.generation
    bucket.blob("generations").upload_from_string(b"2")
    with pytest.raises(NotFound, match="No such object"):
        bucket.blob("generations", generation=former).download_as_bytes()


def test_what_is_missing_is_said(bucket: Bucket) -> None:
    with pytest.raises(NotFound, match="No such object: our-results/nothing"):
        bucket.blob("nothing").reload()
    with pytest.raises(NotFound, match="bucket does not exist"):
        bucket.client.bucket("nowhere").blob("nothing").download_as_bytes()
    with pytest.raises(NotFound, match="bucket does not exist"):
        bucket.client.bucket("nowhere").blob("nothing").upload_from_string(b"")

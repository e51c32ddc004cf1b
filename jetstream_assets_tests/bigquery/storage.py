"""BigQuery's Storage Read API on loopback: tables as Arrow over gRPC, in several streams.

Belongs here: read sessions and their streams, and a client that finds them. Does not: REST
(`server`), what is stored (`catalog`). Row restrictions, Avro and sessions that expire are not
served; streams are cut by rows, where the real service cuts by its files.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import pyarrow as pa
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery import Client
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
    BigQueryReadGrpcTransport,
)
from google.cloud.bigquery_storage_v1.types import (
    ArrowRecordBatch,
    ArrowSchema,
    CreateReadSessionRequest,
    DataFormat,
    ReadRowsRequest,
    ReadRowsResponse,
    ReadSession,
    ReadStream,
)

from jetstream_assets_tests.bigquery.catalog import Catalog
from jetstream_assets_tests.bigquery.names import TableKey
from jetstream_assets_tests.bigquery.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets_tests.bigquery.server import BigQueryServer

SERVICE = "google.cloud.bigquery.storage.v1.BigQueryRead"
_STREAMS = 2
_BATCH = 500  # rows


@dataclass
class StorageServer:
    """A running server. ``is_forbidden`` refuses sessions, as to accounts without the role."""

    catalog: Catalog
    address: str = ""
    is_forbidden: bool = False
    sessions: int = 0
    _streams: dict[str, pa.Table] = field(default_factory=dict)

    def create(self, request: CreateReadSessionRequest, context: Any) -> ReadSession:  # noqa: ANN401  gRPC's
        """A session over all rows of a table."""
        if self.is_forbidden:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "bigquery.readsessions.create denied")
        asked = request.read_session
        _, project, _, dataset, _, name = asked.table.split("/")
        try:
            rows = self.catalog.table(TableKey(project, dataset, name)).rows
        except Refusal as refusal:
            context.abort(grpc.StatusCode.NOT_FOUND, refusal.message)
        self.sessions += 1
        session = f"projects/{project}/locations/us/sessions/{uuid.uuid4().hex}"
        size = -(-rows.num_rows // _STREAMS) or 1
        parts = [rows.slice(start, size) for start in range(0, rows.num_rows, size)]
        streams = {f"{session}/streams/{n}": part for n, part in enumerate(parts)}
        self._streams |= streams
        return ReadSession(
            name=session,
            table=asked.table,
            data_format=DataFormat.ARROW,
            arrow_schema=_schema(rows),
            streams=[ReadStream(name=name) for name in streams],
        )

    def read(self, request: ReadRowsRequest, _: Any) -> Iterator[ReadRowsResponse]:  # noqa: ANN401  gRPC's
        """The rows of a stream from an offset."""
        rows = self._streams[request.read_stream].slice(request.offset)
        for number, batch in enumerate(rows.to_batches(max_chunksize=_BATCH)):
            content = ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes())
            told = ReadRowsResponse(arrow_record_batch=content, row_count=batch.num_rows)
            if number == 0:
                told.arrow_schema = _schema(rows)
            yield told


def _schema(rows: pa.Table) -> ArrowSchema:
    return ArrowSchema(serialized_schema=rows.schema.serialize().to_pybytes())


@contextmanager
def running_storage(catalog: Catalog) -> Iterator[StorageServer]:
    """A server until the body ends."""
    owner = StorageServer(catalog)
    create = grpc.unary_unary_rpc_method_handler(
        owner.create, CreateReadSessionRequest.deserialize, ReadSession.serialize
    )
    read = grpc.unary_stream_rpc_method_handler(
        owner.read, ReadRowsRequest.deserialize, ReadRowsResponse.serialize
    )
    methods = {"CreateReadSession": create, "ReadRows": read}
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    owner.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield owner
    finally:
        server.stop(None).wait()


class StorageClient(Client):
    """The real client, whose Storage Read API is on loopback."""

    def __init__(self, server: BigQueryServer, storage: StorageServer, project: str) -> None:
        options = ClientOptions(api_endpoint=server.url)
        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        super().__init__(project, credentials, client_options=options)
        self._address = storage.address

    def _ensure_bqstorage_client(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401  the library's
        return super()._ensure_bqstorage_client(
            *given, **(named | {"transport": partial(_transport, self._address)})
        )


def _transport(address: str, **_: Any) -> BigQueryReadGrpcTransport:  # noqa: ANN401  settings
    return BigQueryReadGrpcTransport(channel=grpc.insecure_channel(address))

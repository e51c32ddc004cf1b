"""Who asks: tokens of the server, and a key of a service account that gets them.

Belongs here: `/token` and what it answers, and the file of a key. Does not: who may do what.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from jetstream_assets_tests.bigquery.refusals import Refusal
from jetstream_assets_tests.bigquery.requests import Reply, Request

if TYPE_CHECKING:
    from pathlib import Path

TOKEN_PATH = "/token"  # noqa: S105  a path
_SECONDS = 3600


class Tokens:
    """The tokens that the server gave, of which every request must have one or have none."""

    def __init__(self) -> None:
        self.given: set[str] = set()

    def give(self, _: Request) -> Reply:
        """A new token, whoever signs for it."""
        token = f"loopback-{uuid.uuid4().hex}"
        self.given.add(token)
        told = {"access_token": token, "token_type": "Bearer", "expires_in": _SECONDS}
        return Reply(body=told)

    def check(self, request: Request) -> None:
        """Refuse a token that was not given; unlike the real service, none at all is fine."""
        told = request.headers.get("authorization")
        if told is not None and told.removeprefix("Bearer ") not in self.given:
            raise Refusal("authError", "Request had invalid authentication credentials.")


def write_key(path: Path, url: str, project: str) -> Path:
    """A key of a service account of its own, whose tokens come from this server."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    key = {
        "type": "service_account",
        "project_id": project,
        "private_key_id": "loopback",
        "private_key": text,
        "client_email": f"tests@{project}.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{url}{TOKEN_PATH}",
    }
    path.write_text(json.dumps(key))
    return path

"""How git proves who it is: by what the environment holds, never on a command line.

Belongs here: credentials of a repository's URL and of the environment, and keeping them out of
what people read. Does not: git's own ways (``GIT_ASKPASS``, credential helpers,
``GIT_SSH_COMMAND``, an ssh agent), which it finds in the environment by itself.
"""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

TOKEN = "JETSTREAM_CONFIGURATION_TOKEN"  # noqa: S105  # the name of a variable
# The user that GitHub and GitLab ask for beside a token; GitLab takes any.
_USER_OF_TOKENS = "x-access-token"
_HIDDEN = "***"


@dataclass(frozen=True)
class Access:
    """A remote repository, and what git needs to be let in.

    Args:
        url: The URL for git's command line, where every process of the machine sees it.
        shown: The URL for messages.
        environment: Further variables for git.
        secrets: Texts that no message may hold.
    """

    url: str
    shown: str
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def without_secrets(self, text: str) -> str:
        """A text of git's, for messages."""
        for secret in self.secrets:
            text = text.replace(secret, _HIDDEN)
        return redacted(text)


def redacted(location: str) -> str:
    """A location, or a text that holds one, without user names and passwords, for messages."""
    return re.sub(r"(?<=://)[^/\s]*@", "", location)


def access_to(url: str) -> Access:
    """Access with the user and password of an http(s) URL, or else with the environment's token.

    `TOKEN` holds a token, or a user and a password with a colon between them. Other protocols
    have credentials of their own.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        return Access(url, redacted(url))
    bare = redacted(url)
    credentials = _credentials(parts.netloc.rpartition("@")[0])
    if not credentials:
        return Access(bare, bare)
    encoded = base64.b64encode(credentials.encode()).decode()
    origin = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "/", "", ""))
    header = f"Authorization: Basic {encoded}"
    password = credentials.partition(":")[2]
    secrets = tuple(secret for secret in (encoded, credentials, password) if secret)
    return Access(bare, bare, _setting(f"http.{origin}.extraHeader", header), secrets)


def _credentials(of_url: str) -> str:
    """``user:password``; empty when there is neither in the URL nor in the environment."""
    if of_url:
        user, _, password = of_url.partition(":")
        return f"{unquote(user)}:{unquote(password)}"
    token = os.environ.get(TOKEN, "").strip()
    return token if ":" in token or not token else f"{_USER_OF_TOKENS}:{token}"


def _setting(key: str, value: str) -> dict[str, str]:
    """One setting for git by variables, after those that the environment already has."""
    number = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    return {
        "GIT_CONFIG_COUNT": str(number + 1),
        f"GIT_CONFIG_KEY_{number}": key,
        f"GIT_CONFIG_VALUE_{number}": value,
    }

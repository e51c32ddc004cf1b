"""What people are told in a chat when a run or a check failed, and how it is sent there.

Belongs here: the messages in the shape that Slack's incoming webhooks take, and posting one. Does
not: when there is something to tell (`orchestration.notifications`).

Texts come from data, SQL and configuration. They are escaped, so that none of them becomes a link
or a mention of everybody. The webhook's address is a secret: whoever knows it can post. It stands
in no message, error or log.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import stamina

from jetstream_assets.errors import JetstreamError

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT_SECONDS = 10.0
_TRIES = 3
_FIRST_SERVER_ERROR = 500
_TOO_MANY_REQUESTS = 429
# Slack shows some 3,000 characters of a text; an error with its SQL may have more.
_LONGEST_REASON = 1500


class NotificationError(JetstreamError):
    """A message was not delivered."""

    may_pass = True


@dataclass(frozen=True)
class Occasion:
    """The run that a message is about.

    Args:
        slug: The experiment slug; empty where the run has several or none.
        dates: The run's dates as text, such as ``2026-03-02`` or ``2026-03-02 to 2026-03-09``.
        run_id: The run.
        ui: The address of the UI, without a slash at its end; None where it is not known.
    """

    slug: str
    dates: str
    run_id: str
    ui: str | None = None

    @property
    def told(self) -> str:
        """The experiment, the dates and a link to the run, escaped."""
        what = ", ".join(part for part in (self.slug or "several experiments", self.dates) if part)
        name = f"run {self.run_id[:8]}"
        link = f"<{self.ui}/runs/{self.run_id}|{name}>" if self.ui else name
        return f"*{escaped(what)}* ({link})"


def failure_message(occasion: Occasion, reason: str, attempts: int) -> dict[str, str]:
    """The message of a run that failed and is not tried again."""
    tried = f" after {attempts} attempts" if attempts > 1 else ""
    return {"text": f":x: {occasion.told} failed{tried}:\n{escaped(_shortened(reason))}"}


def checks_message(occasion: Occasion, failed: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The message of a run whose checks failed: their names and what each found."""
    lines = [f"• {escaped(name)}: {escaped(_shortened(found))}" for name, found in failed]
    return {"text": "\n".join([f":warning: {occasion.told}: checks failed", *lines])}


def escaped(text: str) -> str:
    """The text with what Slack would read as markup written out."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def post(url: str, message: dict[str, str], first_wait_seconds: float = 0.5) -> None:
    """Post a message; what may pass within seconds is tried again.

    Args:
        url: The webhook's address, a secret.
        message: The message.
        first_wait_seconds: The pause before the second try; the next is longer.

    Raises:
        NotificationError: It was not delivered; the error says why and not where to.
    """
    # It logs every request with its address.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        for attempt in stamina.retry_context(
            on=_is_transient,
            attempts=_TRIES,
            wait_initial=first_wait_seconds,
            wait_jitter=first_wait_seconds,
            timeout=None,
        ):
            with attempt:
                httpx.post(url, json=message, timeout=_TIMEOUT_SECONDS).raise_for_status()
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise NotificationError(f"The webhook answered with status {status}.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        kind = type(error).__name__
        raise NotificationError(f"The webhook cannot be reached ({kind}).") from None


def _is_transient(error: Exception) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status >= _FIRST_SERVER_ERROR or status == _TOO_MANY_REQUESTS
    return isinstance(error, httpx.TransportError)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]} ..."

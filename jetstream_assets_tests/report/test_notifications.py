from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.report.notifications import (
    NotificationError,
    Occasion,
    checks_message,
    escaped,
    failure_message,
    post,
)
from jetstream_assets_tests.report.webhook import SECRET, Webhook, running_webhook
from jetstream_assets_tests.ui.services import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

OCCASION = Occasion("a-slug", "2026-03-10", "0123456789abcdef", "https://ui")


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with running_webhook() as running:
        yield running


def test_a_failure_names_experiment_date_reason_and_run() -> None:
    assert failure_message(OCCASION, "metrics: no memory", attempts=3) == {
        "text": ":x: *a-slug, 2026-03-10* (<https://ui/runs/0123456789abcdef|run 01234567>) "
        "failed after 3 attempts:\nmetrics: no memory"
    }


def test_without_an_address_of_the_ui_the_run_is_named() -> None:
    message = failure_message(Occasion("", "", "0123456789abcdef"), "a crash", attempts=1)
    assert message == {"text": ":x: *several experiments* (run 01234567) failed:\na crash"}


def test_checks_are_told_in_one_message() -> None:
    text = checks_message(OCCASION, [("sample_ratio", "p < 0.001"), ("fresh", "late")])["text"]
    assert text.splitlines()[1:] == ["• sample_ratio: p &lt; 0.001", "• fresh: late"]


def test_no_text_becomes_markup() -> None:
    hostile = Occasion("<!channel>", "", "id")
    for message in (
        failure_message(hostile, "SELECT a<b && <https://evil|here>", attempts=1),
        checks_message(hostile, [("<!here>", "<@U1>")]),
    ):
        assert "<" not in message["text"]
        assert "&lt;!" in message["text"]
    assert escaped("a & b") == "a &amp; b"


def test_a_long_reason_is_shortened() -> None:
    text = failure_message(OCCASION, "x" * 100_000, attempts=1)["text"]
    assert len(text) < 2000
    assert text.endswith(" ...")


def test_a_message_is_posted(webhook: Webhook) -> None:
    post(webhook.url, {"text": "hello"})
    assert webhook.bodies == [{"text": "hello"}]


@pytest.mark.parametrize("statuses", [[500], [503, 429]])
def test_what_passes_is_posted_again(webhook: Webhook, statuses: list[int]) -> None:
    webhook.statuses = statuses
    post(webhook.url, {"text": "hello"}, first_wait_seconds=0.01)
    assert webhook.bodies == [{"text": "hello"}]
    assert webhook.statuses == []


@pytest.mark.parametrize(("statuses", "left"), [([500] * 4, 1), ([404] * 4, 3)])
def test_what_does_not_pass_is_an_error_without_the_address(
    webhook: Webhook, statuses: list[int], left: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    webhook.statuses = statuses
    with pytest.raises(NotificationError, match=f"status {statuses[0]}") as raised:
        post(webhook.url, {"text": "hello"}, first_wait_seconds=0.01)
    assert len(webhook.statuses) == left
    assert SECRET not in str(raised.value)
    assert SECRET not in caplog.text


def test_an_address_where_nothing_listens_is_an_error() -> None:
    with pytest.raises(NotificationError, match="cannot be reached") as raised:
        post(f"http://127.0.0.1:{free_port()}/{SECRET}", {"text": ""}, first_wait_seconds=0.01)
    assert SECRET not in str(raised.value)
    with pytest.raises(NotificationError, match="cannot be reached") as raised:
        post(f"not an address {SECRET}", {"text": ""}, first_wait_seconds=0.01)
    assert SECRET not in str(raised.value)

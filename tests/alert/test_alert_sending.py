"""The receivers over a real wire: what is sent, and what each answer means."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import hmac
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness import __version__
from spanwitness.alert import Alert, Outcome
from spanwitness.alert.sending import outcome, receivers
from spanwitness.alert.settings import AlertSettings
from spanwitness.testing import EPOCH, ManualClock
from tests.alert.swaps import Answer, Listener, a_swap, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "s3cr3t"  # noqa: S105 - of this test
ALERT = Alert(a_swap(), "firing", "page", "", "d1")


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as found:
        yield found


def sent(settings: AlertSettings, *alerts: Alert, times: int = 1) -> list[Outcome]:
    """What became of each request, to whoever is configured."""

    async def send() -> list[Outcome]:
        (receiver,) = receivers(settings, ManualClock())
        try:
            return [await receiver.send(alerts or [ALERT], EPOCH) for _ in range(times)]
        finally:
            await receiver.close()

    return asyncio.run(send())


def test_a_webhook_gets_one_alert_signed_and_named(listener: Listener) -> None:
    settings = AlertSettings(webhook=f"{listener.url}/hook?key=1", secret=SECRET, headers={"x-team": "sre"})
    assert sent(settings) == [Outcome("taken")]
    (post,) = listener.posts
    assert post.path == "/hook?key=1"
    assert post.json["delivery"] == "d1"
    told = {name: post.headers.get(name) for name in ("content-type", "idempotency-key", "x-team", "user-agent")}
    assert told == {
        "content-type": "application/json",
        "idempotency-key": "d1",
        "x-team": "sre",
        "user-agent": f"spanwitness/{__version__}",
    }
    stamp = post.headers["x-spanwitness-timestamp"]
    assert stamp == str(int(EPOCH.timestamp()))
    expected = hmac.new(SECRET.encode(), stamp.encode() + b"." + post.body, hashlib.sha256).hexdigest()
    assert post.headers["x-spanwitness-signature"] == f"sha256={expected}"
    assert post.headers["x-spanwitness-delivery"] == "d1"


def test_without_a_secret_nothing_is_signed(listener: Listener) -> None:
    sent(AlertSettings(webhook=listener.url))
    assert "x-spanwitness-signature" not in listener.posts[0].headers


def test_alertmanager_gets_many_at_its_own_path_below_a_prefix(listener: Listener) -> None:
    settings = AlertSettings(alertmanager=f"{listener.url}/am")
    others = [Alert(a_swap(AgentName=name), "firing", "page", "", name) for name in "ab"]
    assert sent(settings, *others) == [Outcome("taken")]
    (post,) = listener.posts
    assert post.path == "/am/api/v2/alerts"
    assert [entry["labels"]["agent"] for entry in post.json] == ["a", "b"]


def test_a_connection_is_used_again_whatever_was_answered(listener: Listener) -> None:
    listener.answers = [Answer(500, body=b"x" * 1000), Answer(200, body=b"ok")]
    sent(AlertSettings(webhook=listener.url), times=3)
    assert (len(listener.posts), listener.connections) == (3, 1)


def test_an_endless_answer_is_not_read_to_its_end(listener: Listener) -> None:
    listener.answers = [Answer(200, body=b"x" * 10_000_000)]
    assert sent(AlertSettings(webhook=listener.url)) == [Outcome("taken")]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Outcome("taken")),
        (202, Outcome("taken")),
        (301, Outcome("refused", "status 301")),
        (400, Outcome("refused", "status 400", divisible=True)),
        (401, Outcome("refused", "status 401")),
        (404, Outcome("refused", "status 404")),
        (413, Outcome("refused", "status 413", divisible=True)),
        (408, Outcome("later", "status 408")),
        (429, Outcome("later", "status 429", away=True)),
        (500, Outcome("later", "status 500")),
        (503, Outcome("later", "status 503", away=True)),
    ],
)
def test_what_a_status_means(listener: Listener, status: int, expected: Outcome) -> None:
    listener.answers = [Answer(status, {"location": "/elsewhere"})]
    assert sent(AlertSettings(webhook=listener.url)) == [expected]
    assert len(listener.posts) == 1, "nobody is followed to another address"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("17", 17.0),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_when_to_come_back(text: str | None, seconds: float | None) -> None:
    assert outcome(429, text, EPOCH).retry_after_s == seconds


def test_a_receiver_that_does_not_answer_in_time_is_away(listener: Listener) -> None:
    gate = threading.Event()
    listener.answers = [Answer(held=gate)]
    try:
        assert sent(AlertSettings(webhook=listener.url, timeout_s=0.2)) == [
            Outcome("later", "no answer within 0.2 s", away=True)
        ]
    finally:
        gate.set()


def test_one_that_hangs_up_is_away(listener: Listener) -> None:
    listener.answers = [Answer(cut=True)]
    assert sent(AlertSettings(webhook=listener.url)) == [Outcome("later", "RemoteProtocolError", away=True)]


@pytest.mark.parametrize("which", ["webhook", "alertmanager"])
def test_one_that_is_not_there_is_away_and_its_url_is_not_told(which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings: dict[str, Any] = {which: f"http://127.0.0.1:{port}/{SECRET}"}
    assert sent(AlertSettings(**settings)) == [Outcome("later", "ConnectError", away=True)]


def test_only_who_is_configured_is_told() -> None:
    clock = ManualClock()
    assert receivers(AlertSettings(), clock) == []
    both = AlertSettings(alertmanager="http://a", webhook="http://b", resend=dt.timedelta(seconds=30))
    found = receivers(both, clock)
    assert [(one.name, one.repeat) for one in found] == [("alertmanager", both.resend), ("webhook", None)]
    assert found[0].patience == both.resend, "its alerts would run out"

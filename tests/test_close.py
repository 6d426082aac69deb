"""When a conversation is over."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.close import ClosePolicy, by_conversation, due
from spanwitness.model import OpenTrace

BEGIN = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
POLICY = ClosePolicy(
    idle=dt.timedelta(minutes=15),
    max_age=dt.timedelta(hours=24),
    end_grace=dt.timedelta(seconds=10),
    idle_by_channel={"voice": dt.timedelta(minutes=2)},
    idle_by_tenant={"hasty": dt.timedelta(seconds=30), "at-once": dt.timedelta()},
)


def after(**by: float) -> dt.datetime:
    return BEGIN + dt.timedelta(**by)


def trace(identity: str = "c", number: int = 1, **facts: Any) -> OpenTrace:
    """A trace that came whole at the beginning."""
    usual = {
        "tenant": "acme",
        "trace_id": f"t{number}",
        "conversation_id": identity,
        "source": "session.id",
        "since": BEGIN,
        "last": BEGIN,
        "start": BEGIN,
        "end": BEGIN,
    }
    return OpenTrace(**{**usual, **facts})


def reason(now: dt.datetime, *traces: OpenTrace) -> str | None:
    found = due(traces, now, POLICY)
    return found[0].reason if found else None


@pytest.mark.parametrize(
    ("seconds", "facts", "expected"),
    [
        (0, {}, None),
        (899.999, {}, None),
        (900, {}, "idle"),
        (9.999, {"ended": True}, None),
        (10, {"ended": True}, "ended"),
        (900, {"ended": True}, "ended"),
        (119, {"channel": "voice"}, None),
        (120, {"channel": "voice"}, "idle"),
        (120, {"channel": "chat"}, None),
        (29, {"tenant": "hasty"}, None),
        (30, {"tenant": "hasty"}, "idle"),
        (30, {"tenant": "hasty", "channel": "voice"}, "idle"),
        (0, {"tenant": "at-once"}, "idle"),
        (0, {"tenant": "at-once", "ended": True}, "ended"),
        (86_399, {"last": after(seconds=86_399)}, None),
        (86_400, {"last": after(seconds=86_399)}, "max_age"),
        (86_400, {"last": BEGIN}, "idle"),
        (-60, {}, None),
    ],
)
def test_a_conversation_is_over(seconds: float, facts: dict[str, Any], expected: str | None) -> None:
    assert reason(after(seconds=seconds), trace(**facts)) == expected


def test_the_newest_trace_keeps_a_conversation_open() -> None:
    old, new = trace(number=1), trace(number=2, last=after(minutes=14))
    assert reason(after(minutes=15), old, new) is None
    assert reason(after(minutes=29), old, new) == "idle"


def test_an_end_on_one_trace_waits_for_the_silence_of_all() -> None:
    ended, other = trace(number=1, ended=True), trace(number=2, last=after(seconds=9))
    assert reason(after(seconds=10), ended, other) is None
    assert reason(after(seconds=19), ended, other) == "ended"


def test_the_oldest_trace_tells_the_age() -> None:
    old = trace(number=1)
    new = trace(number=2, since=after(hours=23), last=after(hours=24))
    assert reason(after(hours=24), old, new) == "max_age"


def test_a_channel_told_by_one_trace_holds_for_all() -> None:
    assert reason(after(minutes=2), trace(number=1), trace(number=2, channel="voice")) == "idle"


def test_equal_ids_of_two_tenants_are_two_conversations() -> None:
    found = due([trace(), trace(tenant="other", last=after(minutes=10))], after(minutes=15), POLICY)
    assert [(one.tenant, one.conversation_id) for one in found] == [("acme", "c")]


def test_all_open_traces_of_a_conversation_are_closed_with_it() -> None:
    (one,) = due([trace(number=2, start=after(seconds=5)), trace(number=1)], after(hours=1), POLICY)
    assert [each.trace_id for each in one.traces] == ["t1", "t2"]


def test_conversations_come_in_order_of_their_beginning() -> None:
    late, early = trace("late", 1, start=after(seconds=5)), trace("early", 2)
    assert [one.conversation_id for one in due([late, early], after(hours=1), POLICY)] == ["early", "late"]


def test_nothing_open_is_nothing_due() -> None:
    assert due([], BEGIN, POLICY) == []


def test_the_default_is_a_quarter_of_an_hour() -> None:
    assert ClosePolicy().idle_of("anybody", "voice") == dt.timedelta(minutes=15)


@settings(deadline=None)
@given(st.permutations([trace(f"c{n % 3}", n, start=after(seconds=n % 4)) for n in range(8)]))
def test_the_order_in_which_traces_come_decides_nothing(traces: list[OpenTrace]) -> None:
    expected = by_conversation(sorted(traces, key=lambda one: one.trace_id))
    assert list(by_conversation(traces).items()) == list(expected.items())

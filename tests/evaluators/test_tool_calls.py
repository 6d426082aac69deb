"""Calls and their results; arguments in one spelling."""

from __future__ import annotations

import pytest

from spanwitness.evaluators.calls import agent_actions, canonical, result_failed, shown
from spanwitness.model import Message, ToolCall


def asks(*calls: tuple[str, str], role: str = "assistant") -> Message:
    made = tuple(ToolCall(call_id, name) for call_id, name in calls)
    return Message("user" if role == "user" else "assistant", "", made)


def told(content: str, call_id: str = "") -> Message:
    return Message("tool", content, tool_call_id=call_id)


def paired(*messages: Message) -> list[tuple[str, str | None]]:
    return [(a.call.name, a.result.content if a.result else None) for a in agent_actions(messages)]


def test_results_go_to_their_calls_by_id_in_any_order() -> None:
    assert paired(asks(("1", "a"), ("2", "b")), told("B", "2"), told("A", "1")) == [("a", "A"), ("b", "B")]


def test_an_id_used_twice_takes_its_results_in_order() -> None:
    talk = (asks(("1", "a")), told("first", "1"), asks(("1", "a")), told("second", "1"))
    assert paired(*talk) == [("a", "first"), ("a", "second")]


def test_results_without_an_id_go_to_the_oldest_waiting_call() -> None:
    assert paired(asks(("", "a"), ("", "b")), told("A"), told("B"), told("C")) == [("a", "A"), ("b", "B")]


def test_a_result_of_an_unknown_id_belongs_to_nobody() -> None:
    assert paired(asks(("1", "a")), told("?", "9")) == [("a", None)]


def test_a_result_without_an_id_leaves_no_second_claim_on_its_call() -> None:
    assert paired(asks(("1", "a")), told("A"), told("again", "1")) == [("a", "A")]


def test_the_customers_own_calls_take_their_results_and_are_not_the_agents() -> None:
    talk = (asks(("", "reboot"), role="user"), told("rebooted"), asks(("", "resume_line")), told("resumed"))
    assert paired(*talk) == [("resume_line", "resumed")]


@pytest.mark.parametrize(
    ("content", "failed"),
    [
        ("Error: no such order", True),
        ("  error - timed out", True),
        ("[ERROR] no", True),
        ("Traceback (most recent call last):", True),
        ("Failed to book", True),
        ('{"error": "no such order"}', True),
        ('{"status": "failed", "id": 4}', True),
        ('{"success": false}', True),
        ('{"isError": true, "content": []}', True),
        ('{"error": null, "id": 4}', False),
        ('{"success": true}', False),
        ('{"status": "delivered", "errors_seen": 0}', False),
        ("No errors were found", False),
        ("Errors: none", False),
        ("", False),
        ('{"error": ' + "[" * 10_000, False),
        ('{"error": "x", "pad": "' + "x" * 70_000 + '"}', False),
    ],
)
def test_a_result_says_by_itself_that_the_call_failed(content: str, failed: bool) -> None:
    assert result_failed(told(content)) is failed


def test_the_mark_of_a_failed_result_outweighs_its_words() -> None:
    assert result_failed(Message("tool", "ok", error=True))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1, "b": [2, 1]}', '{"b":[1,2],"a":1.0}'),
        ('{"city": "New  York "}', '{"city": "new york"}'),
        ('[{"x": 1}, {"y": 2}]', '[{"y": 2}, {"x": 1}]'),
        ("not  JSON", "Not json"),
        ("", " "),
    ],
)
def test_arguments_that_mean_the_same_are_spelled_the_same(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1}', '{"a": 2}'),
        ('{"a": 1}', '{"a": "1"}'),
        ('{"a": 1}', '{"a": true}'),
        ('{"a": null}', "{}"),
        ('["a", "b"]', '["a,b"]'),
        ('{"a": {"b": 1}}', '{"a": 1, "b": 1}'),
    ],
)
def test_arguments_that_differ_are_kept_apart(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize("odd", ["[" * 100_000, "1" * 10_000, "NaN", "1e400", "\ud800"])
def test_arguments_that_cannot_be_read_are_compared_as_text(odd: str) -> None:
    assert canonical(odd) == canonical(odd)


def test_a_tools_name_is_shown_short_and_storable() -> None:
    assert shown("cancel_order") == "cancel_order"
    assert len(shown("x" * 500)) == 64
    assert shown("a\ud800\nb").isprintable()
    assert shown("\ud800").encode()

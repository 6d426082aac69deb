"""Messages put apart, and how little is looked at of huge ones."""

from __future__ import annotations

from spanwitness.drift import reading
from spanwitness.drift.reading import MOST_CALLS, MOST_MESSAGES, MOST_OF_A_MESSAGE, MOST_TEXT, as_text, number, read


def test_roles_are_put_apart() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": " Here. \n", "finish_reason": "stop"},
        {"role": "tool", "content": "cut", "length": 900},
    ]
    found = read({"messages": messages})
    assert (found.system, found.users, found.sizes, found.results) == ("Be brief.", ["Where?"], [6], [900])
    assert [(call.text, call.finish, call.new_input) for call in found.calls] == [("Here.", "stop", 15)]


def test_a_huge_conversation_is_looked_at_in_part() -> None:
    answer = {"role": "assistant", "content": "x" * 50_000, "tool_calls": [{"name": "f"}] * 1_000}
    found = read({"messages": [{"role": "user", "content": "y" * 50_000}] + [answer] * 5_000})
    assert len(found.calls) == MOST_MESSAGES - 1
    assert len(found.users[0]) == len(found.calls[0].text) == MOST_OF_A_MESSAGE
    assert found.sizes == [50_000]
    assert sum(len(call.text) for call in found.calls) == MOST_TEXT
    assert len(found.calls[0].tools) == MOST_CALLS


def test_numbers_must_be_sane() -> None:
    assert number(3) == number(3.0) == 3
    for odd in (None, "3", True, -1, float("nan"), float("inf"), 10**30):
        assert number(odd, -7) == -7


def test_arguments_of_any_kind_have_a_text() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert as_text({"a": [1]}) == '{"a": [1]}'
    assert as_text('{"a":1}') == '{"a":1}'
    assert as_text(None) == as_text({1, 2}) == as_text(endless) == ""
    assert reading.size_of("four") == 4

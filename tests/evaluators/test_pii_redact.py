"""Redaction: nothing found is left, one value has one placeholder, JSON stays JSON, twice is as once."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.evaluators.pii_find import find
from spanwitness.evaluators.pii_redact import Seen, redact, redact_conversation, redact_json
from spanwitness.model import Conversation, Document, Message, ToolCall

CARD, OTHER_CARD, EMAIL, PHONE = "4111 1111 1111 1111", "5555 5555 5555 4444", "jo@example.com", "555-123-2002"


def test_the_same_value_has_the_same_placeholder_in_whatever_spelling() -> None:
    text = f"{CARD}, {OTHER_CARD}, 4111111111111111; {EMAIL} or JO@EXAMPLE.COM; +1 (555) 123-2002 or {PHONE}"
    assert redact(text) == (
        "<CREDIT_CARD_1>, <CREDIT_CARD_2>, <CREDIT_CARD_1>; <EMAIL_ADDRESS_1> or <EMAIL_ADDRESS_1>; "
        "<PHONE_NUMBER_1> or <PHONE_NUMBER_1>"
    )


def test_what_was_seen_in_one_text_is_known_in_the_next() -> None:
    seen: Seen = {}
    assert redact(f"a {EMAIL} b", seen) == "a <EMAIL_ADDRESS_1> b"
    assert redact(f"x@example.org, {EMAIL}", seen) == "<EMAIL_ADDRESS_2>, <EMAIL_ADDRESS_1>"


def test_a_placeholder_tells_nothing_of_the_number_beside_it() -> None:
    text = "call 4673395 1234567, card 675984103431 675984103439 " + "x" * 30 + " 4673395"
    assert redact(f"{PHONE} 4673395 {CARD} 675984103431") == "<PHONE_NUMBER_1> 4673395 <CREDIT_CARD_1> 675984103431"
    assert redact(text).endswith(" 4673395")


def test_a_text_without_values_is_the_same_object() -> None:
    text = "Flight 12 leaves at 10:30 on 2024-05-15."
    assert redact(text) is text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"phone": "4673395"}, {"phone": "<PHONE_NUMBER_1>"}),
        ({"phoneNumber": 5551232002}, {"phoneNumber": "<PHONE_NUMBER_1>"}),
        ({"card": 4111111111111111, "n": -12.5}, {"card": "<CREDIT_CARD_1>", "n": -12.5}),
        ({"user": {"ssn": ["536228145", 3]}}, {"user": {"ssn": ["<US_SSN_1>", 3]}}),
        ({EMAIL: 1}, {"<EMAIL_ADDRESS_1>": 1}),
        ({"password": "hunter22"}, {"password": "<SECRET_1>"}),
        ({"note": "call\n4673395 \u0664"}, {"note": "call\n<PHONE_NUMBER_1> \u0664"}),
        ({"a": "call me at", "b": 4673395}, {"a": "call me at", "b": "<PHONE_NUMBER_1>"}),
        ({"a": f"\n{EMAIL}"}, {"a": "\n<EMAIL_ADDRESS_1>"}),
        ({"a": "٤١١١١١١١١١١١١١١١"}, {"a": "<CREDIT_CARD_1>"}),
    ],
)
def test_json_stays_json_and_its_keys_tell_what_a_value_is(given: object, expected: object) -> None:
    assert json.loads(redact_json(json.dumps(given))) == expected
    assert json.loads(redact_json(json.dumps(given, ensure_ascii=False))) == expected


def test_a_key_that_says_it_is_something_else_is_believed() -> None:
    text = '{"order_id": "123-456-7890", "n": "123-456-7891"}'
    assert redact_json(text) == '{"order_id": "123-456-7890", "n": "<PHONE_NUMBER_1>"}'


def test_an_escape_that_reads_like_part_of_an_address_costs_its_string_and_not_the_json() -> None:
    text = '{"a": "\\n@example.com", "b": 1}'
    assert find(text), "the letter of the escape is read as the local part"
    assert json.loads(redact_json(text)) == {"a": "<EMAIL_ADDRESS_1>", "b": 1}


def test_json_without_values_keeps_every_character() -> None:
    text = '{"n": 1.50, "n": 1e3,\n "big": ' + "7" * 5000 + "}"
    assert redact_json(text) == text


@pytest.mark.parametrize("text", [f"Error: no {EMAIL}", f'{{"a": "{EMAIL}"', "[" * 100_000 + f'"{EMAIL}"'])
def test_what_is_no_json_is_redacted_as_text(text: str) -> None:
    assert redact_json(text) == text.replace(EMAIL, "<EMAIL_ADDRESS_1>")


def test_a_conversation_is_redacted_throughout_with_one_numbering() -> None:
    talk = Conversation(
        messages=(
            Message("user", f"I am {EMAIL}"),
            Message("assistant", "", (ToolCall("1", "find_user", json.dumps({"email": EMAIL, "n": 3})),)),
            Message("tool", json.dumps({"phone": 5551232002}), tool_call_id="1", name="find_user"),
            Message("assistant", f"Is it {PHONE}?"),
        ),
        tenant="acme",
        system_prompt=f"Hotline {PHONE}",
        documents=(Document(f"Write to {EMAIL}", json.dumps({"by": EMAIL})),),
    )
    clean = redact_conversation(talk)
    assert clean.system_prompt == "Hotline <PHONE_NUMBER_1>"
    assert [message.content for message in clean.messages] == [
        "I am <EMAIL_ADDRESS_1>",
        "",
        '{"phone": "<PHONE_NUMBER_1>"}',
        "Is it <PHONE_NUMBER_1>?",
    ]
    assert clean.messages[1].tool_calls == (ToolCall("1", "find_user", '{"email": "<EMAIL_ADDRESS_1>", "n": 3}'),)
    assert clean.documents == (Document("Write to <EMAIL_ADDRESS_1>", '{"by": "<EMAIL_ADDRESS_1>"}'),)
    assert (clean.tenant, clean.messages[2].name) == ("acme", "find_user")
    assert redact_conversation(clean) == clean


def test_results_that_tell_the_same_again_are_redacted_as_if_each_stood_alone() -> None:
    """What was worked out for one key is not taken for another's, nor what stood last in one result for the next."""
    results = (
        '{"n": 4673395}',
        '{"phone": 4673395}',
        "4673395",
        '{"phone": 4673395, "n": 4673395}',
        '{"n": "4673395"}',
    )
    talk = Conversation(tuple(Message("tool", each) for each in results * 2), system_prompt="Write to jo@example.com.")
    seen: Seen = {}
    clean = redact_conversation(talk, seen)
    assert [message.content for message in clean.messages] == [redact_json(each) for each in results * 2]
    assert redact_conversation(talk, seen) == clean
    assert clean.system_prompt == "Write to <EMAIL_ADDRESS_1>."


pieces = st.sampled_from(
    [
        CARD,
        "GB82WEST12345698765432",
        "536-22-8145",
        EMAIL,
        PHONE,
        "call ",
        "1234567",
        "password is a1b2c3 ",
        "::1",
        "\\",
        '"',
    ]
)
numbers = st.sampled_from([4111111111111111, 5551232002, 1234567, 1.5, -5551232002])
texts = st.lists(
    st.one_of(
        pieces, st.text(st.characters(exclude_categories=()), max_size=8), st.text("0123456789 -.+()@:", max_size=20)
    ),
    max_size=8,
).map("".join)
keys = st.one_of(st.sampled_from(["phone", "card", "ssn", "password", "cardNumber", "n"]), texts)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@given(text=texts)
@settings(deadline=None, max_examples=200)
def test_nothing_found_is_left_and_twice_is_as_once(text: str) -> None:
    clean = redact(text)
    assert find(clean) == []
    assert redact(clean) == clean


@given(value=values, escaped=st.booleans())
@settings(deadline=None, max_examples=200)
def test_json_of_any_kind_stays_json_with_nothing_left(value: object, escaped: bool) -> None:
    clean = redact_json(json.dumps(value, ensure_ascii=escaped))
    assert find(clean) == []
    assert redact_json(clean) == clean
    json.loads(clean)

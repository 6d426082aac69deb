"""Who supplied a value, and from which call on the customer is known."""

from __future__ import annotations

import json

import pytest

from spanwitness.evaluators.pii_find import find
from spanwitness.evaluators.pii_source import Supplied, authenticated_after
from spanwitness.model import Message, ToolCall

ASKS = Message("user", "I am jo@example.com, zip 19122, phone (555) 123-2002, user mia_li_3668.")


def supplied(text: str) -> Supplied:
    known = Supplied(domains=("example.org", "@help.example"))
    known.add(text, find(text))
    return known


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("EMAIL_ADDRESS", "JO@example.com"),
        ("PHONE_NUMBER", "+1 555 123 2002"),
        ("PHONE_NUMBER", "123-2002"),
        ("CREDIT_CARD", "4111 1111 1111 1111"),
        ("SECRET", "hunter22"),
        ("EMAIL_ADDRESS", "info@example.org"),
        ("EMAIL_ADDRESS", "info@mail.example.org"),
        ("EMAIL_ADDRESS", "a@help.example"),
    ],
)
def test_a_value_is_known_in_any_spelling_also_where_no_word_said_what_it_is(kind: str, value: str) -> None:
    assert supplied("jo@example.com 5551232002, 4111111111111111; hunter22").holds(kind, value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("EMAIL_ADDRESS", "bo@example.com"),
        ("EMAIL_ADDRESS", "info@notexample.org"),
        ("PHONE_NUMBER", "555-123-2003"),
        ("SECRET", "hunter"),
    ],
)
def test_another_value_is_not(kind: str, value: str) -> None:
    assert not supplied("jo@example.com 5551232002 hunter22").holds(kind, value)


def after(
    name: str,
    result: str | None,
    given: dict[str, object] | None = None,
    *,
    error: bool = False,
    tools: tuple[str, ...] = (),
) -> int:
    """Where the customer is authenticated by this call, which is message 1 of 3."""
    call = ToolCall("1", name, json.dumps(given or {}))
    answer = Message("tool", result or "", tool_call_id="1" if result is not None else "9", error=error)
    return authenticated_after((ASKS, Message("assistant", "", (call,)), answer), tools)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("authenticate", {}),
        ("crm__login_user", {}),
        ("verify_identity", {"pin": "1"}),
        ("verifyCustomer", {}),
        ("check_pin", {}),
        ("get_user_details", {"user_id": "mia_li_3668"}),
        ("find_user_by_zip", {"who": {"zip": 19122}}),
        ("get_customer_by_phone", {"phone": ["555-123-2002"]}),
        ("lookup_account", {"email": "jo@example.com"}),
    ],
)
def test_what_authenticates(name: str, given: dict[str, object]) -> None:
    assert after(name, '{"name": "Jo"}', given) == 1


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("verify_address", {}),
        ("authorize_payment", {}),
        ("check_order", {"zip": "19122"}),
        ("get_order_details", {"id": "mia_li_3668"}),
        ("get_user_details", {"user_id": "li_3669"}),
        ("get_user_details", {"age": "I", "all": True}),
        ("update_user", {"email": "jo@example.com"}),
        ("get_user_details", {}),
    ],
)
def test_what_does_not(name: str, given: dict[str, object]) -> None:
    assert after(name, '{"name": "Jo"}', given) == 3


@pytest.mark.parametrize(
    "result",
    [
        '{"verified": false}',
        '{"success": false}',
        "Error: none",
        "User not found",
        "No such user",
        "null",
        "[]",
        "",
        "false",
    ],
)
def test_a_result_that_says_no_authenticates_nobody(result: str) -> None:
    assert after("verify_identity", result) == 3


def test_an_error_does_not_and_a_result_that_was_not_recorded_does() -> None:
    assert after("verify_identity", "ok", error=True) == 3
    assert after("verify_identity", None) == 1


def test_a_long_record_is_no_refusal_for_a_word_in_it() -> None:
    assert after("verify_identity", "Notes: delivery denied. " + "x" * 300) == 1


def test_a_declared_tool_authenticates() -> None:
    assert after("otp_roundtrip", "ok") == 3
    assert after("otp_roundtrip", "ok", tools=("otp_roundtrip",)) == 1


def test_what_the_customer_says_afterwards_proves_nothing() -> None:
    call = Message("assistant", "", (ToolCall("1", "get_user", '{"email": "jo@example.com"}'),))
    assert authenticated_after((call, Message("tool", "Jo", tool_call_id="1"), ASKS)) == 3

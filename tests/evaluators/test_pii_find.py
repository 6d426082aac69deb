"""Finding personal data: each kind, what is none, other scripts, and that no text is too strange."""

from __future__ import annotations

import sys
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.evaluators.pii_find import KINDS, digit_runs, find, normal

# Published test numbers of the card schemes and IBAN registry examples; 555 and 0100 numbers are fictitious.
CARD = "4111 1111 1111 1111"
IBAN = "GB82 WEST 1234 5698 7654 32"
WIDE = "\u2212".join("".join(chr(ord(digit) + 0xFEE0) for digit in part) for part in ("03", "1234", "5678"))


def found(text: str) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for kind, start, end in find(text)]


@pytest.mark.parametrize(
    "card",
    [
        "4111111111111111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        CARD,
        "3782 822463 10005",
        "378282246310005",
        "30569309025904",
        "4222222222222",
        "6304000000000000",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    ],
)
def test_cards_in_the_ways_they_are_written(card: str) -> None:
    assert found(f"It is {card}.") == [("CREDIT_CARD", card)]


def test_a_card_is_found_among_other_groups() -> None:
    assert found(f"1234 {CARD}") == [("CREDIT_CARD", CARD)]
    assert found(f"{CARD} 22") == [("CREDIT_CARD", CARD)]


def test_a_short_card_needs_a_word_that_says_so() -> None:
    assert found("My card 675984103431.") == [("CREDIT_CARD", "675984103431")]
    assert found("It is 675984103431.") == []


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # fails Luhn
        "0000 0000 0000 0000",
        "41111111111111111111111",
        "W4111111111111111",
        "credit_card_4111111111111111",
        "**** **** **** 1111",
        "4111 11** **** 1111",
        "XXXX-XXXX-XXXX-1111",
    ],
)
def test_numbers_that_are_no_card_and_masked_ones(text: str) -> None:
    assert [kind for kind, _ in found(text) if kind == "CREDIT_CARD"] == []


@pytest.mark.parametrize("iban", [IBAN, "GB82WEST12345698765432", "de89370400440532013000", "NO93 8601 1117 947"])
def test_ibans(iban: str) -> None:
    assert found(f"Pay to {iban} please now") == [("IBAN_CODE", iban)]
    assert found(f"Account AB12 {iban}")[-1] == ("IBAN_CODE", iban)


@pytest.mark.parametrize("text", ["GB83WEST12345698765432", "ZZ82WEST12345698765432", "GB82 WEST 1234 5698 7654 3"])
def test_what_fails_the_check_or_the_length_of_the_country_is_no_iban(text: str) -> None:
    assert "IBAN_CODE" not in dict(found(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Write to jo.li+x@mail.example.com.", "jo.li+x@mail.example.com"),
        ("<JO@EXAMPLE.COM>", "JO@EXAMPLE.COM"),
        ("büro@müller.example", "büro@müller.example"),
        ("jo\uff20example\uff0ecom", "jo\uff20example\uff0ecom"),
        ('{"email":"jo@example.com"}', "jo@example.com"),
    ],
)
def test_email_addresses(text: str, value: str) -> None:
    assert found(text) == [("EMAIL_ADDRESS", value)]


@pytest.mark.parametrize(
    "text", ["@handle", "a@b", "a@b.1", "y****@example.com", "y***.****7301@example.com", "3 @ 4.50"]
)
def test_what_is_no_email_address(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("address", ["203.0.113.9", "10.0.0.7", "2001:db8::8a2e:370:7334", "::ffff:203.0.113.9"])
def test_ip_addresses(address: str) -> None:
    assert found(f"from {address}, today") == [("IP_ADDRESS", address)]


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "version 10.4.2.1", "v1.2.3.4", "300.1.1.1", "1.2.3.4.5", "12:34:56", "::", "std::a1", "::1"]
)
def test_what_is_no_address_of_a_persons_device(text: str) -> None:
    assert found(text) == []


def test_ssns_by_dashes_or_by_a_word() -> None:
    assert found("It is 536-22-8145.") == [("US_SSN", "536-22-8145")]
    assert found("My SSN is 536228145.") == [("US_SSN", "536228145")]
    assert found("social security number 536 22 8145") == [("US_SSN", "536 22 8145")]
    assert found("It is 536228145.") == []
    assert found("It is 936-22-8145, 666-22-8145 or 536-00-8145.") == []


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("بطاقتي ٤١١١١١١١١١١١١١١١", "CREDIT_CARD", "٤١١١١١١١١١١١١١١١"),
        ("मेरा फ़ोन ०९८७६५४३२१", "PHONE_NUMBER", "०९८७६५४३२१"),
        (f"電話{WIDE}です", "PHONE_NUMBER", WIDE),
        ("It is 4111\u20111111\u20111111\u20111111.", "CREDIT_CARD", "4111\u20111111\u20111111\u20111111"),
        ("It is \u206641\u200b11111111111111\u2069.", "CREDIT_CARD", "41\u200b11111111111111"),
    ],
)
def test_digits_of_any_script_at_their_place_in_the_text_as_given(text: str, kind: str, value: str) -> None:
    assert found(text) == [(kind, value)]


def test_entities_stand_in_order_and_do_not_overlap() -> None:
    text = f"Call +44 20 7946 0958, IBAN {IBAN}, card {CARD}, jo@example.com from 203.0.113.9, password is Xy7zzzzz"
    entities = find(text)
    assert sorted(kind for kind, _, _ in entities) == sorted({*KINDS} - {"US_SSN"})
    assert all(a.end <= b.start for a, b in pairwise(entities))


def test_a_text_without_digit_or_at_sign_holds_nothing() -> None:
    assert find("My password is swordfish, call me!") == []


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("CREDIT_CARD", CARD, "4111-1111-1111-1111"),
        ("IBAN_CODE", IBAN, "gb82west12345698765432"),
        ("EMAIL_ADDRESS", "Jo@Example.com", "jo@example.com"),
        ("PHONE_NUMBER", "+44 20 7946 0958", "020 7946 0958"),
        ("PHONE_NUMBER", "555-123-2002 ext. 7", "(555) 123.2002"),
        ("PHONE_NUMBER", "٥٥٥١٢٣٢٠٠٢", "555 123 2002"),
        ("IP_ADDRESS", "2001:DB8::1", "2001:db8:0::1"),
        ("SECRET", "\uff21b1", "Ab1"),
    ],
)
def test_one_value_has_one_spelling(kind: str, one: str, other: str) -> None:
    assert normal(kind, one) == normal(kind, other)


def test_numbers_are_read_without_what_parts_them() -> None:
    assert list(digit_runs("19122 5551232002, and ٠٦١٢٣٤٥٦٧٨")) == [
        "191225551232002",
        "5551232002",
        "0612345678",
        "0612345678",
    ]


pieces = st.sampled_from(
    [
        CARD,
        IBAN,
        "536-22-8145",
        "jo@example.com",
        "+44 20 7946 0958",
        "call 1234567",
        "password: a1b2c3",
        "::1",
        "1.2.3.4",
    ]
)
strange = st.text(st.characters(exclude_categories=()), max_size=30)


@given(text=st.lists(st.one_of(pieces, strange, st.text("0123456789 -.+()@:/x", max_size=40))).map("".join))
@settings(deadline=None, max_examples=300)
def test_whatever_the_text_the_places_are_in_it_and_every_value_has_a_spelling(text: str) -> None:
    end = 0
    for entity in find(text):
        assert end <= entity.start < entity.end <= len(text)
        assert normal(entity.kind, text[entity.start : entity.end])
        end = entity.end


def test_the_decimal_digits_of_every_script_are_read() -> None:
    every = list(filter(str.isdecimal, map(chr, range(sys.maxunicode + 1))))
    assert normal("CREDIT_CARD", "".join(every)) == "".join(str(unicodedata.decimal(digit)) for digit in every)

"""Phone numbers: the stricter setting, the shapes that are none, and the word that decides."""

from __future__ import annotations

import pytest

from spanwitness.evaluators.pii_find import find
from spanwitness.evaluators.pii_phone import significant


def phones(text: str) -> list[str]:
    return [text[start:end] for kind, start, end in find(text) if kind == "PHONE_NUMBER"]


@pytest.mark.parametrize(
    "number",
    [
        "+1-202-555-0143",
        "+46 (0)8 928 571 38",
        "+442079460958",
        "001-518-640-0854",
        "(579)888-3058",
        "930.167.3943",
        "0494 92 82 32",
        "21 284 698 2548",
        "(978)645-9740x11144",
        "202-555-0143 ext. 12",
    ],
)
def test_a_plus_or_nine_digits_in_groups_are_enough(number: str) -> None:
    assert phones(f"It is {number}, yes") == [number]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("You can call 467 3395", "467 3395"),
        ("my number is 5551234567", "5551234567"),
        ('{"phone_number": "5551234567"}', "5551234567"),
        ("61 51 810 office", "61 51 810"),
        ("Meine Telefonnummer: 6512345", "6512345"),
        ("我的电话是13812345678", "13812345678"),
        ("Call us about order 123, or dial 467 3395", "467 3395"),
    ],
)
def test_fewer_digits_need_a_word(text: str, number: str) -> None:
    assert phones(text) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "It is 467 3395.",
        "The item is 1096508426.",
        '"item_id": "1096508426"',
        "Call us about order 5551234567.",
        "Tracking 125 736 406 312",
        "It costs $1234567890",
        "on 2024-05-15 or 2024-05-27/28 or 15/05/2024, call",
        "call before 12/31/2025",
        "1.234.567.890",
        "17031 2202 Rissik St",
        "ZIP 85273-1234",
        "936-22-8145",
        "+1 234",
        "+999 1234 5678",
        "order #5551234567",
        "*** *** 2002 is your mobile",
        "Call 911",
        "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7",
    ],
)
def test_what_is_no_phone_number(text: str) -> None:
    assert phones(text) == []


def test_several_in_one_text_each_at_its_place() -> None:
    text = "078 6657 2626 office\n223-087-9502 fax\n(764)722-5949 mobile"
    assert phones(text) == ["078 6657 2626", "223-087-9502", "(764)722-5949"]


def test_a_number_ends_before_another_that_follows_it() -> None:
    assert phones("202-555-0143 4673395") == ["202-555-0143"]
    assert phones("+44 20 7946 0958 12345 ext 3") == ["+44 20 7946 0958"]


def test_what_two_spellings_have_in_common() -> None:
    assert significant("+44 20 7946 0958") == significant("020 7946 0958 x12") == "079460958"
    assert significant("467 3395") == "4673395"

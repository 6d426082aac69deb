"""Figures: what is read as one, and where it is traced to."""

from __future__ import annotations

import pytest

from spanwitness.evaluators.figures import Record, checked, figures_in


def kinds(text: str) -> list[tuple[str, str]]:
    return [(figure.kind, text[figure.start : figure.end]) for figure in figures_in(text)]


def lost(record: Record, said: str) -> list[str]:
    return [said[figure.start : figure.end] for figure in record.told(said)[1]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$1,234.50 and 1.234,50 €", [("amount", "1,234.50"), ("amount", "1.234,50")]),
        ("20 dollars for 20 people", [("amount", "20"), ("number", "20")]),
        ("2024-05-14T09:52:38", [("date_or_range", "2024-05-14"), ("time", "09:52:38")]),
        ("at 4 PM, not 16:30", [("time", "4"), ("time", "16:30")]),
        ("5GB by the 19th", [("number", "5"), ("number", "19")]),
        ("HAT069, #W2806889, 59XX6W", [("identifier", "HAT069"), ("identifier", "W2806889"), ("identifier", "59XX6W")]),
        ("gift_card_8020792", [("identifier", "gift_card_8020792")]),
        ("an MP3 within_24_hours", []),
        ("价格100元", [("number", "100")]),
        ("١٢٣", [("number", "١٢٣")]),
        ("555-123-2002", [("date_or_range", "555-123-2002")]),
        ("", []),
    ],
)
def test_what_is_a_figure(text: str, found: list[tuple[str, str]]) -> None:
    assert kinds(text) == found


@pytest.mark.parametrize(
    "said",
    [
        "1. Your name\n2) Your number\n  - 12. Your street",
        "You have 3 orders and 10 items.",
        "It takes 5-7 business days.",
        "Your user id (e.g. sara_doe_496, or 12345)?",
        "For example 2024-05-16",
        "We are here 24/7, and it is 100% refundable.",
        '{"message": "First:\\n11) your name"}',
    ],
)
def test_what_claims_nothing_is_not_checked(said: str) -> None:
    assert not list(checked(said))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('{"price": 1234.5}', "It costs $1,234.50."),
        ('{"at": "16:30:00"}', "It leaves at 4:30 PM."),
        ('{"at": "00:15"}', "It leaves at 12:15 am."),
        ("I would like 4:30 p.m.", "At 16:30 then."),
        ('{"date": "2024-05-19"}', "On May 19th, 2024."),
        ('{"date": "2024-05-19"}', "On 19/05/2024."),
        ('{"phone": "555-123-2002"}', "I see 5551232002."),
        ('{"order_id": "#W2806889"}', "Order w2806889 is sent."),
        ('{"flight": "HAT136"}', "Flight number 136 is on time."),
        ('{"limit": 15.0}', "Your limit is 15GB."),
        ("١٢٣", "It is 123."),
        ('{"n": "0042"}', "Number 42."),
        ("1'000 or 1.000.000", "That is 1,000,000."),
        ('{"doc": "HO-3 \\u00a74.2"}', "HO-3 \xa74.2 covers it."),
        ('{"doc": "HO-3 \\\\u00a74.2"}', "HO-3 \xa74.2 covers it."),
        ('{"balance": 1234.56}', "Votre solde est de 1 234,56 \u20ac."),
        ('{"balance": 12345.6}', "CHF 12'345.60"),
        ('{"balance": 1234.56}', "\u0661\u066c\u0662\u0663\u0664\u066b\u0665\u0666"),
        ('{"price": 4500}', "\uff14\uff0c\uff15\uff10\uff10\u5186"),
        ('{"price": 1299}', "Das kostet 1.299 Euro."),
        ('{"departure": "2024-05-19T16:30:00"}', "Am 19.05.2024 um 16.30 Uhr."),
        ('{"departure": "2024-11-29"}', "On 11/29/24 or 29.11.24"),
        ('{"slot": "14:30"}', "Le technicien passe \xe0 14h30."),
        ('{"duration_minutes": 150}', "It takes 2 hours and 30 minutes."),
        ('{"apr": 0.0499, "rate": 0.125}', "Your rates are 4.99% and 12.5 percent."),
        ('{"fee_cents": 1250}', "The fee is $12.50."),
        ('{"limit": 1500000, "other": 25000}', "Your limits are $1.5 million and 25k."),
        ('{"iban": "DE89370400440532013000"}', "Your IBAN is DE89 3704 0044 0532 0130 00."),
        ('{"msisdn": "+14155550132"}', "Your number is (415) 555-0132."),
        ('{"card": "4111111111111234"}', "The card ending in 1234 is active."),
    ],
)
def test_the_same_figure_in_another_spelling_is_traced(source: str, said: str) -> None:
    record = Record()
    record.looked_up(source)
    assert record.told(said)[0] > 0
    assert lost(record, said) == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('{"price": 1234.5}', "It costs $1,234.60."),
        ('{"order_id": "#W2806889"}', "Order W2806888 is sent."),
        ('{"at": "16:30:00"}', "It leaves at 5:30 PM."),
        ('{"date": "2024-05-19"}', "On 2024-05-29."),
        ("", "We refund $250."),
        ('{"days": 20, "more": 19}', "It takes 39 days."),
        ('{"share": "50%", "price": 100}', "In all $150."),
        ('{"id": 4202497723}', "The id is 4202497724."),
        ('{"doc": "HO-3 \\u00a74.2"}', "HO-3 \xa74.3 covers it."),
        ('{"balance": 1234.56}', "Votre solde est de 1 294,56 \u20ac."),
        ('{"price": 1299}', "Das kostet 1.298 Euro."),
        ('{"departure": "2024-05-19"}', "Am 29.05.2024."),
        ('{"departure": "2024-11-29"}', "On 11/29/25"),
        ('{"slot": "14:30"}', "Le technicien passe \xe0 14h45."),
        ('{"duration_minutes": 150}', "It takes 2 hours and 35 minutes."),
        ('{"apr": 0.0499}', "Your rate is 4.89%."),
        ('{"fee_cents": 1250}', "The fee is $12.60."),
        ('{"limit": 1500000}', "Your limit is $1.6 million."),
        ('{"card": "4111111111111234"}', "The card ending in 1235 is active."),
        ('{"share": 25, "price": 80}', "With 25% off you pay $64."),
    ],
)
def test_a_figure_that_nothing_explains_is_not(source: str, said: str) -> None:
    record = Record()
    record.looked_up(source)
    assert len(lost(record, said)) == 1


@pytest.mark.parametrize(
    "said",
    [
        "The difference is $68.50.",  # 155 - 86.50
        "Together that is $241.50.",
        "For 3 passengers that is $465.",
        "You get 0.50 back, from $155 and $154.50.",
        "$155 + $86.50 + $100 = $341.50",  # the last is told, not on record: it alone is lost
    ],
)
def test_amounts_may_be_worked_out(said: str) -> None:
    record = Record()
    record.looked_up('[{"price": 155, "other": 86.50, "third": 154.50}]')
    assert lost(record, said) == (["100"] if "$100" in said else [])


@pytest.mark.parametrize("said", ["With 25% off you pay $60.", "With 8% tax that is $86.40.", "8 percent, so $6.40."])
def test_a_share_on_record_may_be_taken_of_an_amount(said: str) -> None:
    record = Record()
    record.looked_up('{"price": 80, "discount_percent": 25, "tax_rate": 0.08}')
    assert lost(record, said) == []


def test_what_was_worked_out_can_be_worked_with_and_what_was_invented_cannot() -> None:
    record = Record()
    record.looked_up('{"fare": 155, "bag": 50}')
    assert lost(record, "That is $205 for each, so $820 for the 4 of you.") == []
    assert lost(record, "Less a discount of $33.") == ["33"]
    assert lost(record, "The discount is $33.") == ["33"]


def test_results_of_an_earlier_turn_can_be_told_and_not_combined_unless_they_were_told() -> None:
    record = Record()
    record.looked_up('{"prices": [155, 1203]}')
    record.customer_spoke("And the other one?")
    assert lost(record, "Together $1358.") == ["1358"]
    assert lost(record, "They are $155 and $1203, together $1358.") == []


def test_the_customer_and_the_instructions_count_as_sources() -> None:
    record = Record()
    record.learn("Each bag costs $50; refunds take 14 days.")
    record.customer_spoke("My zip code is 19122.")
    assert lost(record, "For 19122: 14 days, and $100 for both bags.") == []


def test_no_message_costs_more_than_its_first_figures_and_no_conversation_more_than_its_searches() -> None:
    record = Record()
    assert record.told(" ".join(f"{n}.25" for n in range(100, 1_000)))[0] == 500
    for start in range(1_000, 3_000, 400):
        record.told(" ".join(f"{n}.75" for n in range(start, start + 400)))
    assert record.untried

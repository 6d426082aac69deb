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

"""Each cue on statements that have it and on near ones that do not. All statements were written for this test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spanwitness.evaluators import cues
from spanwitness.evaluators.speech import clauses

if TYPE_CHECKING:
    from collections.abc import Callable

    from spanwitness.evaluators.speech import Clause

HAS: dict[Callable[[Clause], bool], tuple[str, ...]] = {
    cues.says_failure: (
        "I was unable to change the seat.",
        "We couldn't process the payment.",
        "I'm sorry, I wasn't able to cancel it.",
        "The payment was declined.",
        "The request did not go through.",
        "That room is no longer available.",
        "All rooms are sold out.",
        "I failed to reach the bank's system.",
        "There was an error while saving your form.",
    ),
    cues.says_success: (
        "Your parcel has been sent.",
        "I've updated your address.",
        "We have now cancelled the policy.",
        "The claim is approved.",
        "Refund issued!",
        "Done.",
        "The payment went through.",
        "I was able to change the date.",
        "Your driver is on the way.",
    ),
    cues.claims_change: ("I have cancelled your policy.", "We've just refunded the amount."),
    cues.apologises: ("Sorry about that.", "My apologies.", "Unfortunately not."),
    cues.asks_to_confirm: (
        "Shall I send it?",
        "Is that correct?",
        "Please confirm the address.",
        "May I go ahead with the refund?",
    ),
    cues.promises: ("I will look into it.", "One moment.", "Which one?"),
    cues.disputes: ("No, it hasn't.", "It is still active.", "That's not true.", "It still doesn't print."),
    cues.says_still_wrong: ("It still doesn't print.", "I'm still having trouble.", "The app is not working."),
    cues.announces_handoff: (
        "I'm transferring you to a specialist.",
        "You are being connected with a human agent.",
        "I have escalated this to our claims team.",
        "I'll put you through to my supervisor.",
        "Let me connect you with a representative.",
        "Transferring to a live agent now.",
        "A human agent will be with you shortly.",
        "Since I cannot open it, I will need to connect you to a specialist who may be able to help.",
    ),
    cues.offers_handoff: ("Shall I transfer you to a colleague?", "Would you like to speak to a person?"),
    cues.refuses_handoff: (
        "I can't transfer you to anyone.",
        "I am not able to connect you to a manager.",
        "There are no agents currently available.",
    ),
    cues.asks_for_person: (
        "Let me speak to your manager!",
        "I want a real person.",
        "Can I talk to someone else?",
        "Please transfer me.",
        "Human agent please",
        "Is there a supervisor I could speak to?",
    ),
}
HAS_NOT: dict[Callable[[Clause], bool], tuple[str, ...]] = {
    cues.says_failure: (
        "They could not agree on a name.",
        "I couldn't find your account.",
        "I can not tell you the price.",
        "You cannot be charged twice.",
        "There is no fee.",
        "No problem!",
        "Es konnte nicht gebucht werden.",
    ),
    cues.says_success: (
        "Once it has been sent, you get a mail.",
        "Has it been sent?",
        "It has not been sent.",
        "Would you like it booked?",
        "Your card will be charged when it is approved.",
        "Please confirm that it is booked for two.",
        "I've confirmed that your device is covered.",
        "The office is open.",
        "Wurde storniert.",
    ),
    cues.claims_change: ("Your policy has been cancelled.", "Have I changed it?", "If I have changed it, say so."),
    cues.apologises: ("Thank you.",),
    cues.asks_to_confirm: ("How much is it?", "Here is the list."),
    cues.promises: ("Enjoy the concert.",),
    cues.disputes: ("No, that is all.", "Is it still active?", "It has not been a good week.", "Not yet."),
    cues.says_still_wrong: ("It works now.", "If it is still not there, I will call.", "Is it still not there?"),
    cues.announces_handoff: (
        "I can transfer you to a specialist.",
        "If you like, I'll connect you with an agent.",
        "Would you like me to transfer you to a human?",
        "I will transfer the amount to your account.",
        "I won't be transferring you to an agent.",
        "I will not transfer you to an agent.",
        "I recommend transferring you to a manager.",
        "Our team is happy to help.",
    ),
    cues.offers_handoff: ("I'm transferring you to a colleague.", "Shall I transfer the money?"),
    cues.refuses_handoff: ("Your phone cannot connect to the network.", "I can transfer you."),
    cues.asks_for_person: (
        "Transfer it to my savings account.",
        "I don't want to talk to a human.",
        "My travel agent booked it.",
        "Who is the manager of that store?",
    ),
}


@pytest.mark.parametrize(("cue", "text"), [(cue, text) for cue, texts in HAS.items() for text in texts])
def test_a_statement_that_has_the_cue(cue: Callable[[Clause], bool], text: str) -> None:
    assert any(map(cue, clauses(text)))


@pytest.mark.parametrize(("cue", "text"), [(cue, text) for cue, texts in HAS_NOT.items() for text in texts])
def test_a_near_statement_that_has_not(cue: Callable[[Clause], bool], text: str) -> None:
    assert not any(map(cue, clauses(text)))


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("Yes, please.", True),
        ("Sounds good to me", True),
        ("Correct. Thanks!", True),
        ("Yes, but how much is it?", False),
        ("No, Tuesday.", False),
        ("", False),
    ],
)
def test_a_yes_that_asks_nothing_back(text: str, yes: bool) -> None:
    assert cues.affirms(clauses(text)) is yes

"""Claims that the agent makes, each with the source that says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from spanwitness.evaluators.chat import conversation_of
from spanwitness.judge import QUESTIONS
from spanwitness.model import Document, Evidence, Score
from tests.judge.model_judge import call, clause, proof, said

if TYPE_CHECKING:
    from tests.judge.model_judge import Json

QUESTION = QUESTIONS["Groundedness"]
TALK = replace(
    conversation_of(
        [
            {"role": "system", "content": "Parcels over 30 kg cost 12 EUR."},
            {"role": "user", "content": "My parcel weighs 34 kg."},
            {"role": "assistant", "content": "It costs 12 EUR and arrives on Monday. We ship at noon."},
            {"role": "assistant", "content": "", "tool_calls": call("get_schedule")},
            {"role": "tool", "content": "Delivery takes place on Tuesday", "tool_call_id": "1"},
            {"role": "assistant", "content": "It will arrive on Tuesday."},
        ]
    ),
    documents=(Document("All parcels leave the depot at noon."),),
)
COSTS, ARRIVES, LATER = said(2, "It costs 12 EUR"), said(2, "arrives on Monday"), said(5, "arrive on Tuesday")
TUESDAY = said(4, "Delivery takes place on Tuesday")
PRICE = clause("Parcels over 30 kg cost 12 EUR")


def claim(words: Json, source: Json, relation: str = "supported") -> Json:
    return {"claim": words, "source": source, "why": "it says so", "relation": relation}


def score(*claims: Json) -> Score:
    return QUESTION.read({"claims": list(claims)}, TALK)


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (claim(COSTS, PRICE), 1.0),
        (claim(LATER, TUESDAY), 1.0),
        (claim(said(2, "We ship at noon"), proof("document", 0, "leave the depot at noon")), 1.0),
        (claim(said(2, "arrives on Monday"), said(1, "My parcel weighs 34 kg")), 1.0),
        (claim(COSTS, PRICE, "contradicted"), 0.0),
        (claim(COSTS, PRICE, "not_found"), 0.0),
        (claim(COSTS, clause("All parcels cost 12 EUR")), 0.0),  # invented
        (claim(COSTS, proof()), 0.0),
        (claim(ARRIVES, TUESDAY), 0.0),  # came only after the claim
        (claim(LATER, ARRIVES), 0.0),  # the agent is no source for itself
    ],
)
def test_a_claim_is_supported_by_a_source_that_stands(given: Json, number: float) -> None:
    assert score(given).score == number


def test_the_worst_message_counts() -> None:
    given = score(claim(COSTS, PRICE), claim(ARRIVES, TUESDAY), claim(LATER, TUESDAY))
    assert (given.score, given.label) == (0.5, "not_grounded")
    assert given.explanation == "2 of 3 claims supported, 0 contradicted. Of message 2, the worst of 2, 50%."
    assert given.details == {
        "claims": 3,
        "supported": 2,
        "contradicted": 0,
        "turns": [[2, 0.5], [5, 1.0]],
        "quotes": 6,
        "quotes_not_found": 0,
    }
    assert score(claim(COSTS, PRICE)).label == "grounded"


def test_claims_without_support_are_told_by_their_message() -> None:
    given = score(claim(ARRIVES, TUESDAY), claim(COSTS, PRICE), claim(LATER, TUESDAY, "contradicted"))
    assert given.evidence == (Evidence("claim_not_found", 2), Evidence("claim_contradicted", 5))
    assert given.score == 0.0


def test_a_claim_listed_twice_counts_once_and_at_its_worst() -> None:
    given = score(claim(COSTS, PRICE), claim(COSTS, PRICE, "contradicted"), claim(COSTS, PRICE))
    assert (given.details["claims"], given.score) == (1, 0.0)


@pytest.mark.parametrize("words", [said(2, "It is free of charge"), said(1, "My parcel weighs 34 kg"), proof()])
def test_what_the_agent_did_not_say_is_no_claim(words: Json) -> None:
    given = score(claim(words, PRICE))
    assert (given.score, given.status, given.label) == (None, "not_applicable", "no_claims")


def test_without_sources_or_an_agent_nothing_is_asked() -> None:
    for talk, label in (
        (replace(TALK, documents=(), messages=TALK.messages[:3]), "no_sources"),
        (replace(TALK, messages=TALK.messages[:2]), "no_answer"),
    ):
        given = QUESTION.ask(talk)
        assert isinstance(given, Score)
        assert (given.status, given.label) == ("not_applicable", label)

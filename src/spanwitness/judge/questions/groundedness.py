"""Groundedness, judged: what does the agent assert, and which source says so?"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, ClassVar, Final

from spanwitness.judge.asking import Question
from spanwitness.judge.record import plain, speaks
from spanwitness.judge.schema import PROOF, TEXT, Schema, listing, one_of, table
from spanwitness.model import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.judge.record import Place, Record
    from spanwitness.model import Conversation, Score

_TASK: Final = """
List the facts that the agent asserts in its messages, and for each the source that says the same.

"claims", one item for each fact that could be right or wrong: figures, dates, names, conditions, states of affairs, \
what was done. Leave out greetings, questions, offers, advice and what the agent says of itself.
- "claim": a proof from the agent's message that asserts it.
- "source": a proof from a document, the policy, a tool's result or a message of the customer that came before; none \
where nothing says it. Your own knowledge is no source.
- "relation": supported (the source says so, or it follows by plain arithmetic), contradicted, or not_found.
- "why": in a few words."""


class GroundednessQuestion(Question):
    """The agent's worst message: the share of its claims that a source supports, in a quote that stands there.

    The worst one, as the evaluator itself has it, so that one invention shows in a conversation of any length.
    """

    evaluator: ClassVar[str] = "Groundedness"
    version: ClassVar[str] = "judge-1"
    task: ClassVar[str] = _TASK
    schema: ClassVar[Schema] = table(
        claims=listing(
            table(claim=PROOF, source=PROOF, why=TEXT, relation=one_of("supported", "contradicted", "not_found"))
        )
    )

    def lacking(self, conversation: Conversation) -> tuple[str, str] | None:
        """See Question."""
        if not any(document.content.strip() for document in conversation.documents) and not speaks(
            conversation, "tool"
        ):
            return "no_sources", "Neither documents nor tool results are on record."
        if not speaks(conversation, "assistant"):
            return "no_answer", "Nothing that the agent said is on record."
        return None

    def verdict(self, answer: Mapping[str, Any], record: Record) -> Score:
        """See Question."""
        claims = _claims(answer, record)
        if not claims:
            return self.not_applicable("no_claims", "The judge found no assertion of the agent.", record)
        by_message: defaultdict[int, list[str]] = defaultdict(list)
        for (place, _), state in claims.items():
            by_message[place.number].append(state)
        shares = {number: states.count("supported") / len(states) for number, states in sorted(by_message.items())}
        states = list(claims.values())
        supported, contradicted = states.count("supported"), states.count("contradicted")
        worst = min(shares, key=shares.__getitem__)
        return self.completed(
            shares[worst],
            "grounded" if supported == len(states) else "not_grounded",
            f"{supported} of {len(states)} claims supported, {contradicted} contradicted. "
            f"Of message {worst}, the worst of {len(shares)}, {shares[worst]:.0%}.",
            record,
            evidence=[
                Evidence(f"claim_{state}", place.message_index)
                for (place, _), state in claims.items()
                if state != "supported"
            ],
            details={
                "claims": len(states),
                "supported": supported,
                "contradicted": contradicted,
                "turns": [[number, round(share, 4)] for number, share in shares.items()],
            },
        )


def _claims(answer: Mapping[str, Any], record: Record) -> dict[tuple[Place, str], str]:
    """Each claim that stands in a message of the agent, once, by its place and words, with what became of it."""
    found: dict[tuple[Place, str], str] = {}
    for each in answer["claims"]:
        claim = record.find(each["claim"], "agent")
        source = record.find(each["source"], "document", "policy", "tool", "customer")
        if claim is not None:
            state = _state(each["relation"], claim, source)
            key = claim, plain(each["claim"]["quote"])
            found[key] = state if found.get(key, "supported") == "supported" else found[key]
    return found


def _state(relation: str, claim: Place, source: Place | None) -> str:
    """Messages count as sources where they came before the claim."""
    later = source is not None and source.message_index is not None and source.number > claim.number
    if source is None or later:
        return "not_found"
    return relation

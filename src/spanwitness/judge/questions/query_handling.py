"""CustomerAgentQueryHandling, judged: which turns of the customer wanted something, and was each dealt with?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from spanwitness.judge.asking import Question
from spanwitness.judge.record import speaks
from spanwitness.judge.schema import INTEGER, PROOF, Schema, listing, one_of, table
from spanwitness.model import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.judge.record import Record
    from spanwitness.model import Conversation, Score

_SHARES: Final = {"handled": 1.0, "partly": 0.5, "not_handled": 0.0}
_HALF: Final = 0.5

_TASK: Final = """
Go through the customer's messages one by one, all of them, and list how each was dealt with.

"turns", one item for each message by customer:
- "message": its number.
- "wants": question, request, or nothing where it only answers, confirms, thanks or takes leave.
- "reply": a proof from the agent's next message or from a result of its calls before that which deals with it; none \
where nothing does, or where nothing is wanted.
- "handling": handled (answered or carried out, or rightly declined, and the customer need not come back to it), \
partly, or not_handled (ignored, misunderstood, wrong, or the customer has to say it again). Where nothing is wanted: \
handled."""


class QueryHandlingQuestion(Question):
    """The mean over the turns that want something: handled 1, partly 0.5, else or without a proven reply 0."""

    evaluator: ClassVar[str] = "CustomerAgentQueryHandling"
    version: ClassVar[str] = "judge-1"
    task: ClassVar[str] = _TASK
    schema: ClassVar[Schema] = table(
        turns=listing(
            table(
                message=INTEGER,
                wants=one_of("question", "request", "nothing"),
                reply=PROOF,
                handling=one_of("handled", "partly", "not_handled"),
            )
        )
    )

    def lacking(self, conversation: Conversation) -> tuple[str, str] | None:
        """See Question."""
        if not speaks(conversation, "user"):
            return "no_query", "The customer asked for nothing."
        if not speaks(conversation, "assistant"):
            return "no_answer", "Nothing that the agent said is on record."
        return None

    def verdict(self, answer: Mapping[str, Any], record: Record) -> Score:
        """See Question."""
        turns = [i for i, message in enumerate(record.conversation.messages) if message.role == "user"]
        listed = {each["message"]: each for each in reversed(answer["turns"]) if each["message"] in turns}
        wanted = [i for i in turns if i in listed and listed[i]["wants"] != "nothing"]
        if not wanted:
            return self.not_applicable("no_query", "The judge found no turn that wants anything.", record)
        shares = {i: _share(listed[i], record) for i in wanted}
        good = sum(share > _HALF for share in shares.values())
        return self.completed(
            sum(shares.values()) / len(shares),
            _label(good, len(shares)),
            f"{good} of {len(shares)} turns that want something were handled.",
            record,
            evidence=[Evidence("not_handled", i) for i, share in shares.items() if share <= _HALF],
            details={
                "turns": [[i, share] for i, share in shares.items()],
                "handled": good,
                "turns_left_out": len(turns) - len(listed),
            },
        )


def _share(turn: Mapping[str, Any], record: Record) -> float:
    """What the reply proves. A reply stands after the turn that it deals with."""
    place = record.find(turn["reply"], "agent", "tool")
    return _SHARES[turn["handling"]] if place is not None and place.number > turn["message"] else 0.0


def _label(handled: int, turns: int) -> str:
    if handled in (0, turns):
        return "always" if handled else "never"
    return "frequently" if handled >= _HALF * turns else "occasionally"

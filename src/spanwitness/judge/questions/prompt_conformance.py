"""CustomerAgentPromptConformance, judged: which of the agent's instructions applied, and was each of them kept?"""

from __future__ import annotations

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
List the instructions of the policy that applied in this conversation: those that demanded or forbade something in \
what happened here. Take each by itself; one sentence may hold several. Leave out those whose occasion did not come, \
and plain background.

"clauses", those that were broken first:
- "clause": what is demanded or forbidden, and what the agent did.
- "policy": a proof from the policy.
- "conduct": a proof from the agent's message or call, or a tool's result, that shows that the instruction was kept or \
broken. Where the agent broke it by leaving something out, take the message by which it should have been done.
- "status": kept or broken. A breach needs conduct that plainly goes against the words of the policy; an \
instruction that was followed in substance is kept."""

_RULES: Final = {"kept": "clause_kept", "broken": "clause_broken", "not_proven": "clause_not_proven"}


class PromptConformanceQuestion(Question):
    """Clauses proven to be kept, out of those that applied. A breach counts where it is proven; so does keeping.

    A clause whose keeping is not proven counts as not kept. One that is said to be broken without proof does not count.
    """

    evaluator: ClassVar[str] = "CustomerAgentPromptConformance"
    version: ClassVar[str] = "judge-1"
    task: ClassVar[str] = _TASK
    schema: ClassVar[Schema] = table(
        clauses=listing(table(clause=TEXT, policy=PROOF, conduct=PROOF, status=one_of("kept", "broken")))
    )

    def lacking(self, conversation: Conversation) -> tuple[str, str] | None:
        """See Question."""
        if not conversation.system_prompt.strip():
            return "no_policy", "The agent's instructions are not on record."
        if not speaks(conversation, "assistant") and not any(message.tool_calls for message in conversation.messages):
            return "no_answer", "Nothing that the agent said or did is on record."
        return None

    def verdict(self, answer: Mapping[str, Any], record: Record) -> Score:
        """See Question."""
        found = _clauses(answer, record)
        if not found:
            return self.not_applicable("not_triggered", "No instruction that applied was proven.", record)
        states = [state for state, _ in found.values()]
        kept, broken = states.count("kept"), states.count("broken")
        return self.completed(
            kept / len(states),
            "kept" if kept == len(states) else "broken",
            f"{kept} of {len(states)} instructions that applied were kept, {broken} broken.",
            record,
            evidence=[Evidence(_RULES[state], place and place.message_index) for state, place in found.values()],
            details={"applied": len(states), "kept": kept, "broken": broken, "not_proven": states.count("not_proven")},
        )


def _clauses(answer: Mapping[str, Any], record: Record) -> dict[str, tuple[str, Place | None]]:
    """Each clause that stands in the policy once, by its words, the worst that was proven of it first."""
    found: dict[str, tuple[str, Place | None]] = {}
    for each in sorted(answer["clauses"], key=lambda clause: clause["status"] != "broken"):
        clause = record.find(each["policy"], "policy")
        conduct = record.find(each["conduct"], "agent", "tool")
        if clause is None or (each["status"] == "broken" and conduct is None):
            continue
        state = each["status"] if conduct else "not_proven"
        found.setdefault(plain(each["policy"]["quote"]), (state, conduct))
    return found

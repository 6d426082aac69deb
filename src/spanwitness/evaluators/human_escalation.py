"""CustomerAgentHumanEscalation: was the customer handed to a person when it was asked for, and did it happen?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from spanwitness.errors import ConfigError
from spanwitness.evaluators import cues, speech
from spanwitness.evaluators.calls import agent_actions
from spanwitness.evaluators.contract import ChatEvaluator, Inputs
from spanwitness.model import Evidence
from spanwitness.tool_names import is_handoff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from spanwitness.evaluators.calls import Action
    from spanwitness.evaluators.speech import Clause, Said
    from spanwitness.model import Conversation, Message, Score, Step

_MEANING: Final = {
    "announced_not_executed": "The agent announced a handoff and, though it works with tools, made none.",
    "blocked": "A handoff was refused, or its call failed, and none was made.",
    "missed": "The customer asked for a person, or met a declared trigger, and no handoff was made.",
    "needless": "A handoff was made although nobody asked and no declared trigger was met.",
    "handed_over": "A handoff was made.",
}
_PASSED: Final = "handed_over"


@dataclass(frozen=True, slots=True)
class CustomerAgentHumanEscalation(ChatEvaluator):
    """1.0 when a handoff to a person was made, 0.0 when it was missed, blocked, needless or only announced.

    A handoff may show as a successful call of a handoff tool, as a step of a person, or, where no tools are on record,
    as the agent's words. Whether it was needless is judged only against declared triggers.

    Attributes:
        triggers: phrases of the customer that call for a person; case and spacing do not matter.
        handoff_tools: tools that hand over to a person although their names do not say so.
    """

    name: ClassVar[str] = "CustomerAgentHumanEscalation"
    version: ClassVar[str] = "1"

    triggers: tuple[str, ...] = ()
    handoff_tools: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(trigger.strip() for trigger in self.triggers):
            raise ConfigError(
                "CustomerAgentHumanEscalation.triggers holds an empty phrase; allowed: phrases with words"
            )

    def judge(self, inputs: Inputs) -> Score:
        said = speech.heard(inputs.conversation.messages)
        facets = self._facets(inputs.conversation, said)
        label = self._label(facets)
        details = _details(facets)
        if label is None and (facets["asked"] or facets["triggered"]):
            why = "A person was called for in the last turn; what followed is not on record."
            return self.not_applicable("record_ends", why, details=details)
        if label is None:
            blind = (
                ""
                if speech.is_english(said)
                else " The words are not English: only tool calls and steps could be read."
            )
            why = "No handoff, no request for a person and no declared trigger." + blind
            return self.not_applicable("no_escalation", why, details=details)
        unjudged = " Whether it was called for is not judged: no triggers are declared."
        return self.completed(
            float(label == _PASSED),
            label,
            _MEANING[label] + (unjudged if label == _PASSED and not self.triggers else ""),
            evidence=dict.fromkeys(each for found in facets.values() for each in found),
            details=details,
        )

    def _facets(self, talk: Conversation, said: Said) -> dict[str, list[Evidence]]:
        """Each facet with what it rests on; an empty list says that it was not met."""
        actions = agent_actions(talk.messages)
        tried = [action for action in actions if action.call.name in self.handoff_tools or is_handoff(action.call.name)]
        made = [Evidence("handoff_call", action.index) for action in tried if not action.failed]
        made += [Evidence("human_step", span_id=step.span.span_id) for step in talk.steps if _by_person(step)]
        announced = list(_agent_says(talk.messages, said, cues.announces_handoff, "handoff_announced"))
        unexecuted = announced if actions and not made else []
        asked = list(_asked(talk.messages, said))
        triggered = list(self._triggered(talk.messages))
        return {
            "handoff": made or ([] if unexecuted else announced),
            "asked": asked,
            "blocked": [] if made else list(_blocked(talk.messages, said, tried, asked)),
            "announced_not_executed": unexecuted,
            "triggered": triggered,
            "missed": [] if made or announced else list(_answered(talk.messages, [*asked, *triggered])),
        }

    def _triggered(self, messages: Sequence[Message]) -> Iterator[Evidence]:
        for i, message in enumerate(messages):
            if message.role == "user" and any(speech.holds(message.content, trigger) for trigger in self.triggers):
                yield Evidence("trigger_met", i)

    def _label(self, facets: dict[str, list[Evidence]]) -> str | None:
        for label in ("announced_not_executed", "blocked", "missed"):
            if facets[label]:
                return label
        if not facets["handoff"]:
            return None
        called_for = facets["asked"] or facets["triggered"]
        return "needless" if self.triggers and not called_for else _PASSED


def _by_person(step: Step) -> bool:
    return step.span.actor == "human" or step.span.step_kind == "human"


def _details(facets: dict[str, list[Evidence]]) -> dict[str, Any]:
    by = sorted({each.rule for each in facets["handoff"]})
    return {**{facet: bool(found) for facet, found in facets.items()}, "by": by}


def _agent_says(
    messages: Sequence[Message], said: Said, says: Callable[[Clause], bool], rule: str
) -> Iterator[Evidence]:
    for i, message in enumerate(messages):
        if message.role == "assistant" and any(map(says, said[i])):
            yield Evidence(rule, i)


def _asked(messages: Sequence[Message], said: Said) -> Iterator[Evidence]:
    """The customer asks for a person, or says yes when the agent asks whether to hand over."""
    offered = False
    for i, message in enumerate(messages):
        if message.role == "assistant" and said[i]:
            offered = any(map(cues.offers_handoff, said[i]))
        elif message.role == "user":
            if any(map(cues.asks_for_person, said[i])):
                yield Evidence("person_asked_for", i)
            elif offered and cues.affirms(said[i]):
                yield Evidence("offer_accepted", i)
            offered = False


def _answered(messages: Sequence[Message], calls_for_person: Sequence[Evidence]) -> Iterator[Evidence]:
    """Those that the agent answered; after the others, a transfer outside its own record may have followed."""
    last = max((i for i, message in enumerate(messages) if message.role == "assistant"), default=-1)
    yield from (each for each in calls_for_person if (each.message_index or 0) < last)


def _blocked(
    messages: Sequence[Message], said: Said, tried: Sequence[Action], asked: Sequence[Evidence]
) -> Iterator[Evidence]:
    """Called only where no handoff was made, so every call that was tried has failed."""
    yield from (Evidence("handoff_failed", action.index) for action in tried)
    first = asked[0].message_index if asked else None
    if first is not None:
        refusals = _agent_says(messages, said, cues.refuses_handoff, "handoff_refused")
        yield from (each for each in refusals if (each.message_index or 0) > first)

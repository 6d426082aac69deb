"""The contract of an evaluator, and the base that lets one be called with chat dicts as well."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from spanwitness.evaluators import chat
from spanwitness.model import Conversation, Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spanwitness.model import Document, Evidence, ToolCall


@runtime_checkable
class Evaluator(Protocol):
    """What the review lane runs: a frozen dataclass whose parameters are its fields.

    The same conversation gives the same score, whatever ran before. Input that is missing, or not enough to know,
    gives status "not_applicable" and no number. An exception is allowed (see `run`), but costs the user the score.
    """

    name: ClassVar[str]
    version: ClassVar[str]

    def evaluate(self, conversation: Conversation) -> Score: ...


@dataclass(frozen=True, slots=True)
class Inputs:
    """A conversation and what a caller knows besides it. None means not given, which differs from given and empty."""

    conversation: Conversation
    expected_actions: tuple[ToolCall, ...] | None = None
    required_outputs: tuple[str, ...] | None = None
    reference: str | None = None
    nbest: tuple[tuple[str, float], ...] | None = None


class ChatEvaluator(ABC):
    """Base of the evaluators that take chat dicts and further inputs. A subclass writes `judge`."""

    __slots__ = ()
    name: ClassVar[str]
    version: ClassVar[str]

    def evaluate(
        self,
        conversation: Conversation | Sequence[Mapping[str, object]],
        *,
        system_prompt: str | None = None,
        documents: Iterable[Document | Mapping[str, object] | str] | None = None,
        expected_actions: Iterable[ToolCall | Mapping[str, object]] | None = None,
        required_outputs: Iterable[str] | None = None,
        reference: str | None = None,
        nbest: Iterable[Sequence[object]] | None = None,
    ) -> Score:
        """Score one conversation. Every evaluator takes the same inputs; its page says which it rests on.

        Args:
            conversation: a `Conversation`, or chat messages as `chat.conversation_of` describes them.
            system_prompt: the agent's instructions; taken before the conversation's own.
            documents: what was retrieved; taken before the conversation's own.
            expected_actions: the calls that a correct agent would make; an empty list says: none that change anything.
            required_outputs: texts that the agent must have told the customer.
            reference: the true transcript.
            nbest: [hypothesis, posterior] pairs of a speech recogniser.

        Raises:
            ValueError: an input has a shape that is not allowed. A `Conversation` alone never raises.
        """
        talk = conversation if isinstance(conversation, Conversation) else chat.conversation_of(conversation)
        if system_prompt is not None:
            talk = replace(talk, system_prompt=chat.text("system_prompt", system_prompt))
        if documents is not None:
            talk = replace(talk, documents=chat.documents(documents))
        return self.judge(
            Inputs(
                conversation=talk,
                expected_actions=None if expected_actions is None else chat.calls("expected_actions", expected_actions),
                required_outputs=None if required_outputs is None else chat.texts("required_outputs", required_outputs),
                reference=None if reference is None else chat.text("reference", reference),
                nbest=None if nbest is None else chat.nbest(nbest),
            )
        )

    @abstractmethod
    def judge(self, inputs: Inputs) -> Score:
        """Score checked inputs. Must not raise, whatever the messages hold."""

    def completed(
        self,
        score: float | None,
        label: str,
        explanation: str,
        *,
        evidence: Iterable[Evidence] = (),
        details: Mapping[str, Any] | None = None,
        mode: str = "",
    ) -> Score:
        return Score(
            self.name, self.version, score, label, "completed", explanation, tuple(evidence), dict(details or {}), mode
        )

    def not_applicable(
        self, label: str, explanation: str, *, details: Mapping[str, Any] | None = None, mode: str = ""
    ) -> Score:
        return Score(self.name, self.version, None, label, "not_applicable", explanation, (), dict(details or {}), mode)

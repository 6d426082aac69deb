"""A question to a language model: what is sent, and how the answer becomes a score."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from spanwitness.judge.record import REMINDER, RESULT_LIMITS, RULES, Record, rendered
from spanwitness.judge.schema import mismatch
from spanwitness.model import Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spanwitness.judge.schema import Schema
    from spanwitness.model import Conversation, Evidence

MODE: Final = "judge"
"""The mode of every judged score."""
_TOO_LONG: Final = "The conversation is longer than what a judge is sent, even with its tool results shortened."


@dataclass(frozen=True, slots=True)
class Asked:
    """What is sent, whoever is asked.

    Attributes:
        prompt: 8 hex digits of the question's own text, schema and version.
        limit: characters to which tool results and arguments of calls that were longer are shortened in `user`.
    """

    evaluator: str
    prompt: str
    system: str
    user: str
    schema: Schema
    limit: int = RESULT_LIMITS[0]

    @property
    def digest(self) -> str:
        """64 hex digits of all of it: the same digest, the same question about the same conversation."""
        return _digest([self.evaluator, self.system, self.user, self.schema])


class Question(ABC):
    """What a judge is asked about a conversation in an evaluator's stead. Stateless, so one serves all threads.

    Both methods must get the same conversation: the one as it is sent, after redaction if there is any. Neither raises
    on any Conversation.
    """

    evaluator: ClassVar[str]
    version: ClassVar[str]
    task: ClassVar[str]
    schema: ClassVar[Schema]

    @property
    def system(self) -> str:
        """The instructions, the same for every conversation."""
        return f"{RULES}\n\n{self.task.strip()}"

    @property
    def prompt_digest(self) -> str:
        """8 hex digits: another text, schema or version, another digest."""
        return _digest([self.system, REMINDER, self.schema, self.version])[:8]

    def ask(self, conversation: Conversation) -> Asked | Score:
        """What to send; a Score of status "not_applicable" where nothing need be asked: an input is missing."""
        lacks = self.lacking(conversation)
        if lacks is not None:
            return self.not_applicable(*lacks)
        sent = rendered(conversation)
        if sent is None:
            return self.not_applicable("too_long", _TOO_LONG)
        return Asked(self.evaluator, self.prompt_digest, self.system, sent.text, self.schema, sent.limit)

    def read(self, answer: Mapping[str, Any], conversation: Conversation) -> Score:
        """The score that the answer's items prove. Its `judge` is left to who asked.

        Raises:
            ValueError: the answer is not of the schema. The message holds nothing of the answer.
        """
        wrong = mismatch(answer, self.schema)
        if wrong is not None:
            raise ValueError(wrong)
        return self.verdict(answer, Record(conversation))

    @abstractmethod
    def lacking(self, conversation: Conversation) -> tuple[str, str] | None:
        """The label and the explanation where an input is missing; None where the question can be asked."""

    @abstractmethod
    def verdict(self, answer: Mapping[str, Any], record: Record) -> Score:
        """The score by what stands in the record. The answer is of the schema; its quotes are still to be looked up."""

    def completed(
        self,
        score: float,
        label: str,
        explanation: str,
        record: Record,
        *,
        evidence: Iterable[Evidence] = (),
        details: Mapping[str, Any] | None = None,
    ) -> Score:
        told = {**(details or {}), **record.account()}
        found = tuple(dict.fromkeys(evidence))
        return Score(self.evaluator, self.version, score, label, "completed", explanation, found, told, MODE)

    def not_applicable(self, label: str, explanation: str, record: Record | None = None) -> Score:
        told = record.account() if record else {}
        return Score(self.evaluator, self.version, None, label, "not_applicable", explanation, (), told, MODE)


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

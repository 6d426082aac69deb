"""What an evaluator answers: frozen values, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Status = Literal["completed", "not_applicable", "failed"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on: a rule and the message (index into `messages`) or span where it was met."""

    rule: str
    message_index: int | None = None
    span_id: str = ""


@dataclass(frozen=True, slots=True)
class JudgeUse:
    """A language model's part in a score.

    Attributes:
        judge: the judge as the record names it: the model that was asked for, as configured.
        served: the model that answered, as the endpoint told it; '' where it did not, or nothing answered.
        prompt: 8 hex digits of the digest of the prompt's text and schema: another prompt, another digest.
        input_tokens: of all calls that the score took, retries included; likewise the others.
        cost_usd: by the configured prices; 0 where none are.
        cached: the answer to the same question was on record, and nobody was asked.
    """

    judge: str
    served: str = ""
    prompt: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    latency_ms: int = 0
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """An evaluator's answer.

    Attributes:
        score: 0..1 unless the evaluator's page says otherwise; None when there is none. Never 0 for a missing input.
        status: "completed"; "not_applicable" (nothing here to judge, or not enough to know); "failed" (an error).
        mode: how it was reached, where an evaluator has several ways.
        judge: None where no language model was asked.
    """

    evaluator: str
    evaluator_version: str
    score: float | None
    label: str
    status: Status
    explanation: str
    evidence: tuple[Evidence, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    mode: str = ""
    judge: JudgeUse | None = None

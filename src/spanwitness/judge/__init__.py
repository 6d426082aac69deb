"""A language model as judge: what it is asked, how its answer is read, what it cost.

A judge lists and quotes; whether a conversation passes is worked out here, from the quotes that stand in the record.
A question is a file in questions/, a line in QUESTIONS and a test of the same name. `settings` says who is asked,
`endpoint` asks, `judged` makes an evaluator of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spanwitness.judge.asking import Asked, Question
from spanwitness.judge.questions.conversation_quality import ConversationQualityQuestion
from spanwitness.judge.questions.conversation_resolution import ConversationResolutionQuestion
from spanwitness.judge.questions.groundedness import GroundednessQuestion
from spanwitness.judge.questions.human_escalation import HumanEscalationQuestion
from spanwitness.judge.questions.prompt_conformance import PromptConformanceQuestion
from spanwitness.judge.questions.query_handling import QueryHandlingQuestion
from spanwitness.judge.questions.task_completion import TaskCompletionQuestion

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["QUESTIONS", "Asked", "Question"]

# Not ASRAccuracy and not PII: a transcript does not tell what was said where it is wrong, and whoever is to find
# personal data would have to be sent it.
QUESTIONS: Final[Mapping[str, Question]] = {
    question.evaluator: question
    for question in (
        TaskCompletionQuestion(),
        ConversationResolutionQuestion(),
        ConversationQualityQuestion(),
        PromptConformanceQuestion(),
        HumanEscalationQuestion(),
        QueryHandlingQuestion(),
        GroundednessQuestion(),
    )
}

"""Evaluators: each reads a closed conversation and answers with a Score, or says that it cannot know.

Adding one is a file here, a line in registry.BUILT_IN, a test of the same name and a page under docs/evaluators.
"""

from spanwitness.evaluators.asr_accuracy import ASRAccuracy
from spanwitness.evaluators.bundle import BUNDLE, Bundle, run
from spanwitness.evaluators.contract import ChatEvaluator, Evaluator, Inputs
from spanwitness.evaluators.conversation_quality import CustomerAgentConversationQuality
from spanwitness.evaluators.conversation_resolution import ConversationResolution
from spanwitness.evaluators.groundedness import Groundedness
from spanwitness.evaluators.human_escalation import CustomerAgentHumanEscalation
from spanwitness.evaluators.pii import PII
from spanwitness.evaluators.prompt_conformance import CustomerAgentPromptConformance
from spanwitness.evaluators.query_handling import CustomerAgentQueryHandling
from spanwitness.evaluators.registry import BUILT_IN, GROUP, evaluator_names, evaluators_by_name
from spanwitness.evaluators.task_completion import TaskCompletion

__all__ = [
    "BUILT_IN",
    "BUNDLE",
    "GROUP",
    "PII",
    "ASRAccuracy",
    "Bundle",
    "ChatEvaluator",
    "ConversationResolution",
    "CustomerAgentConversationQuality",
    "CustomerAgentHumanEscalation",
    "CustomerAgentPromptConformance",
    "CustomerAgentQueryHandling",
    "Evaluator",
    "Groundedness",
    "Inputs",
    "TaskCompletion",
    "evaluator_names",
    "evaluators_by_name",
    "run",
]

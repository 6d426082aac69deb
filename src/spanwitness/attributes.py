"""Names of the span attributes that SpanWitness itself defines. All others are the conventions' own.

Each is listed with a sentence, since instrumenting applications set them.
"""

from typing import Final

TENANT: Final = "tenant.id"
"""Who owns the telemetry. Read from the resource first, then the span. There is no convention; this is common use."""

CONVERSATION: Final = "gen_ai.conversation.id"
"""The conversation. The GenAI conventions' own name; trusted above `session.id`."""

CONVERSATION_ENDED: Final = "spanwitness.conversation.ended"
"""true on any span of a conversation: nothing more will come, it may be closed and scored at once."""

TRAJECTORY_STEP: Final = "agent.trajectory.step"
"""The number of a step within its conversation, from 1, where the application itself counts."""

AGENT_VERSION: Final = "gen_ai.agent.version"
"""Version of the agent. The conventions' own name."""

PROMPT_VERSION: Final = "gen_ai.prompt.version"
"""Version of the prompt template. The conventions' own name."""

CHANNEL: Final = "spanwitness.channel"
"""How the customer reached the agent: voice, chat, email, ..."""

INTENT: Final = "spanwitness.intent"
"""What the customer wanted, as classified by the application."""

LANGUAGE: Final = "spanwitness.language"
"""Language of the conversation, BCP 47."""

ACTOR: Final = "spanwitness.actor"
"""Who acted in a step: ai, human (a person on the agent's side) or customer (their own speech)."""

# Beside `deployment.id` or `deployment.name` of the conventions, on a span or its resource, these declare a change.

DEPLOYMENT_TO_MODEL: Final = "spanwitness.deployment.to_model"
"""The model that comes into use by this deployment."""

DEPLOYMENT_TO_PROMPT: Final = "spanwitness.deployment.to_prompt"
"""The version of the prompt that comes into use by it."""

DEPLOYMENT_TO_AGENT_VERSION: Final = "spanwitness.deployment.to_agent_version"
"""The version of the agent that comes into use by it; without it and with `.by`, the version that the span tells."""

DEPLOYMENT_FROM_MODEL: Final = "spanwitness.deployment.from_model"
"""The model that it takes the place of; without it, any."""

DEPLOYMENT_SERVICE: Final = "spanwitness.deployment.service"
"""The service that changes, `*` for every one of the tenant; without it, the service that sends the span."""

DEPLOYMENT_AGENT: Final = "spanwitness.deployment.agent"
"""The agent that changes; without it, every one of the service."""

DEPLOYMENT_FROM: Final = "spanwitness.deployment.from"
"""When the change begins, ISO 8601; without it, when the span starts."""

DEPLOYMENT_UNTIL: Final = "spanwitness.deployment.until"
"""When it must have come, ISO 8601; without it, the change may come at any time from then on."""

DEPLOYMENT_BY: Final = "spanwitness.deployment.by"
"""Who declares it; without it, the service that sends the span."""

DEPLOYMENT_REASON: Final = "spanwitness.deployment.reason"
"""Why; without it, the name of the deployment."""

# What `[forward]` adds to each span that it passes on. A sender's own values under these names do not get through.

TAG_CONVERSATION: Final = "spanwitness.conversation.id"
"""The conversation that the span itself tells; absent where another span of its trace, or none, names it."""

TAG_CONVERSATION_SOURCE: Final = "spanwitness.conversation.source"
"""The attribute that named the conversation."""

TAG_STEP_KIND: Final = "spanwitness.step.kind"
"""llm, tool, retrieval, handoff, human, guardrail or speech; absent on containers."""

TAG_REQUESTED_MODEL: Final = "spanwitness.model.requested"
"""The model that was asked for."""

TAG_SERVED_MODEL: Final = "spanwitness.model.served"
"""The model that answered; absent where nobody tells."""

TAG_SERVED_MODEL_SOURCE: Final = "spanwitness.model.served_source"
"""How the served model is known: response, payload, probe; unknown where it is not."""

TAG_MODEL_VERSION: Final = "spanwitness.model.version"
"""`provider/served model`, or `provider/requested model?` where nobody tells what answered."""

TAG_DIALECT: Final = "spanwitness.dialect"
"""Which instrumentation speaks."""

# What `[forward]` says of a score, beside the conventions' own attributes of a `gen_ai.evaluation.result` event.

EVALUATION_STATUS: Final = "spanwitness.evaluation.status"
"""completed, not_applicable or failed."""

EVALUATOR_VERSION: Final = "spanwitness.evaluation.version"
"""Version of the evaluator."""

EVALUATION_THRESHOLD: Final = "spanwitness.evaluation.threshold"
"""The threshold in force when the score was made."""

EVALUATION_PASSED: Final = "spanwitness.evaluation.passed"
"""Whether the score reached the threshold."""

EVALUATION_MODE: Final = "spanwitness.evaluation.mode"
"""How the score was reached, where an evaluator has several ways."""

EVALUATION_JUDGE: Final = "spanwitness.evaluation.judge"
"""The model that judged, where one did."""

EVALUATION_JUDGE_SERVED: Final = "spanwitness.evaluation.judge_served"
"""The model that answered as judge, as the endpoint told it."""

EVALUATION_SCORING: Final = "spanwitness.evaluation.scoring"
"""0 for the first verdict of an evaluator and judge on a revision, 1 for the next."""

CONVERSATION_REVISION: Final = "spanwitness.conversation.revision"
"""The revision of the conversation that was judged: 1, and more once late spans changed it."""

RECOGNITION_CONFIDENCE: Final = "spanwitness.recognition.confidence"
"""On a speech recogniser's span: how sure it was of what it heard, 0..1."""

SERVED_MODEL: Final = "spanwitness.served.model"
"""The model that answered, as the provider's HTTP response named it. Set by the served-model probe."""

SERVED_FINGERPRINT: Final = "spanwitness.served.fingerprint"
"""The system fingerprint of the same response. Set by the served-model probe."""

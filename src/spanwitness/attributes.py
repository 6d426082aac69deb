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

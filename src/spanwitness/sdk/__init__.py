"""What an agent's own process adds to its spans, so that SpanWitness can say whose they are and to which conversation.

    provider.add_span_processor(SpanWitnessProcessor(tenant="acme", agent_version="1.4.0"))

    with conversation(call.id):
        answer = agent.run(text)
        end_conversation()

Needs opentelemetry-api and opentelemetry-sdk alone.
"""

from spanwitness.sdk.context import conversation, current_conversation, end_conversation
from spanwitness.sdk.processor import SpanWitnessProcessor

__all__ = ["SpanWitnessProcessor", "conversation", "current_conversation", "end_conversation"]

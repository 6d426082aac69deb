"""traceAI's mapping over LiveKit's spans (traceAI-livekit 0.1.2).

As `livekit`, whose attributes all stay, and:

| what | where |
|---|---|
| gets wrong | gen_ai.conversation.id of `agent_session` becomes the room's name while all other spans keep the sid; gen_ai.span.kind is LLM for STT and TTS too; status OK on a failed tool, ERROR on event_loop_blocked |
"""

from dataclasses import replace

from spanwitness.tag.dialects import livekit

DIALECT = replace(livekit.DIALECT, name="traceai_livekit", requires=("gen_ai.span.kind",))

"""How a trace's best conversation id travels through the trace index: sortable text, so that the least one wins."""

from __future__ import annotations

from typing import Final

# A conversation id may stand under several keys in one trace, on spans of several libraries. The trace belongs to the
# id whose key comes first here; within one key, to the span that started first. Library-made ids of a room or a
# conversation before the application's session, that before a thread.
CONVERSATION_TRUST: Final[tuple[str, ...]] = (
    "lk.room_sid",
    "room_id",
    "gen_ai.conversation.id",
    "session.id",
    "langfuse.session.id",
    "traceloop.association.properties.session_id",
    "gcp.vertex.agent.session_id",
    "traceloop.association.properties.thread_id",
    "thread_id",
)

NO_CANDIDATE: Final = "~"
"""A trace none of whose spans named a conversation. Sorts after every candidate."""

SOURCE_TRACE: Final = "trace"
"""ConversationIdSource where no span named a conversation and the trace's id stands in for one."""


def split_candidate(candidate: str) -> tuple[str, str]:
    """(key, id) of a candidate `trust|start|key|id`; ('', '') where there is none."""
    if candidate in ("", NO_CANDIDATE):
        return "", ""
    _, _, key, identity = candidate.split("|", 3)
    return key, identity

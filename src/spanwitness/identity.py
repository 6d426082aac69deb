"""How a trace's best conversation id travels through the trace index: sortable text, so that the least one wins."""

from __future__ import annotations

from typing import Final

# Where libraries let an application hang what it likes on its spans, and what applications call a conversation there.
_FREE_PREFIXES: Final = (
    "traceloop.association.properties.",
    "ai.telemetry.metadata.",
    "ai.settings.context.",
    "langsmith.metadata.",
    "lmnr.association.properties.",
    "metadata.",
    "",
)
_SESSION_NAMES: Final = (
    "conversation_id",
    "conversationId",
    "conversation.id",
    "session_id",
    "sessionId",
    "chat_id",
    "chatId",
    "call_id",
    "callId",
)
_THREAD_NAMES: Final = ("thread_id", "threadId")
_BARE_NAMES_OF_OTHERS: Final = ("call_id", "callId")  # without a prefix, a tool call's or a telephone call's

APPLICATION_IDS: Final[tuple[str, ...]] = tuple(
    prefix + name
    for names in (_SESSION_NAMES, _THREAD_NAMES)
    for prefix in _FREE_PREFIXES
    for name in names
    if prefix or name not in _BARE_NAMES_OF_OTHERS
)
"""Keys of an application's own choice, sessions before threads: one session may go over several threads."""

# A conversation id may stand under several keys in one trace, on spans of several libraries. The trace belongs to the
# id whose key comes first here; within one key, to the span that started first. Library-made ids of a room or a
# conversation before the application's session, that before a thread.
CONVERSATION_TRUST: Final[tuple[str, ...]] = (
    "lk.room_sid",
    "room_id",
    "gen_ai.conversation.id",
    "session.id",
    "langfuse.session.id",
    "gcp.vertex.agent.session_id",
    *APPLICATION_IDS,
)

NO_CANDIDATE: Final = "~"
"""A trace none of whose spans named a conversation. Sorts after every candidate."""

SOURCE_TRACE: Final = "trace"
"""ConversationIdSource where no span named a conversation and the trace's id stands in for one."""

JUDGE_SERVICE: Final = "spanwitness"
"""ServiceName of what judges in a tenant's ledger: it is no agent of that tenant's."""

JUDGE_AGENT: Final = "judge"
"""AgentName of the same."""

JUDGE_ROLE: Final = "judge"
"""StepKind of the same. It alone decides: a sender may choose any service and agent, and no span has this kind."""


def is_judge(role: str) -> bool:
    """Whether a slot of this role, StepKind in the ledger, is of what judges. No sender can pass for it."""
    return role == JUDGE_ROLE


def split_candidate(candidate: str) -> tuple[str, str]:
    """(key, id) of a candidate `trust|start|key|id`; ('', '') where there is none."""
    if candidate in ("", NO_CANDIDATE):
        return "", ""
    _, _, key, identity = candidate.split("|", 3)
    return key, identity

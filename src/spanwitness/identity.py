"""How a trace's best conversation id travels through the trace index: sortable text, so that the least one wins."""

from __future__ import annotations

from typing import Final

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

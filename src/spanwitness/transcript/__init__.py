"""Rebuilds who said what from the spans and log records of one closed conversation.

One reader for each message form (`parts`, `flattened`, `indexed`, `ai_sdk`, `events`, `payload`), whatever dialect
writes it; `merge` folds the model calls into one list, `join` puts the tools in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spanwitness.model import LogRecord, SpanRecord, Transcript
from spanwitness.transcript.calls import model_calls
from spanwitness.transcript.documents import documents
from spanwitness.transcript.join import joined
from spanwitness.transcript.merge import fold
from spanwitness.transcript.tools import tool_runs
from spanwitness.transcript.tree import Tree
from spanwitness.transcript.units import grouped

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["rebuild"]


def rebuild(spans: Sequence[SpanRecord], logs: Sequence[LogRecord]) -> Transcript:
    """The transcript of one conversation.

    Never raises, whatever the attributes hold: a piece that cannot be read is left out, and a conversation whose
    content was not captured gives an empty transcript. The order of `spans` does not matter.

    The system prompt is that of the latest call that tells one: prompts are templates filled anew for each turn, and
    after a hand-over the last agent's is the one in force.

    Args:
        spans: all spans of the conversation, over all its traces and dialects; only steps carry content.
        logs: the log records with content, linked by trace and span id.
    """
    tree = Tree(spans)
    calls = model_calls(tree, logs)
    started = {span.span_id: span.started_ns for span in tree.ordered}
    messages = joined(grouped(fold(calls)), tool_runs(tree), started)
    heard = [call for call in calls if not call.nested] or calls
    prompt = next((call.system for call in reversed(heard) if call.system), "")
    return Transcript(tuple(messages), prompt, tuple(documents(tree.steps("retrieval"))))

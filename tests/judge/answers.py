"""Answers as hypothesis thinks of them: always of the schema, whatever else they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spanwitness.model import Conversation

WORDS = ("pass", "Your order is cancelled.", "order", "")


def answers(schema: Mapping[str, Any], quotes: Sequence[str] = WORDS) -> st.SearchStrategy[Any]:
    """`quotes`: what its texts are taken from."""
    if schema["type"] == "object":
        properties = {name: answers(inner, quotes) for name, inner in schema["properties"].items()}
        return st.fixed_dictionaries(properties)
    if schema["type"] == "array":
        return st.lists(answers(schema["items"], quotes), max_size=3)
    if schema["type"] == "integer":
        return st.integers(-2, 12) | st.integers()
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return st.sampled_from(quotes)


def texts_of(conversation: Conversation) -> list[str]:
    """All that could be quoted from it."""
    calls = [call.arguments for message in conversation.messages for call in message.tool_calls]
    said = [message.content for message in conversation.messages]
    return [*said, *calls, conversation.system_prompt, *(each.content for each in conversation.documents)]

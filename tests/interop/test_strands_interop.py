"""Strands agents with their model class for OpenAI: the library tells no model that answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace

from spanwitness.sdk import conversation
from tests.interop.play import (
    INSTRUCTIONS,
    TURNS,
    Recording,
    conversations,
    get_claim_status,
    played,
    steps,
    tells_each_call_alone,
)

if TYPE_CHECKING:
    from tests.sdk.model_server import ModelServer

strands = pytest.importorskip("strands")
models = pytest.importorskip("strands.models.openai")


def converse(server: ModelServer) -> None:
    for conversation_id in conversations(server):
        client = {"api_key": "none", "base_url": f"{server.address}/v1"}
        agent = strands.Agent(
            name="claims",
            model=models.OpenAIModel(client_args=client, model_id="gpt-4o"),
            tools=[strands.tool(get_claim_status)],
            system_prompt=INSTRUCTIONS,
            callback_handler=None,
            trace_attributes={"session.id": conversation_id},
        )
        with conversation(conversation_id):
            for said in TURNS:
                agent(said)


@pytest.fixture(scope="module")
def recording() -> Recording:
    recording = Recording()
    recording.listen()
    trace.set_tracer_provider(recording.provider)
    with played(recording, "strands_probe") as server:
        converse(server)
    return recording


def test_the_span_of_the_call_and_no_other_tells_what_was_served(recording: Recording) -> None:
    tells_each_call_alone(recording, "chat")


def test_steps_are_numbered_by_their_start(recording: Recording) -> None:
    stepped = [span for span in recording.spans() if span.name.startswith(("chat", "execute_tool "))]
    assert steps(stepped) == [1, 2, 3, 4] * 4

"""openai-agents over chat completions, told by OpenInference, which loses the model that answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from openai import AsyncOpenAI

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

agents = pytest.importorskip("agents")
openinference = pytest.importorskip("openinference.instrumentation")
instrumentation = pytest.importorskip("openinference.instrumentation.openai_agents")


async def converse(server: ModelServer) -> None:
    client = AsyncOpenAI(api_key="none", base_url=f"{server.address}/v1")
    model = agents.OpenAIChatCompletionsModel(model="gpt-4o", openai_client=client)
    agent = agents.Agent(
        name="claims", instructions=INSTRUCTIONS, model=model, tools=[agents.function_tool(get_claim_status)]
    )
    for conversation_id in conversations(server):
        session = agents.SQLiteSession(conversation_id)
        with conversation(conversation_id), openinference.using_session(conversation_id):
            for said in TURNS:
                await agents.Runner.run(agent, said, session=session)


@pytest.fixture(scope="module")
def recording() -> Recording:
    recording = Recording()
    recording.listen()
    instrumentation.OpenAIAgentsInstrumentor().instrument(tracer_provider=recording.provider, exclusive_processor=True)
    with played(recording, "oi_openai_agents_chat_probe") as server:
        asyncio.run(converse(server))
    return recording


def test_the_span_of_the_call_and_no_other_tells_what_was_served(recording: Recording) -> None:
    tells_each_call_alone(recording, "generation")


def test_steps_are_numbered_by_their_start(recording: Recording) -> None:
    stepped = [span for span in recording.spans() if span.name in ("generation", "get_claim_status")]
    assert steps(stepped) == [1, 2, 3, 4] * 4

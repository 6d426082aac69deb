"""openai-agents over chat completions, told by OpenInference, which loses the model that answered."""

from __future__ import annotations

import asyncio

import pytest
from openai import AsyncOpenAI

from spanwitness.sdk import conversation, probe
from tests.interop.play import (
    INSTRUCTIONS,
    TURNS,
    Recording,
    conversations,
    every_call,
    get_claim_status,
    served,
    steps,
)
from tests.sdk.model_server import ModelServer, model_server

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
    probe.install()
    with model_server() as server:
        asyncio.run(converse(server))
    probe.uninstall()
    recording.write("oi_openai_agents_chat_probe")
    return recording


def test_the_span_of_the_call_tells_what_was_served(recording: Recording) -> None:
    assert served(recording.spans("generation")) == every_call()


def test_no_other_span_does(recording: Recording) -> None:
    others = [span for span in recording.spans() if span.name != "generation"]
    assert set(served(others)) == {(None, None)}


def test_steps_are_numbered_by_their_start(recording: Recording) -> None:
    stepped = [span for span in recording.spans() if span.name in ("generation", "get_claim_status")]
    assert steps(stepped) == [1, 2, 3, 4] * 4

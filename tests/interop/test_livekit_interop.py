"""LiveKit's agents with its plugin for OpenAI: the library repeats the requested model as the response's."""

from __future__ import annotations

import asyncio

import pytest

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

livekit = pytest.importorskip("livekit.agents")
telemetry = pytest.importorskip("livekit.agents.telemetry")
plugin = pytest.importorskip("livekit.plugins.openai")


async def converse(server: ModelServer) -> None:
    for conversation_id in conversations(server):
        with conversation(conversation_id):
            llm = plugin.LLM(model="gpt-4o", base_url=f"{server.address}/v1", api_key="none")
            agent = livekit.Agent(instructions=INSTRUCTIONS, tools=[livekit.function_tool(get_claim_status)])
            async with livekit.AgentSession(llm=llm) as session:
                await session.start(agent)
                for said in TURNS:
                    await session.run(user_input=said)
            await llm.aclose()


@pytest.fixture(scope="module")
def recording() -> Recording:
    recording = Recording()
    recording.listen()
    telemetry.set_tracer_provider(recording.provider)
    probe.install()
    with model_server() as server:
        asyncio.run(converse(server))
    probe.uninstall()
    recording.write("livekit_text_probe")
    return recording


def test_the_span_of_the_call_tells_what_was_served(recording: Recording) -> None:
    calls = [span for span in recording.spans("llm_request") if span.name == "llm_request"]
    assert served(calls) == every_call()


def test_no_other_span_does(recording: Recording) -> None:
    others = [span for span in recording.spans() if span.name != "llm_request"]
    assert set(served(others)) == {(None, None)}


def test_steps_are_numbered_by_their_start(recording: Recording) -> None:
    stepped = [span for span in recording.spans() if span.name in ("llm_request", "function_tool")]
    assert steps(stepped) == [1, 2, 3, 4] * 4

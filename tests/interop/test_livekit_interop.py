"""LiveKit's agents with its plugin for OpenAI: the library repeats the requested model as the response's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

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

livekit = pytest.importorskip("livekit.agents")
telemetry = pytest.importorskip("livekit.agents.telemetry")
plugin = pytest.importorskip("livekit.plugins.openai")


async def find(claim_id: str) -> str:
    """The status of a claim."""
    return get_claim_status(claim_id)  # LiveKit awaits its tools


async def converse(server: ModelServer) -> None:
    for conversation_id in conversations(server):
        with conversation(conversation_id):
            llm = plugin.LLM(model="gpt-4o", base_url=f"{server.address}/v1", api_key="none")
            agent = livekit.Agent(
                instructions=INSTRUCTIONS, tools=[livekit.function_tool(find, name="get_claim_status")]
            )
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
    with played(recording, "livekit_text_probe") as server:
        asyncio.run(converse(server))
    return recording


def test_the_span_of_the_call_and_no_other_tells_what_was_served(recording: Recording) -> None:
    tells_each_call_alone(recording, "llm_request")


def test_steps_are_numbered_by_their_start(recording: Recording) -> None:
    stepped = [span for span in recording.spans() if span.name in ("llm_request", "function_tool")]
    assert steps(stepped) == [1, 2, 3, 4] * 4


def test_the_tools_did_their_work(recording: Recording) -> None:
    tools = [span.attributes or {} for span in recording.spans("function_tool")]
    assert [told.get("lk.function_tool.is_error") for told in tools] == [False] * 4

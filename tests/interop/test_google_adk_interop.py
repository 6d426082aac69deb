"""Google's ADK through LiteLLM: the library tells no model that answered."""

from __future__ import annotations

import asyncio
import os
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

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would fetch its prices when it is imported
pytest.importorskip("litellm")
agents = pytest.importorskip("google.adk.agents")
lite_llm = pytest.importorskip("google.adk.models.lite_llm")
runners = pytest.importorskip("google.adk.runners")
types = pytest.importorskip("google.genai.types")


async def converse(server: ModelServer) -> None:
    model = lite_llm.LiteLlm(model="openai/gpt-4o", api_base=f"{server.address}/v1", api_key="none")
    agent = agents.LlmAgent(name="claims", model=model, instruction=INSTRUCTIONS, tools=[get_claim_status])
    runner = runners.InMemoryRunner(agent=agent, app_name="claims")
    for conversation_id in conversations(server):
        await runner.session_service.create_session(app_name="claims", user_id="u-1", session_id=conversation_id)
        with conversation(conversation_id):
            for said in TURNS:
                message = types.Content(role="user", parts=[types.Part(text=said)])
                async for _ in runner.run_async(user_id="u-1", session_id=conversation_id, new_message=message):
                    pass


@pytest.fixture(scope="module")
def recording() -> Recording:
    recording = Recording()
    recording.listen()
    trace.set_tracer_provider(recording.provider)
    with played(recording, "google_adk_probe") as server:
        asyncio.run(converse(server))
    return recording


def test_the_span_of_the_call_and_no_other_tells_what_was_served(recording: Recording) -> None:
    tells_each_call_alone(recording, "generate_content")


def test_steps_are_numbered_by_their_start(recording: Recording) -> None:
    stepped = [span for span in recording.spans() if span.name.startswith(("generate_content", "execute_tool "))]
    assert steps(stepped) == [1, 2, 3, 4] * 4

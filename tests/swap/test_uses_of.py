"""Which models a conversation used, and which calls stepped in for a failed one."""

from __future__ import annotations

from typing import Any

import pytest

from spanwitness.model import Conversation, SpanRecord, Step, Use
from spanwitness.swap import uses_of

FULL, MINI = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"


def call(at: int, served: str = FULL, *, requested: str = "gpt-4o", **fields: Any) -> SpanRecord:
    usual = {
        "tenant": "acme",
        "trace_id": f"trace-{at}",
        "span_id": f"span-{at}",
        "parent_span_id": "",
        "name": "chat",
        "service": "claims",
        "scope": "",
        "dialect": "",
        "step_kind": "llm",
        "started_ns": at * 10**9 + 7,
        "ended_ns": at * 10**9 + 9,
        "status": "Ok",
        "agent_name": "assistant",
        "provider": "openai",
        "requested_model": requested,
        "served_model": served,
        "model_version": f"openai/{served or requested + '?'}",
    }
    return SpanRecord(**{**usual, **fields})


def failed(at: int, **fields: Any) -> SpanRecord:
    return call(at, "", status="Error", **fields)


def used(*spans: SpanRecord) -> list[Use]:
    steps = tuple(Step(number, 1, span) for number, span in enumerate(spans, 1))
    return uses_of(Conversation((), tenant="acme", conversation_id="c", steps=steps))


def test_calls_that_are_alike_are_one_use() -> None:
    (use,) = used(call(1), call(2), call(5))
    assert (use.calls, use.failed, use.first_ns, use.first_trace, use.opening) == (3, 0, 10**9 + 7, "trace-1", 1)
    assert (use.first.timestamp(), use.last.timestamp()) == (1, 5)
    assert (use.slot.tenant, use.slot.service, use.slot.agent, use.slot.step_kind) == (
        "acme",
        "claims",
        "assistant",
        "llm",
    )


@pytest.mark.parametrize(
    "other",
    [
        {"served": MINI},
        {"requested": "gpt-4.1"},
        {"provider": "azure.ai.openai"},
        {"system_fingerprint": "fp_1"},
        {"prompt_version": "p2"},
        {"agent_version": "2"},
    ],
)
def test_what_differs_in_anything_told_is_another_in_order_of_time(other: dict[str, str]) -> None:
    assert [use.opening for use in used(call(1), call(2, **other), call(3))] == [1, 2]
    assert [use.calls for use in used(call(1), call(2, **other), call(3))] == [2, 1]


def test_a_voice_agent_hears_and_speaks_with_models_of_their_own() -> None:
    speech = {"step_kind": "speech", "served": "", "requested": "nova-3"}
    uses = used(call(1, actor="customer", **speech), call(2), call(3, **speech))
    assert [use.slot.step_kind for use in uses] == ["llm", "stt", "tts"]
    assert [use.opening for use in uses] == [1, 1, 1]


def test_a_step_without_a_model_uses_none() -> None:
    assert used(call(1, step_kind="tool", model_version="")) == []


def after_failure(*spans: SpanRecord) -> dict[str, int]:
    return {use.version: use.after_failure for use in used(*spans)}


def test_another_model_after_a_failed_call_steps_in_for_it() -> None:
    assert after_failure(failed(1), call(2, MINI, requested="gpt-4o-mini"), call(3, MINI, requested="gpt-4o-mini")) == {
        "openai/gpt-4o?": 0,
        f"openai/{MINI}": 2,
    }
    assert after_failure(call(1, status="Error"), call(2, MINI))[f"openai/{MINI}"] == 1


def test_it_steps_in_until_another_model_answers_and_no_longer() -> None:
    mini = {"served": MINI, "requested": "gpt-4o-mini"}
    spans = [failed(1), call(2, **mini), failed(3, requested="gpt-4o-mini"), call(4, **mini), call(5), call(6, **mini)]
    assert after_failure(*spans) == {
        "openai/gpt-4o?": 0,
        f"openai/{MINI}": 2,
        "openai/gpt-4o-mini?": 1,
        f"openai/{FULL}": 0,
    }


def test_a_router_that_answers_with_another_model_than_was_asked_for_steps_in() -> None:
    assert after_failure(failed(1), call(2, MINI))[f"openai/{MINI}"] == 1


def test_the_same_model_tried_again_does_not() -> None:
    assert after_failure(failed(1), failed(2), call(3)) == {"openai/gpt-4o?": 0, f"openai/{FULL}": 0}


def test_names_of_deployments_are_other_models_where_they_differ() -> None:
    azure = {"provider": "azure.ai.openai"}
    assert after_failure(failed(1, requested="chat-east", **azure), call(2, requested="chat-west", **azure)) == {
        "openai/chat-east?": 0,
        f"openai/{FULL}": 1,
    }
    assert after_failure(failed(1, requested="chat-east", **azure), call(2, requested="chat-east", **azure)) == {
        "openai/chat-east?": 0,
        f"openai/{FULL}": 0,
    }


def test_a_failure_in_another_slot_is_none_of_its_business() -> None:
    assert after_failure(failed(1, agent_name="triage"), call(2, MINI))[f"openai/{MINI}"] == 0

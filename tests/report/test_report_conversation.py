"""One closed conversation, step by step; and what is said of one that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from spanwitness.errors import SpanWitnessError
from spanwitness.report import conversation

if TYPE_CHECKING:
    from tests.report.conftest import Printed, Record

FULL = "gpt-4o-2024-08-06"
MINI = "gpt-4o-mini-2024-07-18"


def served(model: str, **columns: Any) -> dict[str, Any]:
    return {"ServedModel": model, "ModelVersion": f"openai/{model}", **columns}


def tool(name: str, **columns: Any) -> dict[str, Any]:
    return {"StepKind": "tool", "ToolName": name, **no_model(), **columns}


def no_model() -> dict[str, Any]:
    texts = dict.fromkeys(("Provider", "RequestedModel", "ServedModel", "ServedModelSource", "ModelVersion"), "")
    return {**texts, "InputTokens": 0, "OutputTokens": 0}


def fill(record: Record, tenant: str) -> None:
    """A conversation of two revisions, whose model is changed on its third step."""
    record.conversation(TenantId=tenant, Steps=1, Outcome="open")
    record.step(TenantId=tenant, ServedModel="of an earlier revision")
    record.score(TenantId=tenant, Score=0.0, Explanation="of an earlier revision")
    versions = [f"openai/{FULL}", f"openai/{MINI}"]
    record.conversation(TenantId=tenant, Revision=2, ClosedAt=record.at(60), CloseReason="import", ModelVersions=versions)
    steps = [served(FULL), tool("get_claim_status", Status="Error"), served(MINI, Turn=2)]
    for number, step in enumerate(steps, 1):
        record.step(TenantId=tenant, Revision=2, Step=number, **step)
    record.score(TenantId=tenant, Revision=2)
    record.swap(TenantId=tenant, FirstConversationId="c-1")


def unknown(record: Record, identity: str, tenant: str | None = None) -> str:
    with pytest.raises(SpanWitnessError) as raised:
        conversation.rows(record.ask, identity, tenant=tenant)
    return str(raised.value)


def test_the_report_at_a_glance(record: Record, printed: Printed) -> None:
    fill(record, "glance")
    (row,) = conversation.rows(record.ask, "c-1", tenant="glance")
    assert printed(conversation.show(record.ask, "c-1", tenant="glance")) == (
        f"""\
conversation c-1
  tenant             glance
  revision           2
  id taken from      session.id
  began              2026-11-20 22:24:37.901 UTC, ended 2026-11-20 22:26:37.901 UTC
  closed             2026-11-20 23:24:37.901 UTC: import (the recorded input ended)
  channel            voice, en
  length             2 turns, 3 steps, 1 tool call (0 failed), no escalations
  tokens             1,264 in, 18 out
  outcome            resolved
  services           claims
  agents             claims_agent
  model versions     openai/gpt-4o-2024-08-06
                     openai/gpt-4o-mini-2024-07-18
  swaps begun here   {row["Swaps"][0]["Id"]} version from openai/gpt-4o-2024-08-06 to openai/gpt-4o-mini-2024-07-18
  earlier revisions  1: closed 2026-11-20 22:41:37.901 UTC, idle, 1 steps, open

step   turn   kind   agent          tool, or model asked for                      status      ms     tokens
""".rsplit("\n", 2)[0]
        + """
step   turn   kind   agent   tool, or model asked for                      status      ms     tokens
"""
    )


def test_the_rows_hold_what_belongs_to_the_newest_revision(record: Record) -> None:
    fill(record, "rows")
    (row,) = conversation.rows(record.ask, "c-1", tenant="rows")
    assert (row["Revision"], row["Outcome"], row["ClosedAt"]) == (2, "resolved", "2026-11-20T23:24:37.901Z")
    assert [(earlier["Revision"], earlier["Outcome"]) for earlier in row["Revisions"]] == [(1, "open")]
    assert [step["ServedModel"] for step in row["Trajectory"]] == [FULL, "", MINI]
    assert [step["ChangedFrom"] for step in row["Trajectory"]] == ["", "", f"openai/{FULL}"]
    assert [score["Explanation"] for score in row["Scores"]] == ["One of two refunds was made."]
    assert [swap["ToVersion"] for swap in row["Swaps"]] == [f"openai/{MINI}"]
    assert orjson.loads(orjson.dumps(row)) == row

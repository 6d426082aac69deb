"""What a tool does, by its name."""

from __future__ import annotations

import pytest

from spanwitness.tool_names import is_handoff, is_read


@pytest.mark.parametrize(
    "tool",
    ["get_order", "getOrder", "GetOrder", "crm__search_orders", "orders.list", "think", "check_in_status", "x/find"],
)
def test_look_ups_are_reads(tool: str) -> None:
    assert is_read(tool)


@pytest.mark.parametrize("tool", ["cancel_order", "updateOrder", "book", "order", "", "отмена", "run_payment"])
def test_any_other_verb_is_a_change(tool: str) -> None:
    assert not is_read(tool)


@pytest.mark.parametrize(
    "tool",
    [
        "transfer_to_human_agents",
        "transferToHuman",
        "connect_live_agent",
        "escalate",
        "escalate_ticket",
        "handoff",
        "hand_over",
        "transfer_call",
        "desk__route_to_supervisor",
        "transfer_to_human",
        "transfer-to-human",
        "transfer to human",
        "transferToHumanAgent",
        "TRANSFER_TO_HUMAN",
        "crm__transfer_to_human",
        "support.escalate",
        "handoff_to_human",
        "hand_off_to_specialist",
        "handover_to_supervisor",
        "EscalateToSupervisor",
        "escalation",
        "route_to_representative",
        "forward_to_operator",
        "warm_transfer_to_human",
        "request_human",
        "human_handoff",
    ],
)
def test_a_tool_that_hands_over_to_a_person_is_known_by_its_name(tool: str) -> None:
    assert is_handoff(tool)


@pytest.mark.parametrize(
    "tool",
    [
        "transfer_funds",
        "transfer_to_billing_agent",  # a framework's hand-over to another program
        "transfer_to_agent",
        "get_human_agents",
        "check_escalation",
        "hire_person",
        "forward_email",
        "",
        "get_claim_status",
        "handoff_to_refunds",
        "get_human_handoff_status",
        "list_live_agents",
        "route_delivery",
        "de_escalate",
        "humanize_text",
        "connect",
        "___",
        "転送",
    ],
)
def test_a_tool_that_does_something_else_hands_over_to_nobody(tool: str) -> None:
    assert not is_handoff(tool)


def test_a_tool_name_of_any_length_is_read_at_once() -> None:
    assert not is_handoff("transfer_" * 200_000)

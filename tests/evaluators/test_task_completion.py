"""TaskCompletion by reference and by evidence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators import TaskCompletion
from spanwitness.model import Conversation, Message, Score, ToolCall

Chat = list[dict[str, Any]]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def agent(text: str = "", *calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "tool_calls": list(calls)}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


def result(text: str = "ok", *, error: bool = False) -> dict[str, Any]:
    return {"role": "tool", "content": text, "error": error}


CANCEL, REFUND = call("cancel_order", order=4), call("refund", order=4, amount=1200)
DONE: Chat = [
    user("Cancel order 4, please."),
    agent("", call("get_order", order=4)),
    result(),
    agent("Shall I?"),
    user("Yes."),
    agent("", CANCEL),
    result(),
    agent("It is cancelled. You get $1,200 back."),
]


def by_reference(chat: Chat, *expected: dict[str, Any], told: list[str] | None = None, **fields: Any) -> Score:
    score = TaskCompletion(**fields).evaluate(chat, expected_actions=expected, required_outputs=told)
    assert score.mode == "reference"
    return score


def test_all_expected_changes_and_no_other_is_1() -> None:
    score = by_reference(DONE, CANCEL)
    assert (score.score, score.label, score.status) == (1.0, "completed", "completed")
    assert [(each.rule, each.message_index) for each in score.evidence] == [("expected_call", 5)]
    assert "1 of 1 expected changes made, 0 not expected" in score.explanation


def test_reads_count_on_neither_side() -> None:
    assert by_reference(DONE, CANCEL, call("get_order", order=5), call("list_orders")).score == 1.0


@pytest.mark.parametrize(
    ("expected", "f1"),
    [((CANCEL, REFUND), 2 / 3), ((REFUND,), 0.0), ((), 0.0), ((call("cancel_order", order=5),), 0.0)],
)
def test_f1_of_expected_against_made(expected: tuple[dict[str, Any], ...], f1: float) -> None:
    score = by_reference(DONE, *expected)
    assert score.score == pytest.approx(f1)
    assert score.label == ("partial" if f1 else "failed")


def test_the_explanation_names_the_tools_that_are_missing_and_those_too_many() -> None:
    assert "Missing: refund. Not expected: cancel_order." in by_reference(DONE, REFUND).explanation


def test_nothing_expected_and_nothing_made_is_a_right_refusal() -> None:
    refused: Chat = [user("Cancel order 4."), agent("It was sent already, so I may not cancel it.")]
    assert by_reference(refused).score == 1.0


def test_a_call_made_twice_counts_once_and_a_failed_one_not_at_all() -> None:
    again: Chat = [user("Cancel."), agent("", CANCEL), result(), agent("", CANCEL), result()]
    assert by_reference(again, CANCEL).score == 1.0
    failed: Chat = [user("Cancel."), agent("", CANCEL), result(error=True)]
    assert by_reference(failed, CANCEL).score == 0.0


def test_a_call_without_a_recorded_result_counts_as_made() -> None:
    assert by_reference([user("Cancel."), agent("", CANCEL)], CANCEL).score == 1.0


def test_an_expected_handoff_counts_whatever_summary_it_carries_and_an_unexpected_one_does_not() -> None:
    handed: Chat = [user("Help."), agent("", call("transfer_to_human", summary="angry")), result()]
    assert by_reference(handed, call("transfer_to_human", summary="wants help")).score == 1.0
    assert by_reference(handed).score == 1.0


@pytest.mark.parametrize(
    ("told", "share"),
    [
        ([], 1.0),
        (["1200"], 1.0),
        (["$1,200"], 1.0),
        (["it IS cancelled"], 1.0),
        (["200"], 0.0),
        (["12"], 0.0),
        (["1200", "Friday"], 0.5),
    ],
)
def test_the_share_of_outputs_told_multiplies(told: list[str], share: float) -> None:
    assert by_reference(DONE, CANCEL, told=told).score == share


def test_a_number_is_not_told_by_a_longer_one() -> None:
    chat: Chat = [user("How much?"), agent("It is 10.50, or 1.10 each.")]
    assert by_reference(chat, told=["10"]).score == 0.0
    assert by_reference(chat, told=["10.50"]).score == 1.0


def test_what_only_the_customer_said_is_not_told() -> None:
    assert by_reference([user("I paid 30."), agent("I see.")], told=["30"]).score == 0.0


def test_names_that_mislead_can_be_declared() -> None:
    chat: Chat = [user("Run it."), agent("", call("run_report"), call("check_in", seat=4)), result(), result()]
    assert by_reference(chat, call("check_in", seat=4)).score == 0.0, "by name, run_report changes, check_in does not"
    declared = by_reference(chat, call("check_in", seat=4), reads=("run_report",), writes=("check_in",))
    assert declared.score == 1.0
    assert declared.details == {"expected": 1, "made": 1, "right": 1, "f1": 1.0, "outputs_told": 1.0}


def test_without_a_request_there_is_nothing_to_complete_even_with_a_reference() -> None:
    score = TaskCompletion().evaluate([agent("Hello")], expected_actions=[CANCEL])
    assert (score.score, score.status, score.label) == (None, "not_applicable", "no_request")


def by_evidence(chat: Chat, **fields: Any) -> Score:
    score = TaskCompletion(**fields).evaluate(chat)
    assert score.mode == "evidence"
    return score


def signs(chat: Chat, **fields: Any) -> list[str]:
    score = by_evidence(chat, **fields)
    assert score.score == (0.0 if score.evidence else None)
    assert score.status == ("completed" if score.evidence else "not_applicable")
    return list(score.details.get("signs", []))


def test_without_signs_of_failure_there_is_no_number() -> None:
    score = by_evidence(DONE)
    assert (score.score, score.status, score.label) == (None, "not_applicable", "not_enough_evidence")
    assert "Not enough evidence" in score.explanation


def test_one_turn_of_the_customer_is_too_little() -> None:
    chat: Chat = [user("Cancel."), agent("", CANCEL), result(error=True)]
    assert by_evidence(chat).label == "too_short"


THANKS = user("Thank you, that is all.")


def test_a_change_that_failed_and_was_not_made_good() -> None:
    failing: Chat = [user("Cancel order 4."), agent("", CANCEL), result("Error: locked")]
    score = by_evidence([*failing, agent("Hm."), THANKS])
    assert (score.score, score.label) == (0.0, "failed")
    assert [(each.rule, each.message_index) for each in score.evidence] == [("unrecovered_error", 1)]
    assert "unrecovered error" in score.explanation
    assert signs([*failing, agent("", CANCEL), result(), agent("Now it is."), THANKS]) == []


def test_a_failed_look_up_is_no_failed_change() -> None:
    assert signs([user("Where is it?"), agent("", call("get_order")), result(error=True), agent("Hm."), THANKS]) == []


def test_the_same_call_three_times() -> None:
    look: Chat = [agent("", call("get_order", order=4)), result()]
    assert signs([user("Where is it?"), *look * 3, agent("There."), THANKS]) == ["repeated_call"]
    assert signs([user("Where is it?"), *look * 2, agent("There."), THANKS]) == []
    assert signs([user("Where is it?"), *look * 3, agent("There."), THANKS], max_repeated_calls=4) == []


def test_more_than_a_quarter_of_the_calls_failed() -> None:
    tries: Chat = [agent("", *(call("get_order", order=i) for i in range(8)))]
    results = [result(error=i < 3) for i in range(8)]
    chat: Chat = [user("Where?"), *tries, *results, agent("There."), THANKS]
    assert signs(chat) == ["tool_error_rate"]
    assert signs(chat, max_error_rate=0.4) == []


def test_the_record_ends_in_a_call() -> None:
    chat: Chat = [user("Hi."), agent("Yes?"), user("Cancel order 4."), agent("", CANCEL), result()]
    assert signs(chat) == ["ended_in_tool_call"]
    assert signs(chat[:-1]) == ["ended_in_tool_call"]
    handed = [*chat[:-2], agent("", call("transfer_to_human")), result()]
    assert signs(handed) == []


def test_a_change_claimed_where_none_was_made() -> None:
    claim = agent("I have cancelled your order.")
    assert signs([user("Cancel."), agent("", call("get_order")), result(), claim, THANKS]) == ["claimed_without_change"]
    assert signs([user("Cancel."), agent("", CANCEL), result(), claim, THANKS]) == []
    assert signs([user("Cancel."), claim, THANKS]) == [], "without calls on record it cannot be known"


def test_the_customer_says_the_same_again_and_again() -> None:
    plea = user("Please refund the order I sent back")
    assert signs([plea, agent("Which?"), plea, agent("Hm?"), plea, agent("Ah."), THANKS]) == ["customer_repeated"]
    assert signs([plea, agent("Which?"), plea, agent("Ah."), THANKS]) == []


def test_the_customer_leaves_with_the_trouble() -> None:
    assert signs([user("No sound."), agent("Restart."), user("It still doesn't play anything.")]) == [
        "still_wrong_at_end"
    ]


def test_the_agent_takes_too_many_turns() -> None:
    talk: Chat = [user("Hi."), agent("Yes?")] * 26
    assert signs([*talk, THANKS]) == ["too_many_agent_turns"]
    assert signs([*talk, THANKS], max_agent_turns=26) == []


def test_a_required_output_not_told_is_a_sign_of_its_own() -> None:
    score = TaskCompletion().evaluate([*DONE, THANKS], required_outputs=["1200", "Friday"])
    assert (score.score, score.details["signs"]) == (0.0, ["required_output_not_told"])
    assert TaskCompletion().evaluate([*DONE, THANKS], required_outputs=["1200"]).score is None


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"max_error_rate": 1.5}, "TaskCompletion.max_error_rate is 1.5; allowed: 0 to 1"),
        ({"max_repeated_calls": 1}, "TaskCompletion.max_repeated_calls is 1; allowed: 2 or more"),
        ({"max_agent_turns": 0}, "TaskCompletion.max_agent_turns is 0; allowed: 1 or more"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        TaskCompletion(**fields)


def test_a_stored_conversation_and_its_chat_dicts_score_the_same() -> None:
    stored = Conversation(
        tuple(
            Message(
                each["role"],
                each["content"],
                tuple(ToolCall("", c["name"], json.dumps(c["arguments"])) for c in each.get("tool_calls", ())),
            )
            for each in DONE
        )
    )
    evaluator = TaskCompletion()
    assert evaluator.evaluate(stored) == evaluator.evaluate(DONE)
    assert evaluator.evaluate(stored, expected_actions=[CANCEL]) == evaluator.evaluate(DONE, expected_actions=[CANCEL])

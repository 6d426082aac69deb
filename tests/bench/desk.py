"""Invented conversations of a service desk, as an instrumented agent sends them: what the evaluators are measured on.

A turn is five steps: a model call that asks for a tool, the tool, another such pair, and the reply. Each model call
holds the whole talk so far, as the GenAI conventions have it. Results are records of an order system of about 1 kB, the
instructions a policy of 6 kB.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, Final

from spanwitness.testing import EPOCH, FakeSpan, chat, tool

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

STEPS_A_TURN: Final = 5
_NAMES: Final = ("Mia Keller", "Noah Brown", "Sofia Rossi", "Yusuf Demir", "Aiko Tanaka", "Emma Novak")
_GOODS: Final = ("Desk lamp", "Trekking backpack", "Espresso machine", "Mechanical keyboard", "Garden hose")
_STATES: Final = ("pending", "shipped", "delivered", "cancelled")
_ASKS: Final = (
    "Hi, I would like to cancel order {order}, please. My e-mail is {mail}.",
    "Where is my order {order}? It should have been here on {day} May.",
    "Could you change the address of {order} to 14 Mill Lane, and call me on {phone} if anything is unclear?",
    "That is not what I asked. I want the refund on my card ending in {last}, not a voucher.",
    "What does it cost to send the {goods} back? You said {price} before.",
    "Yes, please go ahead.",
    "It still does not work, the page says that {order} is unknown.",
    "Thanks, that is all. Or wait: is the {goods} still under warranty?",
)
_SAYS: Final = (
    "I have found order {order}, {name}. The {goods} was {state} on {day} May, the total ${price}. Shall I cancel it?",
    "Your refund of ${price} has been issued to the card ending in {last}. It takes 5 to 7 business days.",
    "I was unable to change the address of order {order}, since it is {state}. I can open a return instead.",
    "Let me check that for you. The warranty of the {goods} runs for 24 months, until {day} May 2028.",
    "I am sorry about that. I have updated the record of {order}; is there anything else that I can help you with?",
    "I am transferring you to a colleague who can look into order {order}.",
)
_WRITES: Final = ("cancel_order", "update_address", "issue_refund", "open_return")
_READS: Final = ("get_order", "find_customer", "get_warranty", "search_policy")
_CLAUSE: Final = (
    "{n}. An order that is {state} may be cancelled within {days} days by the customer who placed it, once name, "
    "e-mail and order number have been compared with the record. A refund goes to the means of payment that was used, "
    "less the cost of the way back of ${cost}, unless the goods were faulty. Before anything is changed the customer "
    "is told what will be done and says yes. Whoever asks for a person is handed over, or asks about {topic}. "
)

RULES: Final = """
[[evaluators.CustomerAgentPromptConformance.rules]]
name = "delivered_stays"
severity = "critical"
forbid_call = "cancel_order"
when = [{ lookup = "order", field = "status", is = "delivered" }]

[[evaluators.CustomerAgentPromptConformance.rules]]
name = "big_refunds"
forbid_call = ["issue_refund", "open_return"]
when = [{ lookup = "order", field = "payment.amount", above = 500 }, { not = { customer_said = "manager" } }]

[[evaluators.CustomerAgentPromptConformance.rules]]
name = "look_first"
require_call = "get_order"
where = { order_id = "order_id" }
before_call = ["cancel_order", "update_address", "issue_refund", "open_return"]

[[evaluators.CustomerAgentPromptConformance.rules]]
name = "yes_first"
confirm_call = ["cancel_order", "update_address", "issue_refund"]

[[evaluators.CustomerAgentPromptConformance.rules]]
name = "no_promises"
forbid_phrase = ["guarantee*", "definitely", "for sure"]

[[evaluators.CustomerAgentPromptConformance.rules]]
name = "offers_more"
severity = "minor"
require_phrase = "anything else"
at = "end"

[evaluators.CustomerAgentPromptConformance.lookups.order]
result = ["get_order", "find_customer"]
where = { order_id = "order_id" }
"""
"""A policy of such a desk, as a configuration has it."""


def conversation(number: int, turns: int = 8, begin: dt.datetime = EPOCH) -> Iterator[FakeSpan]:
    """The spans of one, five a turn; the same number gives the same ones."""
    dice = random.Random(number)  # noqa: S311 - content, no secret
    said: list[dict[str, Any]] = []
    name, span = f"desk-{number}", 0
    policy = json.dumps([{"type": "text", "content": "".join(_clauses(number))}])
    for turn in range(turns):
        facts = _facts(dice)
        said.append(_text("user", _ASKS[(turn + number) % len(_ASKS)].format(**facts)))
        for _ in range(2):
            called = dice.choice(_READS if dice.random() < 0.7 else _WRITES)
            arguments, call = {"order_id": facts["order"], "email": facts["mail"]}, f"call_{span}"
            asks = {"type": "tool_call", "id": call, "name": called, "arguments": arguments}
            yield _call(number, span, name, begin, policy, said, {"role": "assistant", "parts": [asks]})
            result = _result(dice, facts)
            yield _tool(number, span + 1, name, begin, called, call, json.dumps(arguments), result)
            answer = {"type": "tool_call_response", "id": call, "response": result}
            said += [{"role": "assistant", "parts": [asks]}, {"role": "tool", "parts": [answer]}]
            span += 2
        reply = _text("assistant", dice.choice(_SAYS).format(**facts))
        yield _call(number, span, name, begin, policy, said, reply)
        said.append(reply)
        span += 1


def _call(
    number: int,
    span: int,
    name: str,
    begin: dt.datetime,
    policy: str,
    said: list[dict[str, Any]],
    answer: dict[str, Any],
) -> FakeSpan:
    told = {
        "gen_ai.system_instructions": policy,
        "gen_ai.input.messages": json.dumps(said),
        "gen_ai.output.messages": json.dumps([answer]),
        "gen_ai.agent.name": "service-desk",
    }
    return chat(number + 1, span + 1, 2.0 * span, name, attributes=told, begin=begin)


def _tool(
    number: int, span: int, name: str, begin: dt.datetime, called: str, call: str, arguments: str, result: str
) -> FakeSpan:
    told = {
        "gen_ai.tool.name": called,
        "gen_ai.tool.call.id": call,
        "gen_ai.tool.call.arguments": arguments,
        "gen_ai.tool.call.result": result,
    }
    made = tool(number + 1, span + 1, 2.0 * span, name, name=called)
    return FakeSpan(
        *(made.trace, made.span, made.at, name, made.operation, made.name), attributes=told, begin=begin, lasts=1.0
    )


def _text(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def _clauses(number: int) -> Iterator[str]:
    for n in range(1, 13):
        state = _STATES[(n + number) % len(_STATES)]
        yield _CLAUSE.format(n=n, state=state, days=7 * n, cost=f"{2.5 * n:.2f}", topic=_GOODS[n % len(_GOODS)])


def _facts(dice: random.Random) -> dict[str, Any]:
    name = dice.choice(_NAMES)
    return {
        "name": name,
        "mail": f"{name.split()[0].lower()}.{dice.randint(10, 99)}@mail.example",
        "order": f"W{dice.randint(10**6, 10**7 - 1)}",
        "phone": f"+44 20 7946 0{dice.randint(100, 999)}",
        "goods": dice.choice(_GOODS),
        "state": dice.choice(_STATES),
        "price": f"{dice.randint(20, 900)}.{dice.randint(10, 99)}",
        "last": f"{dice.randint(1000, 9999)}",
        "day": dice.randint(1, 28),
    }


def _result(dice: random.Random, facts: dict[str, Any]) -> str:
    if dice.random() < 0.08:  # now and then one fails
        return json.dumps({"error": f"order {facts['order']} not found"})
    items = [
        {
            "item_id": str(dice.randint(10**9, 10**10 - 1)),
            "name": dice.choice(_GOODS),
            "price": dice.randint(500, 90_000) / 100,
            "options": {"colour": dice.choice(("black", "red", "oak")), "size": dice.choice("SML")},
        }
        for _ in range(7)
    ]
    record = {
        "order_id": facts["order"],
        "status": facts["state"],
        "customer": {"name": facts["name"], "email": facts["mail"], "phone": facts["phone"]},
        "address": {"line1": f"{dice.randint(1, 200)} Mill Lane", "city": "Graz", "zip": f"80{dice.randint(10, 99)}"},
        "payment": {"method": "card", "last_four": facts["last"], "amount": float(facts["price"])},
        "placed_at": f"2026-05-{facts['day']:02d}T10:15:00Z",
        "items": items,
    }
    return json.dumps(record)

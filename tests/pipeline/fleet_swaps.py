"""Changes of the model that slots of the simulated fleet go through, each with the lines that the ledger must have.

Lengths are chosen so that nothing is left to chance: what has gone stays away for many times longer than the rule of
absence (decision 4) asks for, and what answers in turn is never away for nearly so long.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from tests.pipeline.fleet import EVERY, Call, Model

if TYPE_CHECKING:
    from tests.pipeline.fleet import Story

AUGUST: Final = Model("openai", "gpt-4o", "gpt-4o-2024-08-06")
NOVEMBER: Final = Model("openai", "gpt-4o", "gpt-4o-2024-11-20")
MINI: Final = Model("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18")
FAKED: Final = Model("openai", "gpt-4o", "gpt-4o-mini-2024-07-18")
LATER: Final = Model("openai", "gpt-4.1", "gpt-4.1-2025-04-14")
SONNET: Final = Model("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929")
HAIKU: Final = Model("anthropic", "claude-haiku-4-5", "claude-haiku-4-5-20251001")
HEARS: Final = (Model("openai", "whisper-1", "whisper-1"), Model("deepgram", "nova-3", "nova-3"))
SPEAKS: Final = (Model("openai", "tts-1", "tts-1"), Model("elevenlabs", "eleven_turbo_v2_5", "eleven_turbo_v2_5"))
THINKS: Final = ((AUGUST, MINI), (SONNET, HAIKU), (AUGUST, LATER), (LATER, SONNET), (MINI, AUGUST))
HOUR: Final = dt.timedelta(hours=1)
ROUTED: Final = ("AABAAABAAB", "ABAAABAABA", "AAABABAABA", "BAAABAAABA")
"""Seven to three, and nobody is away for long."""
TURNED: Final = {ord("A"): "B", ord("B"): "A"}


def pair(story: Story) -> tuple[Call, Call]:
    """Two models of the slot's kind."""
    role = {"stt": (HEARS,), "tts": (SPEAKS,)}.get(story.slot.step_kind, THINKS)
    first, second = story.chance.choice(role)
    return Call(first), Call(second)


def lead(story: Story, length: int, need: int) -> int:
    """How many conversations go by before anything happens, where `need` come after them."""
    return 20 + story.chance.randrange(max(1, length - 20 - need))


def rest(story: Story, call: Call, length: int, least: int) -> None:
    """So it goes on until the end."""
    story.steady(call, max(least, length - len(story.talks)))


def routed(story: Story, first: Call, second: Call, blocks: int, *, turned: bool = False) -> None:
    for _ in range(blocks):
        letters = story.chance.choice(ROUTED)
        story.pattern(letters.translate(TURNED) if turned else letters, A=first, B=second)


# Changes of the model.


def quiet(story: Story, length: int) -> None:
    rest(story, pair(story)[0], length, 1)


def silent(story: Story, length: int) -> None:
    before, after = pair(story)
    story.steady(before, lead(story, length, 40))
    story.tells("version", before.model.version, after.model.version, story.steady(after, 1), traffic="all")
    rest(story, after, length, 40)


def silent_in_mid_conversation(story: Story, length: int) -> None:
    before, after = pair(story)
    story.steady(before, lead(story, length, 40))
    cut = story.talk(before, before, after)
    story.tells("version", before.model.version, after.model.version, cut, traffic="all")
    rest(story, after, length, 40)


def silent_among_conversations_under_way(story: Story, length: int) -> None:
    """The first that meets the new model began long before, and others began with the old one in the meantime."""
    before, after = pair(story)
    story.steady(before, lead(story, length, 40))
    first = story.talk(before, after, pause=2.5 * EVERY)
    story.steady(before, 2)
    story.tells("version", before.model.version, after.model.version, first, traffic="all")
    rest(story, after, length, 60)


def silent_behind_the_requested_name(story: Story, length: int) -> None:
    story.steady(Call(AUGUST), lead(story, length, 40))
    first = story.steady(Call(FAKED), 1)
    story.tells("version", AUGUST.version, FAKED.version, first, traffic="all")
    story.tells("mismatch", "openai/gpt-4o", FAKED.version, first, "warning")
    rest(story, Call(FAKED), length, 40)


def snapshot(story: Story, length: int) -> None:
    story.steady(Call(AUGUST), lead(story, length, 40))
    story.tells("version", AUGUST.version, NOVEMBER.version, story.steady(Call(NOVEMBER), 1), traffic="all")
    rest(story, Call(NOVEMBER), length, 40)


def declared_in_advance(story: Story, length: int) -> None:
    before, after = pair(story)
    story.steady(before, lead(story, length, 40))
    first = story.steady(after, 1)
    name = story.declares(
        story.chance.choice([after.model.served, after.model.requested, after.model.version]),
        first.begin - 9 * HOUR,
        first.begin - HOUR,
        from_version=story.chance.choice(["", before.model.requested]),
        valid_until=story.chance.choice([None, first.begin + HOUR]),
    )
    story.tells("version", before.model.version, after.model.version, first, "info", traffic="all", declared=name)
    rest(story, after, length, 40)


def declared_late(story: Story, length: int) -> None:
    before, after = pair(story)
    story.steady(before, lead(story, length, 40))
    first = story.steady(after, 1)
    name = story.declares(after.model.version, first.begin + 3 * HOUR, first.begin - HOUR, agent="")
    story.tells("version", before.model.version, after.model.version, first, "warning", traffic="all", declared=name)
    rest(story, after, length, 40)


def declared_for_something_else(story: Story, length: int) -> None:
    before, after = pair(story)
    story.steady(before, lead(story, length, 40))
    first = story.steady(after, 1)
    wrong: list[tuple[bool, dict[str, object]]] = [  # whether it comes, at some time; and what is wrong with it
        (True, {"withdrawn": True}),
        (True, {"from_version": "gpt-5"}),
        (True, {"valid_from": first.begin + HOUR}),
        (False, {"valid_until": first.begin - dt.timedelta(minutes=5)}),
        (False, {"agent": "somebody-else"}),
        (False, {"to_version": "gpt-5"}),
        (False, {"kind": "prompt"}),
        (False, {"tenant": "nobody"}),
    ]
    comes, fault = wrong[story.chance.randrange(len(wrong))]
    story.declares(after.model.served, first.begin - 9 * HOUR, first.begin - HOUR, comes=comes, **fault)
    story.tells("version", before.model.version, after.model.version, first, traffic="all")
    rest(story, after, length, 40)


def declared_and_never_seen(story: Story, length: int) -> None:
    before, after = pair(story)
    rest(story, before, length, 40)
    story.declares(after.model.served, story.begin + HOUR, story.begin + 2 * HOUR, comes=False)


def canary(story: Story, length: int) -> None:
    """2 % of the conversations, then 10 %, then all."""
    before, after = pair(story)
    story.steady(before, lead(story, length, 140))
    first = story.pattern("B" + "A" * 49, A=before, B=after)
    story.pattern(("B" + "A" * 9) * 5, A=before, B=after)
    story.tells("version", before.model.version, after.model.version, first, traffic="all")
    rest(story, after, length, 60)


def canary_rolled_back(story: Story, length: int) -> None:
    before, after = pair(story)
    story.steady(before, lead(story, length, 150))
    first = story.pattern("BAAA" * 10, A=before, B=after)
    story.tells("version", before.model.version, after.model.version, first, traffic="none", standing=False)
    rest(story, before, length, 110)


def router(story: Story, length: int) -> None:
    """Both answer in the first conversation: that is how the slot was built."""
    first, second = pair(story)
    story.talk(first, second, first)
    routed(story, first, second, length // 10)


def router_that_shifts(story: Story, length: int) -> None:
    first, second = pair(story)
    story.talk(first, second, first)
    routed(story, first, second, length // 20)
    routed(story, first, second, length // 20, turned=True)


def router_that_comes_later(story: Story, length: int) -> None:
    before, other = pair(story)
    story.steady(before, lead(story, length, 60))
    first = story.steady(other, 1)
    story.tells("version", before.model.version, other.model.version, first, traffic="part")
    routed(story, before, other, max(6, (length - len(story.talks)) // 10))


def flapping(story: Story, length: int) -> None:
    before, after = pair(story)
    story.steady(before, story.chance.choice([1, 30]))
    first = story.steady(after, 1)
    story.tells("version", before.model.version, after.model.version, first, traffic="part")
    story.pattern("AB" * ((length - len(story.talks)) // 2), A=before, B=after)


def one_after_the_other(story: Story, length: int) -> None:
    """A third one takes the place of the second: the first change is over, though nothing returned."""
    before, after = pair(story)
    third = Call(NOVEMBER)
    story.steady(before, lead(story, length, 90))
    first = story.steady(after, 30)
    story.tells("version", before.model.version, after.model.version, first, traffic="none", standing=False)
    story.tells("version", after.model.version, third.model.version, story.steady(third, 60), traffic="all")
    rest(story, third, length, 1)


def tried_again(story: Story, length: int) -> None:
    """Calls fail, and the same model answers the next."""
    usual, _ = pair(story)
    while len(story.talks) < length:
        story.steady(usual, 4)
        story.talk(usual, Call(usual.model, failed=True), usual)


def fallback(story: Story, length: int) -> None:
    """Now and then the usual one fails, and another answers once."""
    usual, other = pair(story)
    failed = Call(usual.model, failed=True)
    story.steady(usual, lead(story, length, 80))
    first = story.talk(usual, failed, other, usual)
    story.tells("version", usual.model.version, other.model.version, first, "warning", traffic="fallback")
    while len(story.talks) < length:
        story.steady(usual, 7)
        story.talk(usual, failed, other, usual)


def outage(story: Story, length: int) -> None:
    """A provider is away for fifteen conversations. That it was so is no secret, and it is over."""
    usual, other = pair(story)
    failed = Call(usual.model, failed=True)
    story.steady(usual, lead(story, length, 80))
    first = story.talk(failed, other)
    for _ in range(14):
        story.talk(failed, other, failed, other)
    story.tells("version", usual.model.version, other.model.version, first, "warning", traffic="none", standing=False)
    back = story.steady(usual, 60)
    story.tells("version", other.model.version, usual.model.version, back, "info", traffic="all")
    rest(story, usual, length, 1)


def swap_and_return(story: Story, length: int) -> None:
    before, after = pair(story)
    story.steady(before, lead(story, length, 80))
    first = story.steady(after, 30)
    story.tells("version", before.model.version, after.model.version, first, traffic="none", standing=False)
    back = story.steady(before, 50)
    story.tells("version", after.model.version, before.model.version, back, "info", traffic="all")
    rest(story, before, length, 1)


def declared_swap_undone_in_silence(story: Story, length: int) -> None:
    before, after = pair(story)
    story.steady(before, lead(story, length, 80))
    first = story.steady(after, 30)
    name = story.declares(after.model.served, first.begin - 9 * HOUR, first.begin - HOUR)
    story.tells(
        "version",
        before.model.version,
        after.model.version,
        first,
        "info",
        traffic="none",
        standing=False,
        declared=name,
    )
    back = story.steady(before, 50)
    story.tells("version", after.model.version, before.model.version, back, traffic="all")
    rest(story, before, length, 1)


def swapped_again(story: Story, length: int) -> None:
    """The second time is as silent as the first: that it undoes the return makes it no better."""
    before, after = pair(story)
    there, back = before.model.version, after.model.version
    story.steady(before, lead(story, length, 120))
    story.tells("version", there, back, story.steady(after, 30), traffic="none", standing=False)
    story.tells("version", back, there, story.steady(before, 30), "info", traffic="none", standing=False)
    story.tells("version", there, back, story.steady(after, 60), traffic="all", occurrence=2)
    rest(story, after, length, 1)

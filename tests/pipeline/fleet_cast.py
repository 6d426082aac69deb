"""Who plays what in the simulated fleet."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING, Final

from spanwitness.model import Slot
from tests.pipeline import fleet_others as others
from tests.pipeline import fleet_swaps as swaps
from tests.pipeline.fleet import BEGIN, Fleet, Story

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Script = Callable[[Story, int], None]

SCRIPTS: Final[Mapping[str, Script]] = {
    script.__name__: script
    for script in (
        swaps.quiet,
        swaps.silent,
        swaps.silent_in_mid_conversation,
        swaps.silent_among_conversations_under_way,
        swaps.silent_behind_the_requested_name,
        swaps.snapshot,
        swaps.declared_in_advance,
        swaps.declared_late,
        swaps.declared_for_something_else,
        swaps.declared_and_never_seen,
        swaps.canary,
        swaps.canary_rolled_back,
        swaps.router,
        swaps.router_that_shifts,
        swaps.router_that_comes_later,
        swaps.flapping,
        swaps.one_after_the_other,
        swaps.tried_again,
        swaps.fallback,
        swaps.outage,
        swaps.swap_and_return,
        swaps.declared_swap_undone_in_silence,
        swaps.swapped_again,
        others.mismatch_from_the_start,
        others.another_backend,
        others.another_backend_of_another_model,
        others.name_that_nobody_agreed,
        others.nobody_tells,
        others.told_now_and_then,
        others.prompt,
        others.prompt_declared,
        others.prompt_taken_back,
        others.prompts_side_by_side,
        others.agent,
        others.prompt_and_model_at_once,
        others.release,
    )
}
UNDER_CONTRACT: Final[Mapping[str, Script]] = {
    script.__name__: script
    for script in (
        others.agreed_name,
        others.struck_off,
        others.never_approved,
        others.declared_and_never_approved,
        others.too_few_tell,
    )
}
SPOKEN: Final = frozenset(
    {"quiet", "silent", "silent_in_mid_conversation", "declared_in_advance", "canary", "router", "fallback", "outage"}
)
"""Also played by models that hear or speak."""
_TENANTS: Final = ("acme", "globex", "northwind")
_AGENTS: Final = ("assistant", "triage", "")


def fleet(seed: int, slots: int, talks: int) -> Fleet:
    """So many slots of about so many conversations each. Every script is played before one is played again."""
    chance = random.Random(seed)  # noqa: S311 - the same fleet in every run
    plays = [(name, "") for name in SCRIPTS] + [(name, "insured") for name in UNDER_CONTRACT]
    stories: list[Story] = []
    for number in range(slots):
        name, tenant = plays[number % len(plays)]
        role = ("stt", "tts", "llm")[number % 3] if name in SPOKEN and number >= len(plays) else "llm"
        slot = Slot(tenant or chance.choice(_TENANTS), f"service-{number:03}", chance.choice(_AGENTS), role)
        stories += [
            _played(name, slot if not twin else Slot(slot.tenant, slot.service, "second", role), seed + number, talks)
            for twin in range(1 + (name == "release"))
        ]
    return Fleet(tuple(stories[:slots]), others.contracts())


def _played(name: str, slot: Slot, seed: int, talks: int) -> Story:
    chance = random.Random(seed)  # noqa: S311 - the same story in every run
    story = Story(name, slot, chance, BEGIN + dt.timedelta(seconds=chance.randrange(600)))
    {**SCRIPTS, **UNDER_CONTRACT}[name](story, talks)
    return story

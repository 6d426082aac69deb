"""What else happens in the simulated fleet: mismatches, prompts, agents, backends, and what a contract says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from spanwitness.model import Contract
from tests.pipeline.fleet import BEGIN, EVERY, Call, Model
from tests.pipeline.fleet_swaps import AUGUST, FAKED, HAIKU, HOUR, LATER, MINI, SONNET, lead, pair, rest

if TYPE_CHECKING:
    from tests.pipeline.fleet import Story

UNTOLD: Final = Model("openai", "gpt-4o", "")
UNTOLD_LATER: Final = Model("openai", "gpt-4.1", "")
NAMED: Final = Model("openai", "claims-prod", "gpt-4o-2024-08-06")
MIDWAY: Final = BEGIN + 60 * EVERY
AGAIN: Final = BEGIN + 100 * EVERY


# Another model than was asked for, and answers of which nobody knows whose they are.


def mismatch_from_the_start(story: Story, length: int) -> None:
    first = story.steady(Call(FAKED), 1)
    story.tells("mismatch", "openai/gpt-4o", FAKED.version, first, "warning")
    rest(story, Call(FAKED), length, 1)


def nobody_tells(story: Story, length: int) -> None:
    """Not even that another model is asked for says that another one answers."""
    story.steady(Call(UNTOLD), lead(story, length, 40))
    rest(story, Call(UNTOLD_LATER), length, 40)


def told_now_and_then(story: Story, length: int) -> None:
    while len(story.talks) < length:
        story.steady(Call(story.chance.choice([AUGUST, UNTOLD])), 3)


# Prompts and agents.


def prompt(story: Story, length: int) -> None:
    model, _ = pair(story)
    story.steady(Call(model.model, prompt="p1"), lead(story, length, 40))
    story.tells("prompt", "p1", "p2", story.steady(Call(model.model, prompt="p2"), 1), "warning")
    rest(story, Call(model.model, prompt="p2"), length, 40)


def prompt_declared(story: Story, length: int) -> None:
    model, _ = pair(story)
    story.steady(Call(model.model, prompt="p1"), lead(story, length, 40))
    first = story.steady(Call(model.model, prompt="p2"), 1)
    name = story.declares("p2", first.begin - 9 * HOUR, first.begin - HOUR, kind="prompt")
    story.tells("prompt", "p1", "p2", first, "info", declared=name)
    rest(story, Call(model.model, prompt="p2"), length, 40)


def prompt_taken_back(story: Story, length: int) -> None:
    model, _ = pair(story)
    first, second = Call(model.model, prompt="p1"), Call(model.model, prompt="p2")
    story.steady(first, lead(story, length, 80))
    story.tells("prompt", "p1", "p2", story.steady(second, 30), "warning", standing=False)
    story.tells("prompt", "p2", "p1", story.steady(first, 50), "info")
    rest(story, first, length, 1)


def prompts_side_by_side(story: Story, length: int) -> None:
    """A trial of two prompts is told once, whatever the model does."""
    model, _ = pair(story)
    first, second = Call(model.model, prompt="p1"), Call(model.model, prompt="p2")
    story.steady(first, lead(story, length, 60))
    story.tells("prompt", "p1", "p2", story.steady(second, 1), "warning")
    story.pattern("ABBA" * ((length - len(story.talks)) // 4 + 1), A=first, B=second)


def agent(story: Story, length: int) -> None:
    model, _ = pair(story)
    story.steady(Call(model.model, agent="1.4.0"), lead(story, length, 40))
    story.tells("agent", "1.4.0", "1.5.0", story.steady(Call(model.model, agent="1.5.0"), 1), "warning")
    rest(story, Call(model.model, agent="1.5.0"), length, 40)


def prompt_and_model_at_once(story: Story, length: int) -> None:
    before, after = pair(story)
    story.steady(Call(before.model, prompt="p1"), lead(story, length, 40))
    first = story.steady(Call(after.model, prompt="p2"), 1)
    story.tells("version", before.model.version, after.model.version, first, traffic="all")
    story.tells("prompt", "p1", "p2", first, "warning")
    rest(story, Call(after.model, prompt="p2"), length, 40)


def release(story: Story, length: int) -> None:
    """Two agents of one service, at the same moment: each slot has its own line. `chance` is the same in both."""
    story.steady(Call(SONNET, agent="7"), lead(story, length, 40))
    first = story.steady(Call(HAIKU, agent="8"), 1)
    story.tells("version", SONNET.version, HAIKU.version, first, traffic="all")
    story.tells("agent", "7", "8", first, "warning")
    rest(story, Call(HAIKU, agent="8"), length, 40)


# Backends, which are no versions.


def another_backend(story: Story, length: int) -> None:
    """Told once; that both answer from then on is not told, nor that some calls do not say."""
    first, second = Call(AUGUST, fingerprint="fp_1"), Call(AUGUST, fingerprint="fp_2")
    story.steady(first, lead(story, length, 60))
    came = story.steady(second, 1)
    story.tells("fingerprint", f"{AUGUST.version} fp_1", f"{AUGUST.version} fp_2", came, "info")
    story.pattern("ABCB" * ((length - len(story.talks)) // 4 + 1), A=first, B=second, C=Call(AUGUST))


def another_backend_of_another_model(story: Story, length: int) -> None:
    """A new model has a fingerprint of its own, and that is not told beside it."""
    story.steady(Call(AUGUST, fingerprint="fp_1"), lead(story, length, 40))
    first = story.steady(Call(MINI, fingerprint="fp_9"), 1)
    story.tells("version", AUGUST.version, MINI.version, first, traffic="all")
    rest(story, Call(MINI, fingerprint="fp_9"), length, 40)


# Under a contract.


def contracts() -> tuple[Contract, ...]:
    """The insured tenant's: for a while the smaller model is struck off the list."""
    agreed = Contract(
        tenant="insured",
        version=1,
        valid_from=BEGIN - 720 * HOUR,
        valid_until=MIDWAY,
        approved=("gpt-4o", "gpt-4o-mini"),
        aliases=(("claims-prod", "gpt-4o"),),
        min_verified=0.8,
        recorded_at=BEGIN - 720 * HOUR,
    )
    struck = replace(agreed, version=2, valid_from=MIDWAY, valid_until=AGAIN, approved=("gpt-4o",))
    return agreed, struck, replace(agreed, version=3, valid_from=AGAIN, valid_until=None)


def agreed_name(story: Story, length: int) -> None:
    """The name of a deployment, as it stands in the contract."""
    rest(story, Call(NAMED), length, 1)


def name_that_nobody_agreed(story: Story, length: int) -> None:
    """The same where no contract has it."""
    first = story.steady(Call(NAMED), 1)
    story.tells("mismatch", "openai/claims-prod", NAMED.version, first, "warning")
    rest(story, Call(NAMED), length, 1)


def struck_off(story: Story, length: int) -> None:
    """Approved when it came, and in the end; not in between."""
    rest(story, Call(MINI), length, 130)
    first = next(talk for talk in story.talks if talk.begin >= MIDWAY)
    story.tells("unapproved", "", MINI.version, first, standing=False)


def never_approved(story: Story, length: int) -> None:
    before, after = Call(AUGUST), Call(LATER)
    story.steady(before, lead(story, length, 40))
    first = story.steady(after, 1)
    story.tells("version", before.model.version, after.model.version, first, traffic="all")
    story.tells("unapproved", "", after.model.version, first)
    rest(story, after, length, 40)


def declared_and_never_approved(story: Story, length: int) -> None:
    """To declare a model is not to have it approved."""
    before, after = Call(AUGUST), Call(LATER)
    story.steady(before, lead(story, length, 40))
    first = story.steady(after, 1)
    name = story.declares(after.model.served, first.begin - 9 * HOUR, first.begin - HOUR)
    story.tells("version", before.model.version, after.model.version, first, "info", traffic="all", declared=name)
    story.tells("unapproved", "", after.model.version, first)
    rest(story, after, length, 40)


def too_few_tell(story: Story, length: int) -> None:
    """Of the last fifty conversations, a call each, less than four in five tell who answered from the eleventh on."""
    for told in [*[True] * 60, *[False] * 20, *[True] * max(70, length - 80)]:
        story.talk(Call(AUGUST if told else UNTOLD))
    story.tells("unverified", "", UNTOLD.version, story.talks[70], "warning", standing=False)

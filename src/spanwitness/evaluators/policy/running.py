"""What became of each rule in one conversation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal

from spanwitness.evaluators import cues
from spanwitness.evaluators.policy import spoken_language
from spanwitness.evaluators.policy.conditions import Truth, holds, was_called
from spanwitness.evaluators.policy.language import (
    SEVERITIES,
    AtEnd,
    BeforeCall,
    BeforePhrase,
    ConfirmCall,
    ForbidCall,
    ForbidPhrase,
    InTurn,
    RequireCall,
    RequirePhrase,
    SpeakLanguage,
)
from spanwitness.evaluators.policy.scene import Point, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spanwitness.evaluators.policy.language import Policy, Rule
    from spanwitness.evaluators.policy.phrases import Phrases
    from spanwitness.model import Conversation

State = Literal["kept", "broken", "not_triggered", "undecided"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A rule, how often it was kept, where it was broken, and how often the record did not tell.

    Attributes:
        broken: message indexes, in order; the agent's last message where something was never done.
    """

    rule: Rule
    kept: int
    broken: tuple[int, ...]
    undecided: int

    @property
    def state(self) -> State:
        if self.broken:
            return "broken"
        return "kept" if self.kept else "undecided" if self.undecided else "not_triggered"


@dataclass(frozen=True, slots=True)
class _Case:
    """One occasion on which a rule was put to the test."""

    index: int
    kept: Truth


def run(policy: Policy, conversation: Conversation) -> tuple[Outcome, ...]:
    """The outcome of every rule, in the policy's order. Never raises, whatever the messages hold."""
    scene = Scene(conversation, policy.clock)
    return tuple(_outcome(rule, tuple(_cases(rule, scene))) for rule in policy.rules)


def worst_first(outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """The outcomes by severity; within one severity as they were."""
    return tuple(sorted(outcomes, key=lambda outcome: SEVERITIES.index(outcome.rule.severity)))


def _outcome(rule: Rule, cases: tuple[_Case, ...]) -> Outcome:
    return Outcome(
        rule,
        kept=sum(case.kept is True for case in cases),
        broken=tuple(case.index for case in cases if case.kept is False),
        undecided=sum(case.kept is None for case in cases),
    )


def _cases(rule: Rule, scene: Scene) -> Iterator[_Case]:
    match rule.demand:
        case ForbidCall(tools):
            return _banned(scene.calls(tools), rule, scene, unmet=True)
        case ForbidPhrase(phrases):
            met = [Point(i) for i in scene.said_at("agent", phrases)]
            return _banned(met, rule, scene, unmet=scene.is_heard("agent") or None)
        case RequireCall() as demand:
            return _called(demand, rule, scene)
        case RequirePhrase() as demand:
            return _said(demand, rule, scene)
        case ConfirmCall() as demand:
            points = scene.calls(demand.tools)
            return chain.from_iterable(
                _applied(rule, scene, point, confirmed(demand.yes, scene, point)) for point in points
            )
        case SpeakLanguage(codes):
            return _in_language(codes, rule, scene)


def _called(demand: RequireCall, rule: Rule, scene: Scene) -> Iterator[_Case]:
    for point in _moments(demand.moment, scene):
        yield from _applied(rule, scene, point, was_called(demand.lookup, scene, point))


def _said(demand: RequirePhrase, rule: Rule, scene: Scene) -> Iterator[_Case]:
    if not isinstance(demand.moment, InTurn):
        for point in _moments(demand.moment, scene):
            yield from _applied(rule, scene, point, scene.has_said(demand.by, demand.phrases, point))
        return
    for i in scene.agent_turns[:1] if demand.moment.turn == "first_turn" else scene.agent_turns[-1:]:
        for case in _applied(rule, scene, scene.end, i in scene.said_at("agent", demand.phrases)):
            yield _Case(i, case.kept)


def _in_language(codes: tuple[str, ...], rule: Rule, scene: Scene) -> Iterator[_Case]:
    applies = holds(rule.when, scene, scene.end)
    if applies is False:
        return
    allowed = spoken_language.allowed(codes, scene.messages)
    for i in scene.agent_turns:
        yield _Case(i, spoken_language.keeps(scene.messages[i].content, allowed) if applies else None)


def confirmed(yes: Phrases | None, scene: Scene, point: Point) -> Truth:
    """Whether the customer's last turn before a call says yes, in answer to something that the agent said.

    None where no word of the customer is on record, and for a yes beside which no word of the agent is.
    """
    if not scene.is_heard("customer"):
        return None
    answers = scene.last_answer(point)
    agreed = _agreed(yes, scene, answers) if answers else False
    return None if agreed and not scene.is_heard("agent") else agreed


def _agreed(yes: Phrases | None, scene: Scene, answers: Sequence[int]) -> Truth:
    if yes is not None:
        return any(yes.said_in(scene.texts[i]) for i in answers)
    if not scene.is_english:
        return None
    return any(cues.affirms((clause,)) for i in answers for clause in scene.said[i])


def _banned(met: Sequence[Point], rule: Rule, scene: Scene, *, unmet: Truth) -> Iterator[_Case]:
    """A ban with conditions is tested wherever what it bans is met; one without, as soon as the agent does anything.

    `unmet`: whether it was kept where what it bans was not met.
    """
    for point in met:
        banned = holds(rule.when, scene, point)
        yield _Case(point.index, None if banned is None else not banned)
    if not met and not rule.when.conditions and scene.last_of_agent is not None:
        yield _Case(scene.last_of_agent, unmet)


def _applied(rule: Rule, scene: Scene, point: Point, kept: Truth) -> Iterator[_Case]:
    """A duty, tested where its conditions hold."""
    applies = holds(rule.when, scene, point)
    if applies is not False:
        yield _Case(min(point.index, scene.last_of_agent or 0), kept if applies else None)


def _moments(moment: BeforeCall | BeforePhrase | AtEnd, scene: Scene) -> Sequence[Point]:
    match moment:
        case BeforeCall():
            return scene.calls(moment.tools)
        case BeforePhrase():
            return [Point(i) for i in scene.said_at("agent", moment.phrases)]
        case AtEnd():
            return () if scene.last_of_agent is None else (scene.end,)

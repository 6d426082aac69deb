"""CustomerAgentPromptConformance: did the agent keep the rules that were written down for it?"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from spanwitness.errors import ConfigError
from spanwitness.evaluators.contract import ChatEvaluator, Inputs
from spanwitness.evaluators.policy import policy_of, read, run, worst_first
from spanwitness.model import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from spanwitness.evaluators.policy import Outcome, Policy
    from spanwitness.model import Score

_MODE: Final = "rules"
_MOST_PLACES: Final = 20  # of one rule; how many there were stands in the details
_MOST_NAMED: Final = 5


@dataclass(frozen=True)  # without slots: the rules are read once, at construction, and kept beside the fields
class CustomerAgentPromptConformance(ChatEvaluator):
    """Score = rules kept / rules triggered. A rule is kept when it was triggered and nowhere broken.

    No rule runs by itself: without rules it is not applicable. docs/policy.md describes them.

    Attributes:
        rules: tables as TOML has them under [[rules]].
        rules_file: a file of rules, instead of `rules`, `lookups`, `now` and `now_after`.
        lookups: earlier calls that conditions look at by name, as TOML has them under [lookups.NAME].
        now: what time it is for ages; for record and play-back. '' for the time of the call's span.
        now_after: the words of the system prompt behind which the time stands.
    """

    name: ClassVar[str] = "CustomerAgentPromptConformance"
    version: ClassVar[str] = "1"

    rules: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)  # tables have no hash
    rules_file: str = ""
    lookups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    now: str = ""
    now_after: str = ""

    def __post_init__(self) -> None:
        others = {"rules": self.rules, "lookups": self.lookups, "now": self.now, "now_after": self.now_after}
        if self.rules_file and any(others.values()):
            beside = next(key for key, value in others.items() if value)
            raise ConfigError(
                f"{self.name}.rules_file = {self.rules_file!r}: allowed is none beside {beside}, which the file gives"
            )
        try:
            self.policy  # noqa: B018 - what is wrong with the rules is told at start
        except ConfigError as error:
            raise ConfigError(f"{self.name}: {error}") from None

    @classmethod
    def from_file(cls, path: str | Path) -> CustomerAgentPromptConformance:
        """The evaluator of a rule file. Raises ConfigError."""
        return cls(rules_file=str(path))

    @cached_property
    def policy(self) -> Policy:
        if self.rules_file:
            return read(Path(self.rules_file)).policy
        return policy_of(self.rules, lookups=self.lookups, now=self.now, now_after=self.now_after)

    def judge(self, inputs: Inputs) -> Score:
        if not self.policy.rules:
            return self.not_applicable("no_rules", "No rules are given, and none runs by itself.", mode=_MODE)
        outcomes = worst_first(run(self.policy, inputs.conversation))
        details = _details(outcomes, self.policy.digest)
        triggered = [outcome for outcome in outcomes if outcome.state in ("kept", "broken")]
        broken = [outcome for outcome in triggered if outcome.broken]
        if not triggered:
            label, why = _untested(outcomes)
            return self.not_applicable(label, why, details=details, mode=_MODE)
        return self.completed(
            (len(triggered) - len(broken)) / len(triggered),
            f"broken_{broken[0].rule.severity}" if broken else "kept",
            _account(triggered, broken),
            evidence=_places(broken),
            details=details,
            mode=_MODE,
        )


def _untested(outcomes: Sequence[Outcome]) -> tuple[str, str]:
    undecided = sum(outcome.state == "undecided" for outcome in outcomes)
    if undecided:
        return (
            "undecided",
            f"What {undecided} of {len(outcomes)} rules rest on is not on record; no other was triggered.",
        )
    return "not_triggered", f"Nothing that the {len(outcomes)} rules are about has happened."


def _account(triggered: Sequence[Outcome], broken: Sequence[Outcome]) -> str:
    kept = len(triggered) - len(broken)
    text = f"Kept: {kept} of {len(triggered)} triggered {'rule' if len(triggered) == 1 else 'rules'}."
    if broken:
        named = [f"{each.rule.name} ({each.rule.severity}, {len(each.broken)}x)" for each in broken[:_MOST_NAMED]]
        text += f" Broken: {', '.join(named)}{', ...' if len(broken) > _MOST_NAMED else ''}."
    return text


def _places(broken: Iterable[Outcome]) -> Iterator[Evidence]:
    for outcome in broken:
        places = dict.fromkeys(outcome.broken)  # one message may hold several calls
        yield from (Evidence(outcome.rule.name, index) for index in islice(places, _MOST_PLACES))


def _details(outcomes: Iterable[Outcome], digest: str) -> dict[str, Any]:
    """`digest` tells one set of rules from another, so that scores of both are not taken for the same."""
    rules = [
        {
            "name": each.rule.name,
            "severity": each.rule.severity,
            "state": each.state,
            "kept": each.kept,
            "broken": len(each.broken),
            "undecided": each.undecided,
        }
        for each in outcomes
    ]
    return {"rules": rules, "rules_version": digest}

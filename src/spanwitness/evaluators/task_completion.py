"""TaskCompletion: was the customer's request carried out, or rightly refused, and the outcome told?"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from spanwitness.errors import ConfigError
from spanwitness.evaluators import calibrated, signs
from spanwitness.evaluators.calls import agent_actions, canonical, shown
from spanwitness.evaluators.contract import ChatEvaluator, Inputs
from spanwitness.evaluators.traits import traits_of
from spanwitness.model import Evidence
from spanwitness.model.calibration import Calibration
from spanwitness.tool_names import is_handoff, is_read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spanwitness.evaluators.calls import Action
    from spanwitness.model import Message, Score, ToolCall

_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
_FEWEST_TURNS = 2
_TRAITS_TOLD = 3


@dataclass(frozen=True, slots=True)
class TaskCompletion(ChatEvaluator):
    """Score of the changes made against those expected; else what labels taught; else a list of signs of failure.

    Mode "reference" (`expected_actions` given): F1 of the distinct successful calls that change something, by name and
    arguments, times the share of `required_outputs` that the agent told. Mode "calibrated" (`calibration` given): the
    probability that the task was done, by a tenant's own labels; the score's evaluator_version names the calibration.
    Mode "evidence": 0.0 when a sign of failure is met, else not applicable: that nothing went visibly wrong does not
    show that the task was done.

    Attributes:
        reads: tools that only look something up, besides those whose names say so.
        writes: tools that change something although their names say otherwise.
        max_agent_turns: more messages of the agent than this are a sign of failure.
        max_repeated_calls: as many identical calls as this are a sign of failure.
        max_error_rate: a higher share of failed calls is a sign of failure.
        calibration: made by `spanwitness calibrate`, or `spanwitness.calibration.fit`.
    """

    name: ClassVar[str] = "TaskCompletion"
    version: ClassVar[str] = "1"

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    max_agent_turns: int = 25
    max_repeated_calls: int = 3
    max_error_rate: float = 0.25
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        self._check_calibration()
        if not 0 <= self.max_error_rate <= 1:
            raise ConfigError(f"TaskCompletion.max_error_rate is {self.max_error_rate}; allowed: 0 to 1")
        for key, value, least in (
            ("max_repeated_calls", self.max_repeated_calls, 2),
            ("max_agent_turns", self.max_agent_turns, 1),
        ):
            if value < least:
                raise ConfigError(f"TaskCompletion.{key} is {value}; allowed: {least} or more")

    def _check_calibration(self) -> None:
        given, allowed = self.calibration, f"one of spanwitness calibrate for {self.name} {self.version}"
        if given is None:
            return
        if not isinstance(given, Calibration):
            raise ConfigError(f"TaskCompletion.calibration is of type {type(given).__name__}; allowed: {allowed}")
        if (given.evaluator, given.evaluator_version) != (self.name, self.version) or not calibrated.usable(given):
            made_for = f"{given.evaluator} {given.evaluator_version}"
            raise ConfigError(f"TaskCompletion.calibration is one for {made_for}; allowed: {allowed}")

    def judge(self, inputs: Inputs) -> Score:
        if inputs.expected_actions is None and self.calibration is not None:
            score = self._judge(inputs, "calibrated")
            return replace(score, evaluator_version=f"{self.version}+cal{self.calibration.version}")
        return self._judge(inputs, "evidence" if inputs.expected_actions is None else "reference")

    def _judge(self, inputs: Inputs, mode: str) -> Score:
        turns = [message for message in inputs.conversation.messages if signs.from_customer(message)]
        if not turns:
            return self.not_applicable("no_request", "The customer asked for nothing.", mode=mode)
        if inputs.expected_actions is not None:
            return self._by_reference(inputs, inputs.expected_actions)
        if len(turns) < _FEWEST_TURNS:
            return self.not_applicable(
                "too_short", "Fewer than 2 turns of the customer: too little to judge.", mode=mode
            )
        if self.calibration is not None:
            return self._by_calibration(inputs, self.calibration)
        return self._by_evidence(inputs)

    def changes(self, tool: str) -> bool:
        """Whether a call of this tool counts as a change. Handing over to a person is none."""
        if tool in self.writes or tool in self.reads:
            return tool in self.writes
        return not is_read(tool) and not is_handoff(tool)

    def _by_reference(self, inputs: Inputs, given: Sequence[ToolCall]) -> Score:
        messages = inputs.conversation.messages
        names = {call.name for call in given if is_handoff(call.name)}
        expected = {_key(call) for call in given if self.changes(call.name) or call.name in names}
        done = [
            a for a in agent_actions(messages) if not a.failed and (self.changes(a.call.name) or a.call.name in names)
        ]
        made = {_key(action.call) for action in done}
        right = expected & made
        f1 = 2 * len(right) / (len(expected) + len(made)) if expected or made else 1.0
        told = _told(messages, inputs.required_outputs or ())
        share = sum(index is not None for index in told) / len(told) if told else 1.0
        score = f1 * share
        return self.completed(
            score,
            "completed" if score == 1 else "partial" if score else "failed",
            _account(expected, made) + _outputs(told),
            evidence=(*_calls_met(done, expected), *(Evidence("output_told", i) for i in told if i is not None)),
            details={
                "expected": len(expected),
                "made": len(made),
                "right": len(right),
                "f1": f1,
                "outputs_told": share,
            },
            mode="reference",
        )

    def _by_calibration(self, inputs: Inputs, calibration: Calibration) -> Score:
        traits = traits_of(inputs.conversation.messages, self.changes)
        weighed = calibrated.weigh(calibration, traits)
        found = calibration.agreement
        details = {
            "calibration": calibration.version,
            "traits": {weight.trait: traits[weight.trait] for weight in calibration.weights},
            "pulls": {weight.trait: round(pull, 4) for weight, pull in weighed.pulls},
            "outside": list(weighed.outside),
        }
        if weighed.alien:
            why = f"Too little like the labelled conversations to be judged by them: {', '.join(weighed.outside)}."
            return self.not_applicable("unlike_the_labels", why, details=details, mode="calibrated")
        return self.completed(
            weighed.probability,
            "completed" if weighed.probability >= calibrated.CUT else "failed",
            f"Probability of completion {weighed.probability:.2f}, by calibration {calibration.version} (AUC"
            f" {found.auc:.2f} [{found.low:.2f}, {found.high:.2f}] on {found.labels} labels)."
            f" {calibrated.reasons(weighed, traits)}".rstrip(),
            evidence=(Evidence(weight.trait) for weight, _ in weighed.pulls[:_TRAITS_TOLD]),
            details=details,
            mode="calibrated",
        )

    def _by_evidence(self, inputs: Inputs) -> Score:
        found = sorted(self._signs(inputs), key=lambda sign: sign.message_index or 0)
        if not found:
            why = "Not enough evidence: no sign of failure was met, which does not show that the task was done."
            return self.not_applicable("not_enough_evidence", why, mode="evidence")
        rules = sorted({sign.rule for sign in found})
        return self.completed(
            0.0,
            "failed",
            f"Signs of failure: {', '.join(rules).replace('_', ' ')}.",
            evidence=found,
            details={"signs": rules},
            mode="evidence",
        )

    def _signs(self, inputs: Inputs) -> Iterator[Evidence]:
        messages = inputs.conversation.messages
        actions = agent_actions(messages)
        changes = [action for action in actions if self.changes(action.call.name)]
        yield from signs.unrecovered_errors(changes)
        yield from signs.repeated_calls(actions, self.max_repeated_calls)
        yield from signs.error_rate(actions, self.max_error_rate)
        yield from signs.ended_in_call(messages, actions)
        yield from signs.false_claims(messages, actions, changes)
        yield from signs.customer_repeats(messages)
        yield from signs.still_wrong(messages)
        yield from signs.too_many_turns(messages, self.max_agent_turns)
        if None in _told(messages, inputs.required_outputs or ()):
            yield Evidence("required_output_not_told")


def _key(call: ToolCall) -> tuple[str, str]:
    """What makes two calls the same. The arguments of a handoff are a free summary, so they do not count."""
    return call.name, "" if is_handoff(call.name) else canonical(call.arguments)


def _account(expected: set[tuple[str, str]], made: set[tuple[str, str]]) -> str:
    text = f"{len(expected & made)} of {len(expected)} expected changes made, {len(made - expected)} not expected."
    for title, calls in (("Missing", expected - made), ("Not expected", made - expected)):
        if calls:
            text += f" {title}: {', '.join(sorted({shown(name) for name, _ in calls})[:5])}."
    return text


def _outputs(told: Sequence[int | None]) -> str:
    return f" {sum(i is not None for i in told)} of {len(told)} required outputs told." if told else ""


def _calls_met(done: Iterable[Action], expected: set[tuple[str, str]]) -> Iterator[Evidence]:
    for action in done:
        yield Evidence("expected_call" if _key(action.call) in expected else "unexpected_call", action.index)


def _told(messages: Sequence[Message], required: Sequence[str]) -> list[int | None]:
    """For each required output, the first message of the agent that holds it as a whole word or number."""
    if not required:
        return []
    agent = [(i, _plain(message.content)) for i, message in enumerate(messages) if message.role == "assistant"]
    patterns = [re.compile(rf"(?<!\w)(?<!\d\.){re.escape(_plain(text))}(?!\w|\.\d)") for text in required]
    return [next((i for i, text in agent if pattern.search(text)), None) for pattern in patterns]


def _plain(text: str) -> str:
    return _THOUSANDS.sub("", " ".join(text.casefold().split()))

"""Arize Phoenix' metrics of `phoenix.evals.metrics`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from spanwitness.peers.adapter import Answer, PeerMetric, collected, theirs
from spanwitness.peers.view import MissingInput, View, spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class PhoenixMetric(PeerMetric):
    """A metric of `phoenix.evals.metrics`: "exact_match", or a class as "MatchesRegex", "UserFrictionEvaluator".

    A score that is better when lower is turned round (1 - score), so that a threshold means the same as elsewhere;
    `details` has theirs.

    Attributes:
        provider: of the language model, for a metric that asks one.
        model: that model.
        output: which of several scores, as "recall"; empty: "f1" where there is one, else the first.
    """

    peer: ClassVar[str] = "Phoenix"
    package: ClassVar[str] = "arize-phoenix-evals"
    extra: ClassVar[str] = "phoenix"

    provider: str = "openai"
    model: str = ""
    output: str = ""

    def check(self) -> None:
        wanted = self._wanted(self._made())
        unknown = [name for name, needed in wanted.items() if needed and name not in _KNOWN]
        if unknown:
            raise self.refuse(f"a metric of what a conversation has; this one needs {', '.join(unknown)}")

    def ask(self, view: View) -> Answer:
        metric = self._made()
        wanted = self._wanted(metric)
        known = {**_KNOWN, "output": _were_made, "expected": _were_expected} if _of_lists(metric) else _KNOWN
        if "user_message" in wanted:
            known = {**known, "conversation": _history}
        score = self._picked(metric.evaluate(collected(wanted, known, view)))
        details = {"score": score.score, "label": score.label, "direction": score.direction}
        value = score.score
        if value is not None and score.direction == "minimize":
            value = 1 - value
        return Answer(value, score.explanation or "", str(score.label or "scored"), details)

    def _made(self) -> Any:
        module = theirs("phoenix.evals")
        found = getattr(theirs("phoenix.evals.metrics"), self.metric, None) if self.metric else None
        if isinstance(found, type) and issubclass(found, module.Evaluator):
            given = dict(self.parameters)
            if self.model:
                given["llm"] = module.LLM(provider=self.provider, model=self.model)
            return found(**given)
        if isinstance(found, module.Evaluator) and not self.parameters:
            return found
        raise self.refuse("an evaluator of phoenix.evals.metrics, as 'MatchesRegex'; 'exact_match' has no parameters")

    def _wanted(self, metric: Any) -> dict[str, bool]:
        return {name: each.is_required() for name, each in metric.input_schema.model_fields.items()}

    def _picked(self, scores: list[Any]) -> Any:
        by_name = {score.name: score for score in scores}
        if self.output:
            return by_name[self.output]
        return by_name.get("f1", scores[0])


def _of_lists(metric: Any) -> bool:
    """Whether it compares two lists of labels: then of each call that was made or expected, whether it was."""
    return isinstance(metric, theirs("phoenix.evals.metrics").PrecisionRecallFScore)


def _all_calls(view: View) -> list[str]:
    calls = sorted({spelled(call) for call in (*view.made(), *view.expected())})
    if not calls:
        raise MissingInput("a call, made or expected")
    return calls


def _were_made(view: View) -> list[int]:
    made = {spelled(call) for call in view.made()}
    return [int(call in made) for call in _all_calls(view)]


def _were_expected(view: View) -> list[int]:
    expected = {spelled(call) for call in view.expected()}
    return [int(call in expected) for call in _all_calls(view)]


def _history(view: View) -> str:
    return view.dialogue(before_last_request=True)


def _context(view: View) -> str:
    return "\n\n".join(view.contexts())


def _calls(view: View) -> str:
    made = view.made()
    if not made:
        raise MissingInput("a call")
    return "\n".join(map(spelled, made))


_KNOWN: Final[Mapping[str, Callable[[View], Any]]] = {
    "input": View.request,
    "output": View.answer,
    "expected": View.reference,
    "reference": View.reference,
    "conversation": View.dialogue,
    "user_message": View.last_request,
    "context": _context,
    "tool_selection": _calls,
}

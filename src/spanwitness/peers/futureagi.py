"""FutureAGI's `ai-evaluation`: its local metrics, which need no key, and its templates, which do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from spanwitness.peers.adapter import Answer, PeerMetric, collected, theirs
from spanwitness.peers.view import MissingInput, View, as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Local metrics of text alone. All others that may take what was expected give 0.0 without it.
_ALONE: Final = frozenset(
    {
        "contains",
        "contains_all",
        "contains_any",
        "contains_email",
        "contains_json",
        "contains_link",
        "contains_none",
        "contains_valid_link",
        "is_email",
        "is_json",
        "json_schema",
        "json_syntax",
        "length_between",
        "length_greater_than",
        "length_less_than",
        "one_line",
        "regex",
    }
)
_OF_ONE_CALL: Final = frozenset({"function_call_exact_match", "function_name_match"})
_NEVER_GIVEN: Final = {"parameter_validation": "function_definitions"}
_EXPECTATIONS: Final = ("expected_response", "expected", "reference")


@dataclass(frozen=True)
class FutureAGIMetric(PeerMetric):
    """A metric by its name there, as "function_call_exact_match" or "groundedness"; `parameters` are its config.

    Attributes:
        engine: "local" runs here. "turing" and "llm" send the conversation away and need a key (FI_API_KEY and
            FI_SECRET_KEY, or that of the model's provider).
        model: of the engine; not for "local".
    """

    peer: ClassVar[str] = "FutureAGI"
    package: ClassVar[str] = "ai-evaluation"
    extra: ClassVar[str] = "futureagi"

    # A library of theirs fetches a price list when it is imported.
    quiet: ClassVar[Mapping[str, str]] = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}

    engine: Literal["local", "turing", "llm"] = "local"
    model: str = ""

    def check(self) -> None:
        if not self.metric:
            raise self.refuse("the name of a metric, as 'function_call_exact_match'")
        if self.engine != "local":
            theirs("fi.evals")
            return
        wanted = self._wanted(self._fields())
        unknown = [name for name, needed in wanted.items() if needed and name not in _KNOWN]
        unknown += [_NEVER_GIVEN[self.metric]] if self.metric in _NEVER_GIVEN else []
        if unknown:
            raise self.refuse(f"a metric of what a conversation has; this one needs {', '.join(unknown)}")

    def ask(self, view: View) -> Answer:
        evaluate = theirs("fi.evals").evaluate
        given = self._given(view) if self.engine == "local" else collected(_TEMPLATE, _KNOWN, view)
        result = evaluate(
            self.metric, engine=self.engine, model=self.model or None, config=dict(self.parameters), **given
        )
        if result.status != "completed":
            raise RuntimeError(result.error or "")
        return Answer(result.score, result.reason or "", "pass" if result.passed else "fail")

    def _given(self, view: View) -> dict[str, Any]:
        fields = self._fields()
        of_calls = "function_definitions" in fields
        if "trajectory" in fields and not view.actions():
            raise MissingInput("a call")
        given = collected(self._wanted(fields), {**_KNOWN, **_OF_CALLS} if of_calls else _KNOWN, view)
        if of_calls and not given["response"] and not given["expected_response"]:
            raise MissingInput("a call, made or expected")  # theirs is 0.0, though nothing went wrong
        return _singled(given) if self.metric in _OF_ONE_CALL else given

    def _fields(self) -> Mapping[str, Any]:
        """The metric's inputs, as it declares them."""
        registry = theirs("fi.evals.local.registry").get_registry()
        if not registry.is_registered(self.metric):
            raise self.refuse(f"of engine 'local': {', '.join(registry.list_metrics())}")
        fields: Mapping[str, Any] = registry.create(self.metric, dict(self.parameters)).input_model.model_fields
        return fields

    def _wanted(self, fields: Mapping[str, Any]) -> dict[str, bool]:
        """Those that a conversation may have, and whether the metric needs each, which is more than it declares."""
        compares = self.metric not in _ALONE and "contexts" not in fields
        return {
            name: each.is_required() or (compares and name in _EXPECTATIONS)
            for name, each in fields.items()
            if each.is_required() or name in _KNOWN
        }


def _singled(given: Mapping[str, Any]) -> dict[str, Any]:
    """For a metric that compares one call with one; given lists, it would answer 0.0."""
    made, expected = given["response"], given["expected_response"]
    if len(made) > 1 or len(expected) != 1:
        raise MissingInput("one call, where one is expected")
    return {**given, "response": made[0] if made else "", "expected_response": expected[0]}


def _task(view: View) -> dict[str, Any]:
    expected = view.inputs.expected_actions
    return {
        "description": view.request(),
        "expected_outcome": view.inputs.reference,
        "required_tools": None if expected is None else sorted({call.name for call in expected}),
    }


def _trajectory(view: View) -> list[dict[str, Any]]:
    """A step for each call of the agent, and the last answer."""
    steps: list[dict[str, Any]] = []
    for number, (action, call) in enumerate(zip(view.actions(), as_json(view.made()), strict=True), start=1):
        result = action.result.content if action.result else None
        done = {**call, "result": result, "success": not action.failed, "error": result if action.failed else None}
        steps.append({"step_number": number, "action": call["name"], "tool_calls": [done], "observation": result})
    return [*steps, {"step_number": len(steps) + 1, "action": "answer", "observation": view.answer(), "is_final": True}]


def _made(view: View) -> list[dict[str, Any]]:
    return as_json(view.made())


def _expected(view: View) -> list[dict[str, Any]]:
    return as_json(view.expected())


def _context(view: View) -> str:
    return "\n\n".join(view.contexts())


_KNOWN: Final[Mapping[str, Callable[[View], Any]]] = {
    "input": View.request,
    "query": View.request,
    "output": View.answer,
    "response": View.answer,
    "final_result": View.answer,
    "conversation": View.dialogue,
    "agent_prompt": View.system_prompt,
    "context": _context,
    "contexts": View.contexts,
    "reference": View.reference,
    "expected": View.reference,
    "expected_response": View.reference,
    "expected_result": View.reference,
    "task": _task,
    "trajectory": _trajectory,
}
_OF_CALLS: Final[Mapping[str, Callable[[View], Any]]] = {"response": _made, "expected_response": _expected}
# What their templates read, as far as a conversation has it.
_TEMPLATE: Final = {"input": True, "output": True, "conversation": True, "agent_prompt": False, "context": False}

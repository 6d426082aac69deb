"""Ragas' metrics of `ragas.metrics.collections`: those of a conversation's calls, and those of an answer."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from spanwitness.peers.adapter import Answer, PeerMetric, collected, theirs
from spanwitness.peers.view import MissingInput, View, arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class RagasMetric(PeerMetric):
    """A metric of `ragas.metrics.collections`, as "ToolCallAccuracy".

    Attributes:
        model: of OpenAI's, or of an endpoint that speaks as theirs (OPENAI_API_KEY, OPENAI_BASE_URL), for a metric that
            asks a language model.
    """

    peer: ClassVar[str] = "Ragas"
    package: ClassVar[str] = "ragas"
    extra: ClassVar[str] = "ragas"
    quiet: ClassVar[Mapping[str, str]] = {"RAGAS_DO_NOT_TRACK": "true"}

    model: str = ""

    def check(self) -> None:
        unknown = [name for name, needed in self._wanted().items() if needed and name not in _KNOWN]
        if unknown:
            raise self.refuse(f"a metric of what a conversation has; this one needs {', '.join(unknown)}")
        self._made()

    def ask(self, view: View) -> Answer:
        wanted = self._wanted()
        whole = "HumanMessage" in str(inspect.signature(self._kind().ascore).parameters.get("user_input"))
        given = collected(wanted, {**_KNOWN, "user_input": _turns} if whole else _KNOWN, view)
        if self.metric == "ToolCallF1" and not given["reference_tool_calls"] and not view.made():
            raise MissingInput("a call, made or expected")  # theirs is 0.0, though nothing went wrong
        result = self._made().score(**given)
        return Answer(result.value, result.reason or "")

    def _kind(self) -> Any:
        collections = theirs("ragas.metrics.collections")
        kind = getattr(collections, self.metric, None) if self.metric else None
        if not (isinstance(kind, type) and hasattr(kind, "ascore")):
            raise self.refuse("a metric class of ragas.metrics.collections, as 'ToolCallAccuracy'")
        return kind

    def _wanted(self) -> dict[str, bool]:
        takes = inspect.signature(self._kind().ascore).parameters.values()
        return {each.name: each.default is each.empty for each in takes if each.name not in ("self", "kwargs")}

    def _made(self) -> Any:
        kind = self._kind()
        given = dict(self.parameters)
        if self.model:
            client = theirs("openai").AsyncOpenAI()
            given["llm"] = theirs("ragas.llms").llm_factory(self.model, client=client)
        return kind(**given)


def _turns(view: View) -> list[Any]:
    """The conversation in their messages, with the agent's calls and what came back."""
    kinds = theirs("ragas.messages")
    view.request()  # with nobody asking there is no conversation
    called: dict[int, list[Any]] = {}
    for action in view.actions():
        call = kinds.ToolCall(name=action.call.name, args=arguments(action.call))
        called.setdefault(action.index, []).append(call)
    turns: list[Any] = []
    for i, each in enumerate(view.messages):
        if each.role == "user":
            turns.append(kinds.HumanMessage(content=each.content))
        elif each.role == "assistant":
            turns.append(kinds.AIMessage(content=each.content, tool_calls=called.get(i)))
        elif each.role == "tool":
            turns.append(kinds.ToolMessage(content=each.content))
    return turns


def _expected(view: View) -> list[Any]:
    kind = theirs("ragas.messages").ToolCall
    return [kind(name=name, args=given) for name, given in view.expected()]


_KNOWN: Final[Mapping[str, Callable[[View], Any]]] = {
    "user_input": View.request,
    "response": View.answer,
    "reference": View.reference,
    "retrieved_contexts": View.contexts,
    "reference_tool_calls": _expected,
}

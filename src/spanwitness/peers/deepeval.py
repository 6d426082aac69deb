"""DeepEval's metrics: those of one exchange and those of a whole conversation."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from spanwitness.peers.adapter import Answer, PeerMetric, theirs
from spanwitness.peers.view import MissingInput, View, arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class DeepEvalMetric(PeerMetric):
    """A metric of `deepeval.metrics`, as "ToolCorrectnessMetric".

    One of an exchange gets the customer's first request and the agent's last answer, the documents, the calls made and
    expected, and the reference; one of a conversation gets its turns, the system prompt as the agent's role, and the
    reference as the expected outcome. Which model judges is a parameter of the metric there (`model`), its key comes
    from the environment as DeepEval reads it.
    """

    peer: ClassVar[str] = "DeepEval"
    package: ClassVar[str] = "deepeval"
    extra: ClassVar[str] = "deepeval"
    quiet: ClassVar[Mapping[str, str]] = {
        "DEEPEVAL_TELEMETRY_OPT_OUT": "1",
        "DEEPEVAL_DISABLE_DOTENV": "1",  # else it reads keys and settings from .env files where the server was started
    }

    def check(self) -> None:
        self._made()

    def ask(self, view: View) -> Answer:
        if self.metric == "ToolPermissionMetric" and not view.made():
            raise MissingInput("a call")  # theirs is 1.0, though nothing was put to the test
        metric = self._made()
        whole = isinstance(metric, theirs("deepeval.metrics").BaseConversationalMetric)
        case = _conversation(view) if whole else _exchange(view)
        try:
            metric.measure(case, _show_indicator=False)
        except theirs("deepeval.errors").MissingTestCaseParamsError as error:
            raise MissingInput("what the metric asks for") from error
        label = {True: "pass", False: "fail"}.get(metric.success, "scored")
        return Answer(metric.score, metric.reason or "", label)

    def _made(self) -> Any:
        """A new one each time, since it holds the state of its last run."""
        metrics = theirs("deepeval.metrics")
        kind = getattr(metrics, self.metric, None) if self.metric else None
        bases = (metrics.BaseMetric, metrics.BaseConversationalMetric)
        if not (isinstance(kind, type) and issubclass(kind, bases)) or kind in bases:
            raise self.refuse("a metric class of deepeval.metrics, as 'ToolCorrectnessMetric'")
        given = dict(self.parameters)
        if kind is metrics.ToolCorrectnessMetric and "available_tools" not in given:
            given.setdefault(
                "model", _no_model()
            )  # it asks one only of available tools, and refuses to be made without
        if "async_mode" in inspect.signature(kind).parameters:
            given.setdefault("async_mode", False)  # this is a thread of its own already
        return kind(**given)


def _no_model() -> Any:
    base = theirs("deepeval.models").DeepEvalBaseLLM

    def refused(*_: object, **__: object) -> Any:
        raise RuntimeError("no model is configured")

    return type(
        "NoModel",
        (base,),
        {
            "load_model": lambda self: self,
            "generate": refused,
            "a_generate": refused,
            "get_model_name": lambda _: "none",
        },
    )()


def _exchange(view: View) -> Any:
    case = theirs("deepeval.test_case")
    contexts = _or_none(view.contexts)
    return case.LLMTestCase(
        input=view.request(),
        actual_output=view.answer(),
        expected_output=_or_none(view.reference),
        context=contexts,
        retrieval_context=contexts,
        tools_called=_made_calls(view),
        expected_tools=_tools(_or_none(view.expected)),
    )


def _conversation(view: View) -> Any:
    case = theirs("deepeval.test_case")
    called: dict[int, list[Any]] = {}
    for action in view.actions():
        called.setdefault(action.index, []).append(
            case.ToolCall(
                name=action.call.name,
                input_parameters=arguments(action.call),
                output=action.result and action.result.content,
            )
        )
    contexts = _or_none(view.contexts)
    turns = [
        case.Turn(
            role=each.role,
            content=each.content,
            tools_called=called.get(i),
            retrieval_context=contexts if each.role == "assistant" else None,
        )
        for i, each in enumerate(view.messages)
        if each.role in ("user", "assistant")
    ]
    view.request(), view.answer()  # a metric of a conversation needs both sides of it
    return case.ConversationalTestCase(
        turns=turns, chatbot_role=_or_none(view.system_prompt), expected_outcome=_or_none(view.reference)
    )


def _made_calls(view: View) -> Any:
    return _tools(view.made())


def _tools(calls: list[tuple[str, dict[str, Any]]] | None) -> Any:
    if calls is None:
        return None
    kind = theirs("deepeval.test_case").ToolCall
    return [kind(name=name, input_parameters=given) for name, given in calls]


def _or_none(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except MissingInput:
        return None

"""An evaluator that asks a language model, called as any other one is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from spanwitness.errors import ConfigError
from spanwitness.evaluators.contract import ChatEvaluator, Inputs
from spanwitness.judge import QUESTIONS
from spanwitness.judge.asking import MODE
from spanwitness.judge.endpoint import Endpoint, JudgeError
from spanwitness.model import JudgeUse, Score

if TYPE_CHECKING:
    from spanwitness.judge.asking import Question
    from spanwitness.judge.endpoint import Reply
    from spanwitness.judge.settings import JudgeSettings
    from spanwitness.model import Conversation


class Took(Protocol):
    """What the calls of a score took together. Cost in USD."""

    @property
    def input_tokens(self) -> int: ...

    @property
    def output_tokens(self) -> int: ...

    @property
    def cost_usd(self) -> float: ...

    @property
    def latency_ms(self) -> int: ...


class _OneCall(NamedTuple):
    input_tokens: int
    output_tokens: int
    cost_usd: float
    latency_ms: int


class JudgedEvaluator(ChatEvaluator):
    """One of the questions in QUESTIONS, put to the configured model for every conversation. Safe for many threads.

    Rests on the messages, the system prompt and the documents; other inputs are not sent. Where no usable answer comes,
    the score has status "failed" and its label is the outcome, such as "timeout": asking again is the caller's to do.

    Args:
        evaluator: a name in QUESTIONS.
        judge: the settings; or an endpoint, which several evaluators then share and whose owner closes it.

    Raises:
        ConfigError: there is no question of this name, or the openai client is not installed.
    """

    __slots__ = ("_endpoint", "_owned", "_question")

    def __init__(self, evaluator: str, judge: JudgeSettings | Endpoint) -> None:
        question = QUESTIONS.get(evaluator)
        if question is None:
            raise ConfigError(f"evaluator {evaluator!r} is not one that can be judged; allowed: {', '.join(QUESTIONS)}")
        self._question = question
        self._owned = not isinstance(judge, Endpoint)
        self._endpoint = judge if isinstance(judge, Endpoint) else Endpoint(judge)

    @property
    def name(self) -> str:  # type: ignore[override] # a class for each name would say no more
        """The evaluator's, since it answers the same."""
        return self._question.evaluator

    @property
    def version(self) -> str:  # type: ignore[override]
        """The question's."""
        return self._question.version

    def judge(self, inputs: Inputs) -> Score:
        """See ChatEvaluator."""
        settings = self._endpoint.settings
        conversation = as_sent(inputs.conversation, redact=settings.redact)
        asked = self._question.ask(conversation)
        if isinstance(asked, Score):
            return replace(asked, judge=JudgeUse(settings.model, prompt=self._question.prompt_digest))
        try:
            reply = self._endpoint.ask(asked)
        except JudgeError as error:
            return failed(self._question, error, self._use(error))
        return replace(self._question.read(reply.answer, conversation), judge=self._use(reply))

    def _use(self, call: Reply | JudgeError) -> JudgeUse:
        settings = self._endpoint.settings
        cost = settings.cost_usd(call.input_tokens, call.output_tokens)
        took = _OneCall(call.input_tokens, call.output_tokens, cost, call.latency_ms)
        return use_of(self._question, settings, took, call.served)

    def close(self) -> None:
        """Lets go of the connections, unless the endpoint is somebody else's."""
        if self._owned:
            self._endpoint.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()


def as_sent(conversation: Conversation, *, redact: bool) -> Conversation:
    """The conversation that a question is asked about and its answer read against."""
    if not redact:
        return conversation
    from spanwitness.evaluators.pii_redact import redact_conversation

    return redact_conversation(conversation)


def use_of(
    question: Question, settings: JudgeSettings, took: Took, served: str = "", *, cached: bool = False
) -> JudgeUse:
    """The judge's part in a score, whether there was an answer or not. See JudgeUse."""
    return JudgeUse(
        judge=settings.model,
        served=served,
        prompt=question.prompt_digest,
        input_tokens=took.input_tokens,
        output_tokens=took.output_tokens,
        cost_usd=took.cost_usd,
        latency_ms=took.latency_ms,
        cached=cached,
    )


def failed(question: Question, error: JudgeError, use: JudgeUse) -> Score:
    """The score where no usable answer came."""
    return Score(
        question.evaluator,
        question.version,
        None,
        error.outcome,
        "failed",
        f"{question.evaluator}: the judge gave no usable answer ({error}).",
        mode=MODE,
        judge=use,
    )

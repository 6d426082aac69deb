"""An OpenAI-compatible endpoint, asked one question at a time. The only place that knows the openai client.

One call of `ask` is one answer or one error: nothing is tried again here, since whoever asks counts and records the
calls. What an endpoint does not know (JSON schemas, a temperature) it refuses at once and without cost; then the same
is asked without it, and the endpoint is not asked for it again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import threading
import time
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self

from spanwitness.errors import ConfigError, SpanWitnessError
from spanwitness.judge.reply import Completion, Unusable, answer_of, completion_of, refused_for, retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.judge.asking import Asked
    from spanwitness.judge.reply import Reason
    from spanwitness.judge.settings import JudgeSettings

Outcome = Literal["unusable", "refused", "limited", "timeout", "unreachable", "error"]

Form = Literal["json_schema", "json_object", "text"]

_FORMATS: Final[tuple[Form, ...]] = ("json_schema", "json_object", "text")
_TOO_MANY, _TIMEOUTS, _SERVER_FAULTS = 429, frozenset({408, 504}), 500
_ABOUT_CONTENT: Final = frozenset({400, 413, 422})
_LONGEST_BODY: Final = 4 << 20  # bytes; the longest answers that models give have some 0.5 MB
_NO_KEY: Final = "none"  # the client wants one; none is sent


class Manner(NamedTuple):
    """How a question is put: the format that the answer is bound to, and the temperature; None: the model's own."""

    form: Form = "json_schema"
    temperature: int | None = 0


_BEST: Final = Manner()


class JudgeError(SpanWitnessError):
    """No usable answer. The message says why, without anything of what was sent or answered.

    Attributes:
        outcome: "unusable", not the JSON that was asked for; "refused", by the model or a content filter; "limited",
            429; "timeout"; "unreachable", no connection, or one that broke; "error", any other status.
        retry_after_s: the endpoint's own wish.
        may_retry: the same question may be answered another time.
        served: the model that answered, as far as one did; likewise the tokens.
        manner: how it was asked at last; None where it was not.
    """

    manner: Manner | None = None

    def __init__(
        self,
        outcome: Outcome,
        why: str,
        *,
        retry_after_s: float | None = None,
        may_retry: bool = True,
        completion: Completion | None = None,
        latency_ms: int = 0,
    ) -> None:
        super().__init__(f"{outcome}: {why}")
        self.outcome: Outcome = outcome
        self.retry_after_s = retry_after_s
        self.may_retry = may_retry
        self.served = completion.served if completion else ""
        self.input_tokens = completion.input_tokens if completion else 0
        self.output_tokens = completion.output_tokens if completion else 0
        self.latency_ms = latency_ms


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the schema that was asked for.

    Attributes:
        served: the model that answered, by its own account; '' where the endpoint tells none.
        input_tokens: as the endpoint counts them; 0 where it does not. Likewise `output_tokens`.
        manner: how it was asked.
    """

    answer: dict[str, Any]
    served: str
    input_tokens: int
    output_tokens: int
    latency_ms: int
    manner: Manner = _BEST


class Endpoint:
    """Asks the configured model. Safe for many threads; `close`, or leaving a `with`, ends what is under way.

    Raises:
        ConfigError: the openai client is not installed.
    """

    def __init__(self, settings: JudgeSettings) -> None:
        self.settings = settings
        self._client = _client(settings)
        self._manner = _BEST  # the best that the endpoint is known to take
        # A loop of its own lets a question be given up in time, whatever the endpoint does meanwhile.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="judge-endpoint", daemon=True)
        self._thread.start()
        self._closing = threading.Lock()
        self._closed = False

    def ask(self, asked: Asked) -> Reply:
        """The model's answer, within the time set.

        Raises:
            JudgeError: there is none that can be used. Also when `close` comes in between.
        """
        began = time.monotonic()
        with self._closing:
            if self._closed:
                raise JudgeError("unreachable", "closed")
            future = asyncio.run_coroutine_threadsafe(self._ask(asked, began), self._loop)
        try:
            return future.result()
        except CancelledError:
            raise JudgeError("unreachable", "closed meanwhile", latency_ms=_since(began)) from None

    def close(self) -> None:
        """Gives up what is under way and lets go of the connections. Twice does no harm."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()

    async def _finish(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.close()

    async def _ask(self, asked: Asked, began: float) -> Reply:
        manners = [self._manner]
        try:
            return await self._reply(asked, began, manners)
        except JudgeError as error:
            error.manner = manners[-1]
            raise

    async def _reply(self, asked: Asked, began: float, manners: list[Manner]) -> Reply:
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                completion = await self._completion(asked, began, manners)
        except TimeoutError:
            why = f"no answer within {self.settings.timeout_s:g} s"
            raise JudgeError("timeout", why, latency_ms=_since(began)) from None
        latency_ms = _since(began)
        if completion.refusal:
            why = f"the judge refused ({completion.refusal})"
            raise JudgeError("refused", why, may_retry=False, completion=completion, latency_ms=latency_ms)
        try:
            answer = answer_of(completion, asked.schema)
        except Unusable as error:
            raise JudgeError("unusable", str(error), completion=completion, latency_ms=latency_ms) from None
        tokens = completion.input_tokens, completion.output_tokens
        return Reply(answer, completion.served, *tokens, latency_ms, manners[-1])

    async def _completion(self, asked: Asked, began: float, manners: list[Manner]) -> Completion:
        """Asks in the last of `manners`, and in a plainer one, which is added, when the endpoint refuses that."""
        import openai

        while True:
            manner = manners[-1]
            try:
                async with self._client.chat.completions.with_streaming_response.create(
                    **_body(asked, self.settings.model, manner),
                    extra_headers={} if self.settings.key else {"Authorization": openai.Omit()},
                ) as response:
                    completion = completion_of(await _body_of(response))
            except openai.APIStatusError as error:
                reason = refused_for(error.response.content) if error.status_code in _ABOUT_CONTENT else None
                if reason == "temperature" and manner.temperature is not None:
                    manners.append(manner._replace(temperature=None))
                elif reason == "format" and manner.form != _FORMATS[-1]:
                    manners.append(manner._replace(form=_FORMATS[_FORMATS.index(manner.form) + 1]))
                else:
                    raise _of_status(error, reason, _since(began)) from None
            except openai.APITimeoutError:
                raise TimeoutError from None
            except Unusable as error:
                raise JudgeError("unusable", str(error), latency_ms=_since(began)) from None
            except openai.OpenAIError as error:
                why = f"no connection, or it broke ({type(error).__name__})"
                raise JudgeError("unreachable", why, latency_ms=_since(began)) from None
            else:
                self._manner = manner
                return completion


def _client(settings: JudgeSettings) -> Any:
    try:
        import openai
    except ImportError:
        raise ConfigError("a judge needs the openai client: pip install 'spanwitness[judge]'") from None
    # At DEBUG some releases of the client log the whole request, and with it what customers said.
    logger = logging.getLogger("openai")
    logger.setLevel(max(logger.level, logging.INFO))
    return openai.AsyncOpenAI(
        api_key=settings.key or _NO_KEY,
        base_url=settings.url,
        timeout=settings.timeout_s,
        max_retries=0,
        # What the process's environment says of OpenAI is not meant for whoever else is asked.
        default_headers={"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()},  # type: ignore[dict-item]
        # A redirection would carry a conversation to where nobody allowed it to go.
        http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False, trust_env=not settings.is_here),
    )


async def _body_of(response: Any) -> bytes:
    """The body, unpacked. Raises Unusable for one that is longer than any answer, APIConnectionError as it breaks."""
    import openai

    body = bytearray()
    try:
        async for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _LONGEST_BODY:
                break
    except Exception:  # noqa: BLE001 - of httpx or of httpx2, by the client's release
        raise openai.APIConnectionError(request=response.http_request) from None
    if len(body) > _LONGEST_BODY:
        raise Unusable(f"the body is longer than {_LONGEST_BODY >> 20} MiB")
    return bytes(body)


def _body(asked: Asked, model: str, manner: Manner) -> dict[str, Any]:
    system = asked.system
    if manner.form != "json_schema":
        system += f"\n\nThe JSON schema of the answer:\n{json.dumps(asked.schema)}"
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": asked.user}],
    }
    if manner.temperature is not None:
        body["temperature"] = manner.temperature
    if manner.form == "json_schema":
        schema = {"name": asked.evaluator, "strict": True, "schema": asked.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif manner.form == "json_object":
        body["response_format"] = {"type": "json_object"}
    return body


def _of_status(error: Any, reason: Reason | None, latency_ms: int) -> JudgeError:
    status: int = error.status_code
    headers: Mapping[str, str] = error.response.headers
    wait = retry_after(headers.get("retry-after"), headers.get("retry-after-ms"), time.time())
    if status == _TOO_MANY:
        return JudgeError("limited", f"status {status}", retry_after_s=wait, latency_ms=latency_ms)
    if status in _TIMEOUTS:
        return JudgeError("timeout", f"status {status}", retry_after_s=wait, latency_ms=latency_ms)
    if status in _ABOUT_CONTENT:
        if reason == "filter":
            why = f"a content filter refused the conversation (status {status})"
            return JudgeError("refused", why, may_retry=False, latency_ms=latency_ms)
        return JudgeError("error", f"status {status}", may_retry=False, latency_ms=latency_ms)
    # A key or a model's name (401, 403, 404) may be put right as a fault of the server may pass.
    return JudgeError("error", f"status {status}", retry_after_s=wait, latency_ms=latency_ms)


def _since(began: float) -> int:
    return math.ceil((time.monotonic() - began) * 1000)

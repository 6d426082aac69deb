"""Looks at one answer as it passes, and stamps the span of the model call with what the answer says of its model."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

from spanwitness import attributes
from spanwitness.sdk.inflating import inflater
from spanwitness.sdk.kinds import Kind, kind_of
from spanwitness.sdk.lineage import lineage
from spanwitness.sdk.served import AnswerReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.trace import Span

    from spanwitness.sdk.served import Served

_log = logging.getLogger(__name__)

MODEL_PATHS: Final = (
    r"/(chat/)?completions",  # OpenAI, Azure OpenAI, and who speaks like them: Mistral, Groq, vLLM, Ollama, ...
    r"/responses",
    r"/v\d\w*/messages",  # Anthropic
    r":(generateContent|streamGenerateContent)",  # Gemini
    r":(rawPredict|streamRawPredict)",  # Anthropic on Vertex
    r"/model/[^/]+/invoke",  # Bedrock; Converse names no model in its answer
    r"/api/(chat|generate)",  # Ollama's own
)
"""Regular expressions; a POST to an address whose path ends with one of them is a model call."""

_FORMS = ("json", "event-stream")
_MOST_UNKNOWN = 3


class Endpoints:
    """Which requests are looked at.

    Args:
        paths: regular expressions for the end of an address's path.
        hosts: regular expressions for the whole host name; none for any host.

    Raises:
        ValueError: one of them is no regular expression.
    """

    def __init__(self, paths: Sequence[str] = MODEL_PATHS, hosts: Sequence[str] = ()) -> None:
        self._paths = [_pattern("path", rf"(?:{path})\Z", path) for path in paths]
        self._hosts = [_pattern("host", host, host) for host in hosts]

    def are_called(self, method: str, host: str, path: str) -> bool:
        """The request goes to a model."""
        if method != "POST" or not any(pattern.search(path) for pattern in self._paths):
            return False
        return not self._hosts or any(pattern.fullmatch(host) for pattern in self._hosts)


def _pattern(key: str, expression: str, given: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except re.error as error:
        raise ValueError(f"{key} {given!r} of the probe is no regular expression: {error}") from error


class Watch:
    """Sees the bytes of one answer. Never raises, keeps none of them.

    Args:
        span: current when the request was made.
        encoding: Content-Encoding of the bytes that will be seen.
    """

    def __init__(self, span: Span, encoding: str = "") -> None:
        self._span = span
        self._reader = AnswerReader()
        self._inflate = inflater(encoding)
        self.done = self._inflate is None

    def see(self, data: bytes) -> None:
        """The next bytes of the body, as they came."""
        if self.done or self._inflate is None:
            return
        try:
            self._reader.feed(self._inflate(data))
            self._stamp_if_known()
        except Exception as error:  # noqa: BLE001 - the application must not fail for its telemetry
            self._give_up(error)

    def end(self) -> None:
        """The body is complete."""
        if self.done:
            return
        try:
            self._reader.finish()
            self._stamp_if_known()
        except Exception as error:  # noqa: BLE001 - the same
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self.done = True
        _log.debug("An answer could not be read: %s", type(error).__name__)

    def _stamp_if_known(self) -> None:
        if self._reader.done:
            self.done = True
            if self._reader.served is not None:
                stamp(self._span, self._reader.served)


def watch(status: int, headers: Mapping[str, str], span: Span, *, encoded: bool) -> Watch | None:
    """A watch for an answer whose body is about to come; None where there is nothing to learn.

    Args:
        status: HTTP status. Nothing but success names a model that answered.
        headers: of the answer, found by any case of their names.
        span: current when the request was made.
        encoded: the bytes will come as they were sent, not decompressed.
    """
    form = headers.get("content-type", "").lower()
    if not 200 <= status < 300 or (form and not any(known in form for known in _FORMS)):  # noqa: PLR2004 - success
        return None
    found = Watch(span, headers.get("content-encoding", "") if encoded else "")
    return None if found.done else found


def stamp(span: Span, served: Served) -> None:
    """Sets what was served on the span of the model call at or above `span`.

    Libraries that make two spans of one call get both stamped: which of them counts is the reader's to say. Where none
    looks like a model call, the spans that tell nothing of themselves are stamped, up to three; never a span that
    looks like a tool, an agent or another wrapper.
    """
    found = {attributes.SERVED_MODEL: served.model}
    if served.fingerprint:
        found[attributes.SERVED_FINGERPRINT] = served.fingerprint
    for target in _targets(span):
        if target.is_recording():
            target.set_attributes(found)


def _targets(span: Span) -> list[Span]:
    calls: list[Span] = []
    unknown: list[Span] = []
    for above in lineage(span):
        kind = _kind(above)
        if kind is Kind.MODEL:
            calls.append(above)
        elif calls or kind not in (Kind.UNKNOWN, Kind.PART):
            break
        elif kind is Kind.UNKNOWN:
            unknown.append(above)
    return calls or unknown[:_MOST_UNKNOWN]


def _kind(span: Span) -> Kind:
    scope = span.instrumentation_scope
    return kind_of(span.name, "" if scope is None else scope.name, dict(span.attributes or {}))

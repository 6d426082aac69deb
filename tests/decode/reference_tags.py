"""A slow and obvious reading of one span's tags.

It shares with the product what is known (the dialects' declarations, the lists of words, how model names are read), and
no other code: every declaration is evaluated for one span at a time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from spanwitness.identity import CONVERSATION_TRUST
from spanwitness.model_names import normalise_provider, parse
from spanwitness.tag import ADDRESS, AGENT_LIBRARIES, FAILED, NO_IDS, UNTRUSTED_IDS
from spanwitness.tag.dialect import SPAN_NAME, Dialect, From, Kind
from spanwitness.tag.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Row = dict[str, Any]
MODEL_CALLS = ("llm", "speech")


@dataclass
class Seen:
    """What of a span a dialect reads."""

    scope: str
    name: str
    status: str
    attributes: dict[str, str]
    resource: dict[str, str]

    def value(self, key: str) -> str | None:
        return self.name if key == SPAN_NAME else self.attributes.get(key)


def tags_of(span: Seen) -> Row:
    dialect = _dialect(span)
    kind = _kind(span, dialect.kinds)
    return {
        "Dialect": dialect.name,
        "StepKind": kind,
        **conversation_of(span, dialect),
        "ConversationEnded": span.attributes.get("spanwitness.conversation.ended") == "true"
        or _kind(span, dialect.end) == "end",
        "TrajectoryStep": _whole(span.attributes.get("agent.trajectory.step", "")),
        "Actor": span.attributes.get("spanwitness.actor") or _kind(span, dialect.actors) or ("ai" if kind else ""),
        "AgentName": _told(span, dialect.agent),
        "AgentVersion": _told(span, dialect.agent_version)
        or (span.resource.get("service.version", "") if dialect.service_version else ""),
        "PromptVersion": _told(span, dialect.prompt_version),
        "ToolName": (_told(span, dialect.tool) or span.name) if kind == "tool" else "",
        "Channel": span.attributes.get("spanwitness.channel", ""),
        "Intent": span.attributes.get("spanwitness.intent", ""),
        "Language": span.attributes.get("spanwitness.language", ""),
        "StepFailed": _told(span, dialect.error) in FAILED.to_pylist(),
        **_model(span, dialect, call=kind in MODEL_CALLS),
    }


def conversation_of(span: Seen, dialect: Dialect) -> Row:
    source, identity = _first(
        span,
        dialect.conversation,
        believed=lambda found: found not in NO_IDS and not found.startswith(UNTRUSTED_IDS),
    )
    key = source.key if source else ""
    return {
        "ConversationId": identity,
        "ConversationIdSource": key,
        "ConversationTrust": CONVERSATION_TRUST.index(key) if key in CONVERSATION_TRUST else len(CONVERSATION_TRUST),
    }


def _model(span: Seen, dialect: Dialect, *, call: bool) -> Row:
    requested = _told(span, dialect.requested)
    origin, served = _served(span, dialect, requested)
    provider = normalise_provider(_told(span, dialect.provider))
    if not provider or provider in AGENT_LIBRARIES:
        provider = parse(served or requested).provider
    version = f"{served}" if served else f"{requested}?" if requested else ""
    maker = provider or "unknown"
    if served and ADDRESS.fullmatch(maker):
        maker = parse(served).provider or maker
    finish = _told(span, dialect.finish_reason)
    listed = re.match(r'\[[ \t\n\f\r]*"([^"]*)"', finish)
    row = {
        "Provider": provider,
        "RequestedModel": requested,
        "ServedModel": served,
        "ServedModelSource": origin,
        "SystemFingerprint": span.attributes.get("spanwitness.served.fingerprint") or _told(span, dialect.fingerprint),
        "ModelVersion": version and f"{maker}/{version.removeprefix(f'{maker}/')}",
        "InputTokens": _whole(_told(span, dialect.input_tokens)),
        "OutputTokens": _whole(_told(span, dialect.output_tokens)),
        "FinishReason": (listed[1] if listed else "") if finish.startswith("[") else finish,
    }
    return row if call else {name: type(value)() for name, value in row.items()}


def _served(span: Seen, dialect: Dialect, requested: str) -> tuple[str, str]:
    """How the served model is known, and its name."""
    if probed := span.attributes.get("spanwitness.served.model"):
        return "probe", probed
    source, served = _first(span, dialect.served, requested)
    if source is None or (span.status == "Error" and requested in ("", served)):
        return "unknown", ""
    return "payload" if source.path else "response", served


def _dialect(span: Seen) -> Dialect:
    def spoken_by(dialect: Dialect) -> bool:
        return any(_matches(name, span.scope) for name in dialect.scopes)

    def bears(names: Sequence[str]) -> bool:
        return any(name in span.attributes for name in names)

    for dialect in DIALECTS:
        if spoken_by(dialect) and (not dialect.requires or bears(dialect.requires)):
            return dialect
    return next((dialect for dialect in DIALECTS if bears(dialect.markers)), DIALECTS[-1])


def _ends(pattern: str, value: str) -> bool:
    return pattern.startswith("*") and value.endswith(pattern[1:])


def _matches(pattern: str, value: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def _kind(span: Seen, kinds: Sequence[Kind]) -> str:
    for kind in kinds:
        value = _believed(span, kind.source, None)
        if value in kind.steps:
            return kind.steps[value]
        for pattern, step in kind.steps.items():
            if value and (_matches(pattern, value) or _ends(pattern, value)):
                return step
    return ""


def _told(span: Seen, sources: Sequence[From]) -> str:
    return _first(span, sources)[1]


def _first(
    span: Seen,
    sources: Sequence[From],
    requested: str | None = None,
    believed: Callable[[str], bool] = bool,
) -> tuple[From | None, str]:
    for source in sources:
        value = _believed(span, source, requested)
        if value and believed(value):
            return source, value
    return None, ""


def _believed(span: Seen, source: From, requested: str | None) -> str:
    """What the source says, '' where its conditions do not hold."""
    value = span.value(source.key)
    if value is None or not _holds(span, source):
        return ""
    if source.path or source.quoted:
        value = _inside(value, source.path)
    if source.unless_requested and requested is not None:
        repeats = value is not None and value.split("/")[-1] == requested.split("/")[-1]
        return "" if repeats or not requested else value
    return value


def _holds(span: Seen, source: From) -> bool:
    return (
        (not source.spans or span.name in source.spans)
        and span.name not in source.beside
        and (source.where is None or span.value(source.where[0]) == source.where[1])
        and (not source.without or span.value(source.without) is None)
    )


def _inside(document: str, path: Sequence[str | int]) -> str:
    try:
        value: Any = orjson.loads(document)
        for part in path:
            fits = isinstance(value, list) if isinstance(part, int) else isinstance(value, dict)
            value = value[part] if fits else None
    except (orjson.JSONDecodeError, KeyError, IndexError):
        return ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _only_text(value)


def _only_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(digits: str) -> int:
    return int(digits.split(".", maxsplit=1)[0]) if re.fullmatch(r"[0-9]{1,9}(\.0*)?", digits) else 0

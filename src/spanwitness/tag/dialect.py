"""What a dialect declares: which keys it puts a fact under, in which order of trust, and which of them lie.

A dialect is data. One vectorised reader (`tag.reader`) evaluates it for a whole batch; there is no code per span.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SPAN_NAME: Final = "@name"
"""Stands for the span's name where a declaration names a key."""

Steps = Mapping[str, str]
"""Value -> StepKind; '' for a container. A trailing * matches a prefix, a leading one an ending."""


@dataclass(frozen=True, slots=True)
class From:
    """Where a fact is read.

    Attributes:
        key: the attribute, or SPAN_NAME.
        spans: only on spans of these names (empty: on all).
        beside: not on spans of these names.
        where: only on spans whose attribute has this value: (key, value).
        without: only on spans that lack this attribute ('': on all).
        path: the value is JSON and the fact stands at this path inside it.
        quoted: the value is a JSON string; its text is the fact.
        unless_requested: not believed where it only repeats the requested model's name.
    """

    key: str
    spans: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    where: tuple[str, str] | None = None
    without: str = ""
    path: tuple[str | int, ...] = ()
    quoted: bool = False
    unless_requested: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to tell a span's step kind: the value read, and what each value means."""

    source: From
    steps: Steps


Sources = tuple[From, ...]


def keys(*names: str) -> Sources:
    """Plain attributes in order of trust."""
    return tuple(From(name) for name in names)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One instrumentation's way of writing agent telemetry.

    Attributes:
        scopes: instrumentation scopes that speak it; a trailing * matches a prefix.
        markers: attributes that give it away where the scope is not known.
        requires: of the spans that its scopes match, only those with one of these attributes (empty: all).
        kinds: first that answers wins. A span whose kind stays unanswered is a container.
        served: empty where the library never tells which model answered.
        service_version: the resource's service.version is the application's own, and stands for an agent's version.
        error: "true", "error", "failed" or "failure" here means that the step failed, whatever the status says.
        actors: who acted where it is not the AI: human (on the agent's side) or customer.
        end: read as `kinds`, to "end" for a span that ends its conversation.
    """

    name: str
    scopes: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    conversation: Sources = ()
    provider: Sources = ()
    requested: Sources = ()
    served: Sources = ()
    fingerprint: Sources = ()
    agent: Sources = ()
    agent_version: Sources = field(default=keys("gen_ai.agent.version"))
    service_version: bool = True
    prompt_version: Sources = ()
    tool: Sources = ()
    input_tokens: Sources = ()
    output_tokens: Sources = ()
    finish_reason: Sources = ()
    error: Sources = ()
    actors: tuple[Kind, ...] = ()
    end: tuple[Kind, ...] = ()

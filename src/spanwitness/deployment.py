"""Declared changes: what a declaration says, which changes it covers, and whether what it announced ever came."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from spanwitness.errors import SpanWitnessError
from spanwitness.model import ChangeKind, Deployment, Slot
from spanwitness.model_names import normalise_provider, parse, relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spanwitness.model import SwapClass

Source = Literal["cli", "http", "span"]

GRACE: Final = dt.timedelta(minutes=1)
"""How long before its declared beginning a change may be seen: spans are dated by other clocks than declarations."""

TO: Final[dict[str, ChangeKind]] = {"to_model": "model", "to_prompt": "prompt", "to_agent_version": "agent"}
FROM: Final[dict[str, ChangeKind]] = {"from_model": "model", "from_prompt": "prompt", "from_agent_version": "agent"}
FIELDS: Final = ("tenant", *TO, *FROM, "agent", "service", "from", "until", "by", "reason", "id")
"""Of a declaration, whichever way it comes."""

_KINDS: Final[dict[str, ChangeKind]] = {
    "version": "model",
    "mismatch": "model",
    "disguised": "model",
    "prompt": "prompt",
    "agent": "agent",
}
_LONGEST: Final = {"reason": 2000, "id": 128}
_LONG: Final = 256
_TIME: Final = "ISO 8601 with its offset from UTC, such as '2026-11-21T09:00:00Z', between 2000 and 2200, or 'now'"
_YEARS: Final = range(2000, 2200)
_DIGITS: Final = 10
_PATTERN: Final = re.compile(r"[*?\[\]]")
_UNFIT: Final = re.compile("[\0\ud800-\udfff]")  # what no column of the record can hold


class NotAllowed(SpanWitnessError):  # noqa: N818 - says what the declaration is
    """A field of a declaration is missing or has a value that is not allowed.

    Attributes:
        field: its name.
        why: the value, and what is allowed.
    """

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field} {why}")
        self.field = field
        self.why = why


@dataclass(frozen=True, slots=True)
class Declaration:
    """A declaration as it came.

    Attributes:
        named: its id was given; else it follows from the content.
        dated: its beginning was given; else it is when it came.
    """

    deployment: Deployment
    named: bool
    dated: bool

    def repeats(self, other: Deployment) -> bool:
        """Whether `other`, which is on record, says the same. When and how it came is no part of that."""
        return _content(self.deployment, dated=self.dated) == _content(other, dated=self.dated)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A version that was in use at some moment; '' for a service or an agent that has no name."""

    kind: ChangeKind
    service: str
    agent: str
    version: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Absence:
    """A declared change that had not been seen when it should have been.

    Attributes:
        due: when that was.
        seen: when it came all the same; None as long as it has not.
    """

    deployment: Deployment
    due: dt.datetime
    seen: dt.datetime | None


def read_declaration(fields: Mapping[str, Any], now: dt.datetime, source: Source) -> Declaration:
    """What somebody declares.

    Args:
        fields: texts by the names of FIELDS; '' and None stand for nothing said.
        now: when it came.
        source: how it came.

    Raises:
        NotAllowed: a field is unknown, missing or has a value that is not allowed.
    """
    told = {name: _text(name, value) for name, value in fields.items() if value not in (None, "")}
    for name in ("tenant", "by", "reason"):
        if name not in told:
            raise NotAllowed(name, "is missing: allowed is a text that is not empty")
    kind, to_version = _one(told, TO)
    if kind == "model":
        _refuse_patterns(told)
    now = _milliseconds(now)
    deployment = Deployment(
        tenant=told["tenant"],
        deployment_id=told.get("id", ""),
        to_version=to_version,
        valid_from=_time("from", told["from"], now) if "from" in told else now,
        declared_at=now,
        kind=kind,
        service=told.get("service", ""),
        agent=told.get("agent", ""),
        from_version=_from_version(told, kind),
        valid_until=_time("until", told["until"], now) if "until" in told else None,
        declared_by=told["by"],
        reason=told["reason"],
        source=source,
    )
    if deployment.valid_until is not None and deployment.valid_until <= deployment.valid_from:
        raise NotAllowed("until", f"= {told['until']!r}: allowed is a time after {iso(deployment.valid_from)}")
    return Declaration(deployment, named="id" in told, dated=told.get("from", "now") != "now")


def told(deployment: Deployment) -> dict[str, Any]:
    """A declaration by the names of FIELDS, with what is known of it beyond them: for JSON."""
    return {
        "id": deployment.deployment_id,
        "tenant": deployment.tenant,
        "service": deployment.service,
        "agent": deployment.agent,
        _field(FROM, deployment.kind): deployment.from_version,
        _field(TO, deployment.kind): deployment.to_version,
        "from": iso(deployment.valid_from),
        "until": iso(deployment.valid_until) if deployment.valid_until else None,
        "by": deployment.declared_by,
        "reason": deployment.reason,
        "declared_at": iso(deployment.declared_at),
        "source": deployment.source,
        "withdrawn": deployment.withdrawn,
    }


def digest_of(declaration: Declaration, number: int = 1) -> str:
    """The id that follows from the content. `number`: 2 for the first after one that was withdrawn, and so on."""
    content = [*_content(declaration.deployment, dated=declaration.dated), *([number] if number > 1 else [])]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:_DIGITS]


def kind_of(swap_class: SwapClass) -> ChangeKind | None:
    """What kind of declaration can excuse a swap of this class; None where none can.

    To declare a model is not to have it approved, nor to tell which one answers: `unapproved` and `unverified` stand
    whatever is declared.
    """
    return _KINDS.get(swap_class)


def covering(
    deployments: Sequence[Deployment],
    slot: Slot,
    kind: ChangeKind,
    from_version: str,
    to_version: str,
    at: dt.datetime,
) -> Deployment | None:
    """The declaration that covers a change, None where none does; of several the one that was declared first.

    Args:
        deployments: declarations, of whatever tenant.
        slot: where the change was seen.
        kind: what changed.
        from_version: what was there before, as the ledger writes it: `provider/model` for a model.
        to_version: what came.
        at: when it was first seen.
    """
    found = [
        one
        for one in deployments
        if not one.withdrawn
        and one.kind == kind
        and one.valid_from - GRACE <= at
        and (one.valid_until is None or at < one.valid_until)
        and _applies(one, slot)
        and names(kind, one.to_version, to_version)
        and (not one.from_version or names(kind, one.from_version, from_version))
    ]
    return min(found, key=lambda one: (one.declared_at, one.deployment_id), default=None)


def names(kind: ChangeKind, declared: str, version: str) -> bool:
    """Whether a declared name is that of a version. Prompts and agents: the same text.

    Models: `gpt-4o-mini` names every snapshot of it, at whatever provider; with a snapshot it names that one alone, and
    `openai/gpt-4o-mini` names it at OpenAI alone.
    """
    if kind != "model":
        return declared == version
    return _related(declared, version) in {"same", "alias"}


def absences(
    deployments: Iterable[Deployment], sightings: Iterable[Sighting], now: dt.datetime, overdue: dt.timedelta
) -> list[Absence]:
    """The declared changes whose time had passed at `now` before anybody saw them.

    A version that may be the declared one, since nobody tells what answered, counts as seen: absence is a claim too.

    Args:
        deployments: declarations of one tenant; those that were withdrawn are passed over.
        sightings: what was in use in the tenant's slots.
        now: the time.
        overdue: how long after it was to begin, or was declared, a change without an end is waited for.
    """
    seen = list(sightings)
    found = []
    for deployment in deployments:
        deadline = due(deployment, overdue)
        if deployment.withdrawn or now < deadline:
            continue
        first = first_seen(deployment, seen)
        if first is None or first >= deadline:
            found.append(Absence(deployment, deadline, first))
    return found


def due(deployment: Deployment, overdue: dt.timedelta) -> dt.datetime:
    """When a declared change should have been seen: by its end, else so long after it began or was declared."""
    return deployment.valid_until or max(deployment.valid_from, deployment.declared_at) + overdue


def first_seen(deployment: Deployment, sightings: Iterable[Sighting]) -> dt.datetime | None:
    """When a declared change was first seen in its slots, from its beginning on; None: never."""
    return min(
        (
            one.at
            for one in sightings
            if one.kind == deployment.kind
            and one.at >= deployment.valid_from - GRACE
            and deployment.service in ("", one.service)
            and deployment.agent in ("", one.agent)
            and _may_be(one.kind, deployment.to_version, one.version)
        ),
        default=None,
    )


def _applies(deployment: Deployment, slot: Slot) -> bool:
    same_tenant = deployment.tenant == slot.tenant
    return same_tenant and deployment.service in ("", slot.service) and deployment.agent in ("", slot.agent)


def _may_be(kind: ChangeKind, declared: str, version: str) -> bool:
    return declared == version if kind != "model" else _related(declared, version) != "different"


def _related(declared: str, version: str) -> str:
    """How a version, `provider/model`, relates to a declared name that may leave out the provider."""
    provider, _, served = version.removesuffix("?").partition("/")
    if declared == version or declared.lower() == served.lower():
        return "same"
    host, name = _host(declared, provider)
    if host and host != normalise_provider(provider) and host != _host(served, "")[0]:
        return "different"
    return relation(name, served, provider)


def _host(name: str, provider: str) -> tuple[str, str]:
    """The provider that stands before a model's name, if one does, and the name without it."""
    head, slash, rest = name.partition("/")
    if not slash:
        return "", name
    if head == provider:
        return normalise_provider(provider), rest
    return parse(name).provider, name


def _one(told: Mapping[str, str], fields: Mapping[str, ChangeKind]) -> tuple[ChangeKind, str]:
    given = [name for name in fields if name in told]
    if len(given) != 1:
        missing = "is missing" if not given else f"= {told[given[0]]!r} beside {' and '.join(given[1:])}"
        raise NotAllowed(given[0] if given else next(iter(fields)), f"{missing}: allowed is one of {', '.join(fields)}")
    return fields[given[0]], told[given[0]]


def _refuse_patterns(told: Mapping[str, str]) -> None:
    """A declaration of `*` would cover nothing, and look as if it covered everything."""
    for field in ("to_model", "from_model"):
        if _PATTERN.search(told.get(field, "")):
            raise NotAllowed(field, f"= {_short(told[field])}: allowed is the name of one model, not a pattern")


def _from_version(told: Mapping[str, str], kind: ChangeKind) -> str:
    for name, fits in FROM.items():
        if name in told and fits != kind:
            raise NotAllowed(name, f"= {told[name]!r}: allowed beside it is {_field(TO, fits)}")
    return told.get(_field(FROM, kind), "")


def _field(fields: Mapping[str, ChangeKind], kind: ChangeKind) -> str:
    return next(name for name, fits in fields.items() if fits == kind)


def _text(name: str, value: Any) -> str:
    if name not in FIELDS:
        raise NotAllowed(name, f"is unknown: allowed are {', '.join(FIELDS)}")
    most = _LONGEST.get(name, _LONG)
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > most or _UNFIT.search(text):
        raise NotAllowed(name, f"= {_short(value)}: allowed is a text of 1 to {most} characters")
    return text


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONG else f"{text[:40]}... ({len(text)} characters)"


def _time(name: str, text: str, now: dt.datetime) -> dt.datetime:
    if text == "now":
        return now
    try:
        found = dt.datetime.fromisoformat(text).astimezone(dt.UTC) if _has_offset(text) else None
    except (ValueError, OverflowError):
        found = None
    if found is None or found.year not in _YEARS:
        raise NotAllowed(name, f"= {text!r}: allowed is {_TIME}")
    return _milliseconds(found)


def _has_offset(text: str) -> bool:
    """A time without one is somebody's local time, and nobody knows whose."""
    return dt.datetime.fromisoformat(text).tzinfo is not None


def _milliseconds(moment: dt.datetime) -> dt.datetime:
    """As fine as the record keeps it."""
    moment = moment.astimezone(dt.UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def iso(moment: dt.datetime) -> str:
    """A moment as JSON and people read it, in UTC."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _content(one: Deployment, *, dated: bool) -> list[str]:
    begin, end = (iso(one.valid_from) if dated else ""), (iso(one.valid_until) if one.valid_until else "")
    slots = [one.tenant, one.service, one.agent]
    return [*slots, one.kind, one.from_version, one.to_version, begin, end, one.declared_by, one.reason]

"""Declared changes that spans carry: read from the columns of a batch, recorded before its senders are answered."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from spanwitness import attributes as names
from spanwitness.deployment import TO, NotAllowed, iso, read_declaration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spanwitness.columns import Batch
    from spanwitness.deployment import Declaration
    from spanwitness.errors import SpanWitnessError

log = logging.getLogger(__name__)

# The conventions' own (semantic-conventions, registry, deployment).
_ID: Final = "deployment.id"
_NAME: Final = "deployment.name"
_STATUS: Final = "deployment.status"
_FIELD: Final = {
    "to_model": names.DEPLOYMENT_TO_MODEL,
    "to_prompt": names.DEPLOYMENT_TO_PROMPT,
    "to_agent_version": names.DEPLOYMENT_TO_AGENT_VERSION,
    "from_model": names.DEPLOYMENT_FROM_MODEL,
    "service": names.DEPLOYMENT_SERVICE,
    "agent": names.DEPLOYMENT_AGENT,
    "from": names.DEPLOYMENT_FROM,
    "until": names.DEPLOYMENT_UNTIL,
    "by": names.DEPLOYMENT_BY,
    "reason": names.DEPLOYMENT_REASON,
}
_MOST_IN_A_BATCH: Final = 100
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Told:
    """What the spans of a batch say alike of one deployment. Texts, '' where nothing is said.

    Attributes:
        fields: by the names of a declaration's fields.
        agent_version: as tagged.
        began: when the first of the spans started.
    """

    tenant: str
    service: str
    identity: str
    name: str
    agent_version: str
    fields: tuple[tuple[str, str], ...]
    began: dt.datetime
    arrived: dt.datetime

    @property
    def key(self) -> tuple[object, ...]:
        """The same for all that says the same."""
        return self.tenant, self.service, self.identity, self.name, self.agent_version, self.fields


def told_by_spans(batch: Batch, tagged: pa.Table, at: dt.datetime) -> list[Told]:
    """What a batch says of deployments. Costs a look for two names in a list of those there are, where there is none.

    Args:
        batch: as decoded.
        tagged: its rows, with TenantId, ServiceName and AgentVersion.
        at: when it arrived.
    """
    identity, name = _column(batch, _ID), _column(batch, _NAME)
    if identity is None and name is None:
        return []
    columns = {field: _column(batch, key) for field, key in _FIELD.items()}
    says = [column for field, column in columns.items() if field in TO or field == "by" if column is not None]
    if not says:
        return []
    nothing = pa.repeat("", batch.n)
    table = pa.table(
        {
            "tenant": tagged["TenantId"],
            "own": tagged["ServiceName"],
            "agent_version": tagged["AgentVersion"],
            "identity": nothing if identity is None else identity,
            "name": nothing if name is None else name,
            **{field: nothing if column is None else column for field, column in columns.items()},
            "_began": tagged["Timestamp"],
        }
    )
    failed = _column(batch, _STATUS)
    wanted = _any([identity, name])
    wanted = pc.and_(wanted, _any(says))
    if failed is not None:
        wanted = pc.and_(wanted, pc.not_equal(failed, "failed"))
    table = table.filter(wanted)
    keys = [column for column in table.column_names if column != "_began"]
    grouped = table.group_by(keys, use_threads=False).aggregate([("_began", "min")])
    if len(grouped) > _MOST_IN_A_BATCH:
        log.warning("spans of one batch declare %d changes; %d are taken", len(grouped), _MOST_IN_A_BATCH)
    return [_told(row, at) for row in grouped.slice(0, _MOST_IN_A_BATCH).to_pylist()]


class SpanDeclarations:
    """Records what spans declare. What one process says on each of its spans is looked at once.

    Args:
        record: `Register.record_of_spans`.
    """

    def __init__(
        self, record: Callable[[Sequence[Declaration], dt.datetime], Sequence[SpanWitnessError | None]]
    ) -> None:
        self._record = record
        self._known: set[tuple[object, ...]] = set()

    def take(self, found: Sequence[Told]) -> None:
        """Records what is new. Raises StoreError; what is not allowed is logged and passed over."""
        news = [told for told in found if told.key not in self._known]
        read = [(told, one) for told in news for fields in _declared(told) if (one := _read(fields, told))]
        if read:
            refused = self._record([one for _, one in read], news[0].arrived)
            for (told, _), error in zip(read, refused, strict=True):
                if error is not None:
                    log.warning("a span of tenant %s, service %s: %s", told.tenant, told.service, error)
        if len(self._known) + len(news) > _REMEMBERED:
            self._known.clear()
        self._known.update(told.key for told in news)


def _read(fields: Mapping[str, str], told: Told) -> Declaration | None:
    """What a span declares; None, and a line in the log, where it is not allowed."""
    try:
        declaration = read_declaration(fields, told.arrived, "span")
    except NotAllowed as error:
        log.warning("a span of tenant %s, service %s declares nothing: %s", told.tenant, told.service, error)
        return None
    return declaration if "from" in dict(told.fields) else replace(declaration, dated=False)


def _declared(told: Told) -> list[dict[str, str]]:
    """The fields of each change that a span declares: a deployment may bring a model, a prompt and an agent."""
    said = dict(told.fields)
    if "by" in said and "service" not in said and told.agent_version:
        said.setdefault("to_agent_version", told.agent_version)
    service = said.pop("service", told.service)
    common = {
        "tenant": told.tenant,
        "service": "" if service == "*" else service,
        "agent": said.get("agent", ""),
        "from": said.get("from", iso(told.began)),
        "until": said.get("until", ""),
        "by": said.get("by") or told.service or "a span",
        "reason": said.get("reason") or told.name or f"deployment {told.identity}",
    }
    changes = [name for name in TO if name in said]
    return [
        {
            **common,
            "id": _identity(told.identity, name, alone=len(changes) == 1),
            name: said[name],
            "from_model": said.get("from_model", "") if name == "to_model" else "",
        }
        for name in changes
    ]


def _identity(identity: str, name: str, *, alone: bool) -> str:
    return identity if alone or not identity else f"{identity}:{TO[name]}"


def _column(batch: Batch, key: str) -> pa.StringArray | None:
    """An attribute of the span, else of its resource; '' where neither has it, None where nobody does."""
    own, shared = batch.attributes.column(key), batch.of_resource(key)
    if own is None or shared is None:
        found = own if shared is None else shared
        return None if found is None else found.fill_null("")
    return pc.coalesce(own, shared).fill_null("")


def _any(columns: Sequence[pa.StringArray | None]) -> pa.BooleanArray:
    masks = [pc.not_equal(column, "") for column in columns if column is not None]
    found = masks[0]
    for mask in masks[1:]:
        found = pc.or_(found, mask)
    return found


def _told(row: dict[str, object], at: dt.datetime) -> Told:
    return Told(
        tenant=str(row["tenant"]),
        service=str(row["own"]),
        identity=str(row["identity"]),
        name=str(row["name"]),
        agent_version=str(row["agent_version"]),
        fields=tuple((field, str(row[field])) for field in _FIELD if row[field]),
        began=_utc(row["_began_min"]),
        arrived=at,
    )


def _utc(value: object) -> dt.datetime:
    moment = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
    assert isinstance(moment, dt.datetime)  # noqa: S101 - what Arrow gives for a timestamp
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)

"""Declared changes: recorded, held against the ledger, and told when what they announced has not come."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from spanwitness.deployment import (
    covering,
    digest_of,
    iso,
    kind_of,
    read_declaration,
    told,
)
from spanwitness.errors import SpanWitnessError
from spanwitness.store import deployments as declared

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spanwitness.deployment import Declaration, Source
    from spanwitness.model import Deployment
    from spanwitness.store import Store

_MILLISECOND: Final = dt.timedelta(milliseconds=1)


class UnknownDeployment(SpanWitnessError):  # noqa: N818 - says what it is
    """No declaration of this id is on record."""


class OtherDeployment(SpanWitnessError):  # noqa: N818 - the same
    """Something else is on record under this id. What was declared is not edited."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What became of a declaration.

    Attributes:
        new: it was not on record before.
        covers: the swaps on record that it covers, the oldest first.
    """

    deployment: Deployment
    new: bool
    covers: tuple[declared.Entry, ...] = ()

    def told(self) -> dict[str, Any]:
        """The same for JSON."""
        return {"deployment": told(self.deployment), "new": self.new, "covers": [_brief(one) for one in self.covers]}


# One at a time in a process: a request lane and a command may declare the same in the same moment.
_writing = threading.Lock()


class Register:
    """What was declared, in a store. Methods may be called from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def declare(self, fields: Mapping[str, Any], now: dt.datetime, source: Source) -> Declared:
        """Records what somebody declares; the same a second time is the same record.

        Raises:
            NotAllowed: a field is missing or has a value that is not allowed.
            OtherDeployment: the id stands for something else.
            StoreError: it could not be recorded.
        """
        declaration = read_declaration(fields, now, source)
        with _writing:
            deployment, new = self._place(declaration)
            if new:
                declared.insert_deployments(self._store, [deployment], now)
        return Declared(deployment, new, tuple(self._covers(deployment)))

    def record_of_spans(self, declarations: Sequence[Declaration], now: dt.datetime) -> list[OtherDeployment | None]:
        """Records what spans declare: one look for each tenant and one write, however many they are.

        Of each why it was not recorded, None where it is on record now. Raises StoreError; then none is.
        """
        identities = [_identity(one) for one in declarations]
        refused: list[OtherDeployment | None] = []
        with _writing:
            known = self._named(declarations, identities)
            new = []
            for one, identity in zip(declarations, identities, strict=True):
                key = (one.deployment.tenant, identity)
                try:
                    placed = _placed(one, identity, known.get(key))
                except OtherDeployment as error:
                    refused.append(error)
                    continue
                refused.append(None)
                if placed is not None and placed[1]:
                    known[key] = placed[0]
                    new.append(placed[0])
            declared.insert_deployments(self._store, new, now)
        return refused

    def _named(
        self, declarations: Sequence[Declaration], identities: Sequence[str]
    ) -> dict[tuple[str, str], Deployment]:
        """What is on record under some ids, by tenant and id."""
        asked: dict[str, list[str]] = {}
        for one, identity in zip(declarations, identities, strict=True):
            asked.setdefault(one.deployment.tenant, []).append(identity)
        return {
            (tenant, identity): found
            for tenant, ids in asked.items()
            for identity, found in declared.deployments_named(self._store, tenant, ids).items()
        }

    def withdraw(self, tenant: str, identity: str, now: dt.datetime) -> Deployment:
        """Takes a declaration back; it covers nothing any more. Once withdrawn it stays so.

        Raises:
            UnknownDeployment: there is none of this id.
        """
        with _writing:
            found = declared.deployments_named(self._store, tenant, [identity]).get(identity)
            if found is None:
                raise UnknownDeployment(f"tenant {tenant!r} has no deployment {identity!r} on record")
            gone = replace(found, withdrawn=True)
            if not found.withdrawn:
                # Never in the same moment as the record itself: the later row is the one that counts.
                declared.insert_deployments(self._store, [gone], max(now, found.declared_at + _MILLISECOND))
        return gone

    def _place(self, declaration: Declaration) -> tuple[Deployment, bool]:
        """The record that a declaration stands for, and whether it is new."""
        tenant, number = declaration.deployment.tenant, 1
        while True:
            identity = _identity(declaration, number)
            found = declared.deployments_named(self._store, tenant, [identity]).get(identity)
            placed = _placed(declaration, identity, found)
            if placed is not None:
                return placed
            number += 1

    def _covers(self, deployment: Deployment) -> list[declared.Entry]:
        entries = declared.entries_of(self._store, deployment.tenant, absent=False)
        return [entry for entry in entries if _covered(deployment, entry)]


def _identity(declaration: Declaration, number: int = 1) -> str:
    return declaration.deployment.deployment_id if declaration.named else digest_of(declaration, number)


def _placed(declaration: Declaration, identity: str, found: Deployment | None) -> tuple[Deployment, bool] | None:
    """The record that a declaration stands for under an id, and whether it is new; None: it takes the next id."""
    wanted = declaration.deployment
    if found is None:
        return replace(wanted, deployment_id=identity), True
    if declaration.named and not declaration.repeats(found):
        raise OtherDeployment(_other(found))
    if not found.withdrawn or wanted.source == "span":
        return found, False  # what a process repeats on each of its spans does not undo a withdrawal
    if declaration.named:
        raise OtherDeployment(f"id = {identity!r}: was withdrawn and stays so; allowed is another id")
    return None


def _covered(deployment: Deployment, entry: declared.Entry) -> bool:
    kind = kind_of(entry.swap_class)
    if kind is None:
        return False
    change = (entry.slot, kind, entry.from_version, entry.to_version, entry.first_seen)
    return covering([deployment], *change) is not None


def _brief(entry: declared.Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "class": entry.swap_class,
        "service": entry.slot.service,
        "agent": entry.slot.agent,
        "from": entry.from_version,
        "to": entry.to_version,
        "first_seen": iso(entry.first_seen),
    }


def _other(found: Deployment) -> str:
    withdrawn = ", withdrawn" if found.withdrawn else ""
    return (
        f"id = {found.deployment_id!r}: is on record for {found.to_version!r} since {iso(found.valid_from)}{withdrawn},"
        " with another content; what was declared is not edited: allowed is another id, or none"
    )

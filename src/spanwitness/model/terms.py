"""What was agreed and declared: frozen values, no I/O."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

ChangeKind = Literal["model", "prompt", "agent"]


@dataclass(frozen=True, slots=True)
class BundleTerms:
    """Which evaluators run together, as somebody wrote it down. What is empty is left to whoever is asked next.

    Attributes:
        thresholds: by evaluator, on its scale.
        judged: which of them a language model scores as well.
    """

    evaluators: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    judged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """What a buyer and a vendor agreed, from `valid_from` until `valid_until` (exclusive; None: until further notice).

    Attributes:
        version: 1 for the first that was recorded of this tenant, 2 for the next.
        approved: patterns of the models that may answer; none: any may.
        aliases: (requested, served) patterns that are no mismatch, such as names of Azure deployments.
        min_verified: the least share of calls, 0..1, that must tell which model answered; None: nothing agreed.
        evaluators: which run; none: the configured ones.
        thresholds: by evaluator.
        notice: how long before it takes effect a change is to be declared.
        judged: which evaluators a language model scores as well; none: the configured ones.
        parameters: of evaluators, by name: the fields of each, as JSON has them.
        channels: what is agreed otherwise for a channel.
    """

    tenant: str
    version: int
    valid_from: dt.datetime
    valid_until: dt.datetime | None = None
    approved: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    min_verified: float | None = None
    evaluators: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    notice: dt.timedelta = dt.timedelta()
    name: str = ""
    source: str = ""
    text: str = ""
    recorded_at: dt.datetime | None = None
    judged: tuple[str, ...] = ()
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    channels: Mapping[str, BundleTerms] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A change that somebody declared: in these slots, in this time, this version may come into use.

    Attributes:
        service: '' for every service of the tenant; likewise `agent`.
        from_version: '' for any.
        to_version: a model name, a prompt version or an agent version, by `kind`.
        valid_until: None: from then on.
        declared_at: when we were told, which may be after the fact.
        source: who told us: `cli`, `http` or `span`.
    """

    tenant: str
    deployment_id: str
    to_version: str
    valid_from: dt.datetime
    declared_at: dt.datetime
    kind: ChangeKind = "model"
    service: str = ""
    agent: str = ""
    from_version: str = ""
    valid_until: dt.datetime | None = None
    declared_by: str = ""
    reason: str = ""
    source: Literal["cli", "http", "span"] = "cli"
    withdrawn: bool = False

    @property
    def declarer(self) -> str:
        """Who declared it, as a swap names them. A span may name anybody, so it is told that one did."""
        return f"a span ({self.declared_by})" if self.source == "span" else self.declared_by

"""What an entry comes to: declared or not, how grave, how far it has spread; and what it rests on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from spanwitness.deployment import GRACE, covering, kind_of
from spanwitness.model import Deployment, Severity, Slot, Swap, Traffic
from spanwitness.swap.uses import order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spanwitness.model import Contract
    from spanwitness.swap.entries import Entry
    from spanwitness.swap.rules import Rules
    from spanwitness.swap.track import Track

Told = tuple["Entry", "Track"]
_SUCCESSIONS: Final = ("version", "prompt", "agent")
_GRAVE: Final = frozenset({"version", "disguised", "unapproved"})
_HOUR_S: Final = 3600


def judge(slot: Slot, told: Iterable[Told], rules: Rules, deployments: Sequence[Deployment]) -> list[Swap]:
    """A slot's entries as the ledger has them, in order of time. Each comes with the track that it is counted on."""
    found = sorted(told, key=lambda pair: (order(pair[0].use), pair[0].swap_class, pair[0].from_version))
    bench = _Bench(slot, rules, deployments)
    return _linked([bench.swap(entry, track) for entry, track in found])


def severity_of(
    swap_class: str, traffic: Traffic, *, declared: bool, in_time: bool, undoes: bool, same_model: bool
) -> Severity:
    """How grave a change is.

    Args:
        swap_class: of the change.
        traffic: what it took over while it stood.
        declared: a declaration covers it.
        in_time: that was made before the change was seen.
        undoes: it takes back a change that nobody had declared.
        same_model: by its name it is the model that answered before, elsewhere or in another spelling.
    """
    if swap_class == "fingerprint" or (declared and in_time):
        return "info"
    if declared:
        return "warning"
    if undoes:
        return "info"
    if swap_class == "version" and (same_model or traffic == "fallback"):
        return "warning"
    return "page" if swap_class in _GRAVE else "warning"


class _Bench:
    """Judges the entries of one slot, in order of time."""

    def __init__(self, slot: Slot, rules: Rules, deployments: Sequence[Deployment]) -> None:
        self._slot = slot
        self._rules = rules
        self._deployments = deployments
        self._last: dict[tuple[str, str], tuple[str, bool]] = {}  # (class, to): from, may be undone

    def swap(self, entry: Entry, track: Track) -> Swap:
        contract = self._rules.contract(entry.use)
        deployment = self._covering(entry)
        undoes = self._undoes(entry, deployment)
        total = entry.after if entry.ended else track.count(entry.token).since(entry.base)
        traffic = _traffic(entry, track)
        same_model = entry.swap_class == "version" and self._rules.same_model(entry.from_version, entry.to_version)
        return Swap(
            slot=self._slot,
            swap_class=entry.swap_class,
            from_version=entry.from_version,
            to_version=entry.to_version,
            occurrence=entry.occurrence,
            first_seen=entry.use.first,
            first_seen_ns=entry.use.first_ns,
            first_trace=entry.use.first_trace,
            first_conversation=entry.use.conversation_id,
            before=entry.before,
            after=total.talks,
            severity=severity_of(
                entry.swap_class,
                traffic,
                declared=deployment is not None,
                in_time=deployment is not None and _in_time(entry, deployment),
                undoes=undoes,
                same_model=same_model,
            ),
            evidence=_evidence(entry, contract, deployment, undoes=undoes, same_model=same_model),
            share_now=round(track.share(entry.token), 4),
            traffic="none" if entry.ended else traffic,
            ended_ns=entry.ended.ns if entry.ended else 0,
            deployment_id=deployment.deployment_id if deployment else "",
            declared_by=deployment.declarer if deployment else "",
        )

    def _covering(self, entry: Entry) -> Deployment | None:
        kind = kind_of(entry.swap_class)
        if kind is None:
            return None
        at = entry.use.first
        return covering(self._deployments, self._slot, kind, entry.from_version, entry.to_version, at)

    def _undoes(self, entry: Entry, deployment: Deployment | None) -> bool:
        """Whether it takes back the last change of its class, which nobody had declared. Done again, it is a change."""
        if entry.swap_class not in _SUCCESSIONS:
            return False
        before, open_ = self._last.get((entry.swap_class, entry.from_version), ("", False))
        undoes = open_ and before == entry.to_version
        self._last[entry.swap_class, entry.to_version] = (entry.from_version, deployment is None and not undoes)
        return undoes


def _traffic(entry: Entry, track: Track) -> Traffic:
    """What it took over while it stood."""
    if entry.ended:
        return "fallback" if entry.after.fallback else "part"
    return track.traffic(entry.token, entry.number, track.count(entry.token).since(entry.base))


def _in_time(entry: Entry, deployment: Deployment) -> bool:
    return deployment.declared_at <= entry.use.first + GRACE


def _evidence(
    entry: Entry, contract: Contract | None, deployment: Deployment | None, *, undoes: bool, same_model: bool
) -> dict[str, object]:
    """What is known; what nobody told is left out."""
    use, before = entry.use, entry.context
    told: dict[str, object] = {
        "requested": use.requested,
        "served": use.served,
        "calls_in_first_conversation": use.calls if entry.swap_class in _SUCCESSIONS else None,
        "prompt_version": use.prompt_version,
        "prompt_version_before": before.prompt,
        "agent_version": use.agent_version,
        "agent_version_before": before.agent,
        "contract_version": contract.version if contract else None,
        "deployment": _declaration(entry, contract, deployment) if deployment else None,
        "undoes": undoes or None,
        "same_model": same_model or None,
        "ended_by": entry.ended.by if entry.ended else None,
        **entry.facts,
    }
    return {name: value for name, value in told.items() if value not in (None, "")}


def _declaration(entry: Entry, contract: Contract | None, deployment: Deployment) -> dict[str, object]:
    ahead = entry.use.first - deployment.declared_at
    told: dict[str, object] = {
        "declared_at": deployment.declared_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "declared_late": not _in_time(entry, deployment),
        "notice_hours": round(ahead.total_seconds() / _HOUR_S, 2),
    }
    return {**told, "notice_kept": ahead >= contract.notice} if contract and contract.notice else told


def _linked(swaps: Sequence[Swap]) -> list[Swap]:
    """Changes of model, prompt and agent that came with one conversation name each other."""
    together: dict[str, list[Swap]] = defaultdict(list)
    for swap in swaps:
        if swap.swap_class in _SUCCESSIONS:
            together[swap.first_conversation].append(swap)
    return [_with_others(swap, together[swap.first_conversation]) for swap in swaps]


def _with_others(swap: Swap, together: Sequence[Swap]) -> Swap:
    others = sorted(other.id for other in together if other.swap_class != swap.swap_class)
    if not others or swap.swap_class not in _SUCCESSIONS:
        return swap
    return replace(swap, evidence={**swap.evidence, "together_with": others})

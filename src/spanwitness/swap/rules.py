"""What a use is held to: how names relate, and the contract that was in force."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spanwitness.contract import aliased, approves, in_force
from spanwitness.identity import is_judge

if TYPE_CHECKING:
    from collections.abc import Hashable

    from spanwitness.model import Contract, Deployment, Use

Relation = Callable[[str, str, str], str]
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed with a tenant, and what was declared in it."""

    contracts: tuple[Contract, ...] = ()
    deployments: tuple[Deployment, ...] = ()


NO_TERMS: Final = Terms()


class Rules:
    """Answers from a relation of names and a tenant's contracts; remembers what it was asked, up to a bound.

    Args:
        relation: `model_names.relation`.
        contracts: every version of them.
    """

    def __init__(self, relation: Relation, contracts: tuple[Contract, ...]) -> None:
        self._relation = relation
        self._contracts = contracts
        limits = {moment for one in contracts for moment in (one.valid_from, one.valid_until) if moment is not None}
        self._limits = sorted(limits)
        self._known: dict[Hashable, bool] = {}
        self._in_force: dict[int, Contract | None] = {}

    def contract(self, use: Use) -> Contract | None:
        """The contract in force when a use began; None of a judge's, since it is about agents."""
        if not self._contracts or is_judge(use.slot.step_kind):
            return None
        between = bisect_right(self._limits, use.first)
        if between not in self._in_force:
            self._in_force[between] = in_force(self._contracts, use.first)
        return self._in_force[between]

    def mismatch(self, use: Use, contract: Contract | None) -> bool:
        """Whether another model answered than was asked for, and the contract does not say that this is fine."""
        if use.requested == use.served:
            return False
        names = (use.requested, use.served)
        different = self._once(
            ("related", *names, use.provider), lambda: self._relation(*names, use.provider) == "different"
        )
        return different and not (
            contract and self._once(("aliased", contract.version, *names), lambda: aliased(contract, *names))
        )

    def same_model(self, version: str, other: str) -> bool:
        """Whether two versions differ in nothing but who answers (a provider, a region) and how the name is spelled."""
        names = (_named(version), _named(other))
        return self._once(("same", *names), lambda: self._relation(*names, "") == "same")

    def approves(self, use: Use, contract: Contract | None) -> bool:
        """Whether the contract has the model that answered on its list, or has no list."""
        return contract is None or self._once(
            ("approved", contract.version, use.provider, use.served),
            lambda: approves(contract, use.provider, use.served),
        )

    def _once(self, key: Hashable, answer: Callable[[], bool]) -> bool:
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = answer()
        return self._known[key]


def _named(version: str) -> str:
    """A version without the word for a provider that nobody told."""
    return version.removeprefix("unknown/")

"""Changes of the model behind a slot, found in the settled record: the same record gives the same ledger."""

from spanwitness.swap.fold import SlotFold, Talks, find_swaps
from spanwitness.swap.rules import NO_TERMS, Relation, Rules, Terms
from spanwitness.swap.uses import uses_of
from spanwitness.swap.versions import version_uses

__all__ = [
    "NO_TERMS",
    "Relation",
    "Rules",
    "SlotFold",
    "Talks",
    "Terms",
    "find_swaps",
    "uses_of",
    "version_uses",
]

"""Which tools a pattern of a rule names."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spanwitness.evaluators.policy.language import Tools

_NAMESPACE: Final = re.compile(r"__|[./:]")
_LONGEST: Final = 256  # characters of a name that are compared


def names_tool(tools: Tools, name: str) -> bool:
    """Whether a tool's name, or what stands behind its namespace (crm__cancel, orders.cancel), is meant."""
    return _names(tools, name[:_LONGEST])


@lru_cache(maxsize=4096)
def _names(tools: Tools, name: str) -> bool:
    spellings = {_folded(name), _folded(_NAMESPACE.split(name)[-1])}
    return _any(tools.names, spellings) and not _any(tools.spared, spellings)


def _any(patterns: Iterable[str], spellings: Iterable[str]) -> bool:
    return any(fnmatchcase(spelling, _folded(pattern)) for pattern in patterns for spelling in spellings)


def _folded(name: str) -> str:
    """Cancel-Order is cancel_order: clients and gateways spell the names of tools in their own ways."""
    return name.strip().casefold().replace("-", "_")

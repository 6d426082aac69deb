"""Which tools a pattern of a rule names."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from spanwitness.evaluators.policy.language import Tools

_NAMESPACE: Final = re.compile(r"__|[./:]")
_LONGEST: Final = 256  # characters; a longer name is no tool's


def names_tool(tools: Tools, name: str) -> bool:
    """Whether a tool's name, or what stands behind its namespace (crm__cancel, orders.cancel), is meant."""
    return len(name) <= _LONGEST and _names(tools, name)


@lru_cache(maxsize=4096)
def _names(tools: Tools, name: str) -> bool:
    bare = _NAMESPACE.split(name)[-1]
    return any(fnmatchcase(spelling, pattern) for pattern in tools.names for spelling in (name, bare))

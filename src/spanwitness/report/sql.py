"""How the reports put a question: values as literals, times in UTC, answers as dicts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

Ask = Callable[[str, str], bytes]
"""(SQL, ClickHouse format) to bytes: read only, and rows that were replaced are left out."""

SLOT: Final = "TenantId, ServiceName, AgentName, StepKind"

# Times would else be told in the zone of the machine that ClickHouse runs on, and older servers quote long integers.
_SETTINGS: Final = (
    "SETTINGS session_timezone = 'UTC', date_time_output_format = 'iso', output_format_json_quote_64bit_integers = 0"
)
_PLACEHOLDER: Final = re.compile(r"\{(?P<name>[a-z]+):[A-Za-z0-9()]+\}")
_PLAIN: Final = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,:;/_-+=@#")


def literal(value: str) -> str:
    r"""A string literal of ClickHouse that stands for exactly `value`, whatever it holds.

    Everything but plain ASCII goes as \xHH, byte by byte: no quote, backslash, brace or NUL is left for any parser on
    the way, the driver's included.
    """
    octets = value.encode("utf-8", "surrogatepass")  # an argument of a shell may hold bytes that are no UTF-8
    return "'" + "".join(chr(octet) if octet in _PLAIN else f"\\x{octet:02X}" for octet in octets) + "'"


def bound(sql: str, values: Mapping[str, Any]) -> str:
    """A statement with its placeholders, `{name:Type}`, filled in: texts, whole numbers, lists of them."""
    return _PLACEHOLDER.sub(lambda found: _constant(values[found["name"]]), sql)


def _constant(value: Any) -> str:
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, list):
        return f"CAST([{', '.join(map(_constant, value))}], 'Array(String)')"
    return str(int(value))


def matching(**wanted: str | None) -> str:
    """The condition that columns have these values; a column whose value is None may have any."""
    return " AND ".join(f"{name} = {literal(value)}" for name, value in wanted.items() if value is not None) or "1"


def fetch(ask: Ask, sql: str, *, replaced: bool = False) -> list[dict[str, Any]]:
    """The answer, one dict a row. Times are ISO 8601 text in UTC. Raises StoreError as `ask` does.

    With `replaced`, rows that were replaced or withdrawn are among the answers.
    """
    settings = f"{_SETTINGS}, final = 0" if replaced else _SETTINGS
    lines = ask(f"{sql}\n{settings}", "JSONEachRow").split(b"\n")
    return [orjson.loads(line.decode("utf-8", "replace")) for line in lines if line]

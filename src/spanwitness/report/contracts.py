"""What was agreed with each tenant: every version, since when it holds, when it was recorded, and what it changed."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from spanwitness.report.sql import Ask, fetch, matching
from spanwitness.report.text import clock, count, cut, labelled, line, lines, plain, prose

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Group, RenderableType

Row = dict[str, Any]

_LONGEST: Final = 80  # cells of a value
_LEAD: Final = 20  # of what two long values have in common, before they differ

# A version that never held (it was replaced as of its own beginning) is told as that, not as ended.
_CONTRACTS: Final = """
SELECT * EXCEPT (UpdatedAt),
       multiIf(ValidUntil IS NOT NULL AND ValidUntil <= ValidFrom, 'replaced', ValidFrom > now64(3), 'to come',
               ValidUntil IS NOT NULL AND ValidUntil <= now64(3), 'ended', 'in force') AS State,
       greatest(dateDiff('second', ValidFrom, RecordedAt), 0) AS RecordedLateSeconds
FROM contracts WHERE {where} ORDER BY TenantId, Version
"""

_LATE: Final = (
    "'late': put on record after the time from which it holds. Scores that were given in between were held against the"
    " terms before it: compare RecordedAt with their ScoredAt. Swaps are judged anew."
)
_NONE: Final = (
    "No contract is on record. One is a file TENANT.toml in the folder that the configuration names: contracts.folder."
)


def rows(ask: Ask, *, tenant: str | None = None) -> list[Row]:
    """A row for each version of each tenant's contract, in that order.

    Beyond the columns of the table: `State` now (`in force`, `to come`, `ended`, or `replaced` where it never held),
    `RecordedLateSeconds` after its beginning, and `Changes` against the version before, one text each.
    """
    found = fetch(ask, _CONTRACTS.replace("{where}", matching(TenantId=tenant)))
    for _, versions in groupby(found, key=lambda row: row["TenantId"]):
        before: Row | None = None
        for row in versions:
            row["Changes"] = [] if before is None else list(_changes(before, row))
            before = row
    return found


def render(rows: Sequence[Row]) -> Group:
    """Of each tenant the versions, each with what was agreed first, and what changed since."""
    parts: list[RenderableType] = []
    for tenant, versions in groupby(rows, key=lambda row: row["TenantId"]):
        parts.append(Text(plain(tenant or "(no tenant)"), "bold"))
        for row in versions:
            parts += [line(_headline(row)), _facts(row), ""]
    parts.append(line(f"{count(len(rows), 'version')} on record."))
    if any(row["RecordedLateSeconds"] for row in rows):
        parts.append(line(_LATE))
    return lines(*parts)


def show(ask: Ask, *, tenant: str | None = None) -> RenderableType:
    """The report, or why there is none."""
    found = rows(ask, tenant=tenant)
    if found:
        return render(found)
    return line(_NONE if tenant is None else f"No contract of tenant {tenant!r} is on record.")


def _headline(row: Row) -> str:
    until = f" until {clock(row['ValidUntil'])}" if row["ValidUntil"] else ""
    return f"  version {row['Version']}, {row['State']}: from {clock(row['ValidFrom'])}{until} UTC"


def _facts(row: Row) -> RenderableType:
    late = f", {_time(row['RecordedLateSeconds'])} late" if row["RecordedLateSeconds"] else ""
    facts = [
        ("name", prose(row["Name"])),
        ("recorded", f"{clock(row['RecordedAt'])} UTC{late}, from {plain(row['Source'])}"),
    ]
    told = [*_changes(_NOTHING, row)] if row["Version"] == 1 else row["Changes"]
    label = "agreed" if row["Version"] == 1 else "changed"
    facts += [(label if number == 0 else "", prose(text)) for number, text in enumerate(told or ["nothing but text"])]
    return labelled(facts, indent=4)


_NOTHING: Final[Row] = {
    "ApprovedModels": [],
    "Aliases": [],
    "MinVerifiedShare": None,
    "Evaluators": [],
    "Thresholds": {},
    "NoticeSeconds": 0,
    "Judged": [],
    "Parameters": "{}",
    "Channels": "{}",
}

_NO_TERMS: Final[Row] = {"evaluators": [], "thresholds": {}, "judged": []}


def _changes(before: Row, after: Row) -> Iterator[str]:
    yield from _listed("approved", before["ApprovedModels"], after["ApprovedModels"], "any model")
    yield from _listed("alias", _aliases(before), _aliases(after), "none")
    old, new = before["MinVerifiedShare"], after["MinVerifiedShare"]
    if old != new:
        yield f"verified share: {_share(old)} -> {_share(new)}"
    yield from _terms(_general(before), _general(after), "the configured ones", "not in the contract")
    yield from _parameters(json.loads(before["Parameters"]), json.loads(after["Parameters"]))
    yield from _channels(json.loads(before["Channels"]), json.loads(after["Channels"]))
    if before["NoticeSeconds"] != after["NoticeSeconds"]:
        yield f"notice: {_time(before['NoticeSeconds'])} -> {_time(after['NoticeSeconds'])}"


def _general(row: Row) -> Row:
    """What is agreed for all channels, as `Channels` has what is agreed for one."""
    return {"evaluators": row["Evaluators"], "thresholds": row["Thresholds"], "judged": row["Judged"]}


def _terms(before: Row, after: Row, nothing: str, unset: str) -> Iterator[str]:
    yield from _listed("evaluator", before["evaluators"], after["evaluators"], nothing)
    was, now = before["thresholds"], after["thresholds"]
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            yield f"threshold of {name}: {_number(was.get(name), unset)} -> {_number(now.get(name), unset)}"
    yield from _listed("judged", before["judged"], after["judged"], nothing)


def _parameters(before: Row, after: Row) -> Iterator[str]:
    """Field by field; of a list of rules each that came, went or changed. Long values are told where they differ."""
    fields = {(name, key) for told in (before, after) for name, given in told.items() for key in given}
    for name, key in sorted(fields):
        was, now = before.get(name, {}).get(key), after.get(name, {}).get(key)
        if was == now:
            continue
        if _are_rules(was) or _are_rules(now):
            yield from (f"{name}.{key}: {change}" for change in _rules(_by_name(was), _by_name(now)))
        else:
            yield f"{name}.{key}: {_difference(was, now, 'its default')}"


def _are_rules(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(entry, dict) for entry in value)


def _by_name(value: Any) -> dict[str, Row]:
    """Rules by their names, else by their numbers from 1, in their order. What is no list of rules has none."""
    rules = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    return {str(rule.get("name", number)): rule for number, rule in enumerate(rules, 1)}


def _rules(before: dict[str, Row], after: dict[str, Row]) -> Iterator[str]:
    yield from (f"rule {name} added" for name in after if name not in before)
    yield from (f"rule {name} gone" for name in before if name not in after)
    for name, now in after.items():
        was = before.get(name, now)
        for field in sorted(was.keys() | now.keys()):
            if was.get(field) != now.get(field):
                yield f"rule {name}.{field}: {_difference(was.get(field), now.get(field), 'not set')}"
    if [name for name in before if name in after] != [name for name in after if name in before]:
        yield "the rules stand in another order"


def _difference(was: Any, now: Any, unset: str) -> str:
    """`OLD -> NEW`, as JSON: in full, or of a long value a bounded part that begins shortly before they differ."""
    texts = [unset if value is None else json.dumps(value, ensure_ascii=False) for value in (was, now)]
    alike = next((at for at, (one, other) in enumerate(zip(*texts, strict=False)) if one != other), 0)
    begin = max(alike - _LEAD, 0) if max(map(len, texts)) > _LONGEST else 0
    return " -> ".join(("..." if begin else "") + cut(text[begin:], _LONGEST, "...") for text in texts)


def _channels(before: Row, after: Row) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        found = _terms(before.get(name, _NO_TERMS), after.get(name, _NO_TERMS), "as for all", "as for all")
        yield from (f"channel {name}: {change}" for change in found)


def _listed(what: str, before: Sequence[str], after: Sequence[str], nothing: str) -> Iterator[str]:
    yield from (f"{what} + {entry}" for entry in after if entry not in before)
    yield from (f"{what} - {entry}" for entry in before if entry not in after)
    if before and not after:
        yield f"{what}: {nothing}"


def _aliases(row: Row) -> list[str]:
    return [f"{alias['Requested']} -> {alias['Served']}" for alias in row["Aliases"]]


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value * 100:g} %"


def _number(value: float | None, unset: str) -> str:
    """A threshold. Where none is agreed another one holds, the configured or the default one: never none."""
    return unset if value is None else f"{value:g}"


def _time(seconds: float) -> str:
    """`14 d`, `36 h`: in the largest unit that leaves less than one of it out."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:g} s" if seconds else "none"

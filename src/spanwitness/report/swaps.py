"""What changed behind the agents: where, from what to what, since when, who had said so, and where to look first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, get_args

import orjson
from rich.text import Text

from spanwitness.model import Severity, SwapClass, swap_id
from spanwitness.report.empty import nothing
from spanwitness.report.sql import SLOT, Ask, fetch, literal, matching
from spanwitness.report.text import Middle, Whole, clock, command, count, labelled, line, lines, percent, place, plain

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from rich.console import Group, RenderableType

Row = dict[str, Any]

KEY: Final = (
    "TenantId",
    "ServiceName",
    "AgentName",
    "StepKind",
    "Class",
    "FromVersion",
    "ToVersion",
    "Occurrence",
)
"""What makes a swap the same one."""

CLASSES: Final[tuple[str, ...]] = get_args(SwapClass)
SEVERITIES: Final[tuple[str, ...]] = get_args(Severity)
SHOWN: Final = 20
"""How many are printed where nobody says how many."""

COLUMNS: Final = (
    f"{', '.join(KEY)}, FirstSeenAt, FirstConversationId, FirstTraceId, ConversationsBefore, ConversationsAfter,"
    " ShareNow, Traffic, EndedAt, Declared, DeclaredBy, DeploymentId, Severity, DetectedAt, Evidence, ScoreShift"
)
_SWAPS = f"""
SELECT {COLUMNS}
FROM model_swaps
WHERE {{where}}
ORDER BY FirstSeenAt DESC, Severity = 'page' DESC, {", ".join(KEY)}
{{limit}}
"""
_COUNT = "SELECT count() AS swaps FROM model_swaps WHERE {where}"
_NEVER: Final = "1970-01-01T00:00:00.000000000Z"

_SLOTS = f"""
SELECT count() AS slots, countIf(Share < 1) AS unverified, countIf(Share <= 0) AS untold
FROM (SELECT sum(Calls * VerifiedShare) / sum(Calls) AS Share FROM model_versions WHERE {{where}} GROUP BY {SLOT})
"""

_CLASSES: Final = {
    "version": "another model answers",
    "mismatch": "not the model that was asked for",
    "unapproved": "not on the contract's list of models",
    "unverified": "too few calls tell which model answered",
    "fingerprint": "same model, another backend",
    "disguised": "same name, other behaviour",
    "prompt": "another version of the prompt",
    "agent": "another version of the agent",
    "absent": "declared, and never seen",
}
_SAME_MODEL: Final = "the same model by its name, elsewhere or spelled otherwise"
_LABELS: Final = {"mismatch": ("asked for", "answered"), "absent": ("instead of", "declared")}
_NO_TRAFFIC: Final = ("absent", "unverified")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which swaps are asked for: all of these conditions, where they are given.

    Attributes:
        since: the change, or our noticing it, is no older: what a late span or a sure return brought up counts too.
        until: it was first seen before.
        undeclared: nobody has declared it; without `fingerprint`, since nobody declares a backend.
        standing: the slot has not returned.
        limit: the newest so many.
    """

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    classes: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    undeclared: bool = False
    standing: bool = False
    limit: int | None = None

    @property
    def some(self) -> bool:
        """Whether there may be swaps that are not asked for."""
        chosen = self.classes or self.severities or self.undeclared or self.standing
        return bool(chosen) or self.since is not None or self.until is not None


EVERY: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Slots:
    """How much of the record can show a swap at all.

    Attributes:
        unverified: slots where some calls do not tell which model answered.
        untold: those of them where no call does.
    """

    all: int
    unverified: int
    untold: int


def rows(ask: Ask, *, tenant: str | None = None, conversation: str | None = None, wanted: Wanted = EVERY) -> list[Row]:
    """A row for each swap on record, the newest first; of one `conversation`: those that were first seen there.

    Beyond the columns of model_swaps, `Id`, which names a swap as long as the record exists. `EndedAt` is None while
    the change stands.
    """
    where = _where(wanted, matching(TenantId=tenant, FirstConversationId=conversation))
    limit = "" if wanted.limit is None else f"LIMIT {int(wanted.limit)}"
    return [told(row) for row in fetch(ask, _SWAPS.replace("{limit}", limit).replace("{where}", where))]


def told(row: Row) -> Row:
    """A row of model_swaps as the reports have it."""
    ended = row["EndedAt"] if row["EndedAt"] != _NEVER else None
    return {"Id": swap_id([row[name] for name in KEY]), **row, "EndedAt": ended}


def number(ask: Ask, *, tenant: str | None = None, wanted: Wanted = EVERY) -> int:
    """How many there are, whatever the limit."""
    return int(fetch(ask, _COUNT.replace("{where}", _where(wanted, matching(TenantId=tenant))))[0]["swaps"])


def slots(ask: Ask, *, tenant: str | None = None) -> Slots:
    """What stands behind the absence of a swap."""
    found = fetch(ask, _SLOTS.replace("{where}", matching(TenantId=tenant)))[0]
    return Slots(found["slots"], found["unverified"], found["untold"])


def render(rows: Sequence[Row], behind: Slots, *, of: int = 0, pages: int = 0, chosen: bool = False) -> Group:
    """A block for each swap, what to do next, and what the record cannot know.

    `of`: how many there are in all, where that is more than the rows; `pages`, those of the rest that page and stand.
    `chosen`: others were not asked for.
    """
    parts: list[RenderableType] = []
    for row in rows:
        parts += [Text(plain(title(row)), "bold"), _facts(row), ""]
    if of > len(rows):
        parts.append(line(f"These are the newest {len(rows):,} of {of:,}: --limit {of} shows all."))
    if pages:
        urgent = command("swaps", "--standing", "--severity", "page")
        parts.append(line(f"{count(pages, 'page')} still standing among the older ones: `{urgent}`."))
    if rows:
        parts.append(line(f"Next: `{command('swaps', 'show', rows[0]['Id'])}` shows the newest with what it rests on."))
    else:
        none = "No such swap" if chosen else "No swap found"
        parts.append(line(f"{none} in {count(behind.all, 'slot')} (tenant, service, agent, kind of call)."))
    if behind.unverified:
        parts.append(line(_doubt(behind)))
    return lines(*parts)


def show(
    ask: Ask, found: Sequence[Row] | None = None, *, tenant: str | None = None, wanted: Wanted = EVERY
) -> RenderableType:
    """The report, or why there is none. `found`: the rows, where they have been asked for already."""
    shown = rows(ask, tenant=tenant, wanted=wanted) if found is None else found
    behind = slots(ask, tenant=tenant)
    if not shown and not behind.all:
        return nothing(ask, "no call that names a model", tenant)
    full = wanted.limit is not None and len(shown) >= wanted.limit
    of = number(ask, tenant=tenant, wanted=wanted) if full else 0
    pages = _older_pages(ask, shown, tenant, wanted) if of > len(shown) else 0
    return render(shown, behind, of=of, pages=pages, chosen=wanted.some)


def _older_pages(ask: Ask, shown: Sequence[Row], tenant: str | None, wanted: Wanted) -> int:
    """How many that page and stand are asked for, and not among those shown."""
    if wanted.severities and "page" not in wanted.severities:
        return 0
    pages = number(ask, tenant=tenant, wanted=replace(wanted, severities=("page",), standing=True))
    return pages - sum(1 for row in shown if row["Severity"] == "page" and row["EndedAt"] is None)


def summary(row: Row) -> str:
    """A swap in one line."""
    return f"{row['Id']} {row['Class']} from {origin(row) or '(none)'} to {row['ToVersion'] or '(none)'}"


def title(row: Row) -> str:
    """Its name, how urgent it is, and what kind of change it is."""
    meaning = _SAME_MODEL if _same_model(row) else _CLASSES.get(row["Class"])
    return f"{row['Id']}  {row['Severity']}  {row['Class']}{f': {meaning}' if meaning else ''}"


def _same_model(row: Row) -> bool:
    return row["Class"] == "version" and orjson.loads(row["Evidence"] or "{}").get("same_model") is True


def change(row: Row) -> list[tuple[str, RenderableType]]:
    """Where and from what to what, as labelled entries."""
    before, after = _LABELS.get(row["Class"], ("from", "to"))
    if row["Class"] == "disguised":
        versions = [("under the name", Whole(row["ToVersion"]))]
    else:
        versions = [(before, Whole(origin(row))), (after, Whole(row["ToVersion"] or "(none told)"))]
    return [("where", place(row)), *((label, value) for label, value in versions if value.value)]


def origin(row: Row) -> str:
    """What answered before; '' where that says nothing."""
    if row["FromVersion"] or row["Class"] not in ("prompt", "agent"):
        return str(row["FromVersion"])
    return "(none told)"


def declared(row: Row) -> str:
    """Whether somebody had said so."""
    if not row["Declared"]:
        return "not declared"
    when = " only afterwards" if row["Severity"] == "warning" and row["Class"] != "absent" else ""
    return f"declared{when} by {row['DeclaredBy']}" if row["DeclaredBy"] else f"declared{when}"


def traffic(row: Row) -> str:
    """How much of the slot it took over; '' where that is no question."""
    if row["Class"] in _NO_TRAFFIC:
        return ""
    if row["EndedAt"]:
        return f"none any more: it ended at {clock(row['EndedAt'])} UTC"
    share = f"{percent(row['ShareNow'])} of the slot's last 50 conversations"
    return {
        "all": "all of it",
        "part": f"{share}: a canary or a router",
        "fallback": f"{share}, most of its calls after a failed one of another model: a fallback",
        "none": "none any more: the slot has returned",
    }.get(row["Traffic"], "")


def _where(wanted: Wanted, base: str) -> str:
    parts = [base]
    if wanted.since is not None:
        parts.append(f"greatest(FirstSeenAt, toDateTime64(DetectedAt, 9)) >= {_moment(wanted.since)}")
    if wanted.until is not None:
        parts.append(f"FirstSeenAt < {_moment(wanted.until)}")
    parts += [_among("Class", wanted.classes)] if wanted.classes else []
    parts += [_among("Severity", wanted.severities)] if wanted.severities else []
    parts += ["NOT Declared AND Class != 'fingerprint'"] if wanted.undeclared else []
    parts += ["EndedAt = 0"] if wanted.standing else []
    return " AND ".join(parts)


def _among(name: str, values: Iterable[str]) -> str:
    return f"{name} IN ({', '.join(map(literal, values))})"


def _moment(moment: dt.datetime) -> str:
    return f"fromUnixTimestamp64Micro({round(moment.timestamp() * 1_000_000)})"


def _facts(row: Row) -> RenderableType:
    again = f" (for the {_ordinal(row['Occurrence'])} time)" if row["Occurrence"] > 1 else ""
    return labelled(
        [
            *change(row),
            ("since", f"{clock(row['FirstSeenAt'], milliseconds=True)} UTC{again}, {declared(row)}"),
            ("traffic", traffic(row)),
            ("first conversation", Middle(row["FirstConversationId"]) if row["FirstConversationId"] else ""),
            ("first trace", Middle(row["FirstTraceId"]) if row["FirstTraceId"] else ""),
            ("conversations", f"{row['ConversationsBefore']:,} before, {row['ConversationsAfter']:,} after"),
        ]
    )


def _ordinal(number: int) -> str:
    teen = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _doubt(behind: Slots) -> str:
    return (
        f"No proof for {behind.unverified:,} of {count(behind.all, 'slot')}: calls there do not tell which model"
        f" answered (all of them in {behind.untold:,}), so a swap would not show. `{command('versions')}` names them;"
        " the probe of spanwitness.sdk in their process closes the gap."
    )

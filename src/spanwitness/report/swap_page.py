"""How one swap is told: at three in the morning, and to an auditor a year later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from rich.console import Group, RenderableType
from rich.text import Text

from spanwitness.identity import is_judge
from spanwitness.report import swaps
from spanwitness.report.swap_next import steps
from spanwitness.report.text import (
    Middle,
    Timeline,
    Whole,
    clock,
    columns,
    count,
    labelled,
    line,
    lines,
    percent,
    plain,
    prose,
    span,
)
from spanwitness.score_shift import LEAST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Row = dict[str, Any]

_CERTAIN: Final = 0.005  # of a difference: less is not worth two digits
_MOST_VERSIONS: Final = 5
_TOLD: Final = {
    "requested": "asked for",
    "served": "answered",
    "calls_in_first_conversation": "calls in the first conversation",
    "prompt_version": "prompt version",
    "prompt_version_before": "prompt version before",
    "agent_version": "agent version",
    "agent_version_before": "agent version before",
    "together_with": "came together with",
    "undoes": "undoes",
    "same_model": "by its name",
    "approved": "approved models",
    "verified_share": "calls that tell their model",
    "min_verified": "at least, by the contract",
    "fingerprint": "system fingerprint",
    "fingerprints": "fingerprints seen so far",
    "rotates": "rotates",
    "due": "expected by",
    "cause": "changed most likely",
    "odds": "odds for a change",
    "odds_needed": "odds at which it counts",
    "reference": "conversations learnt from",
    "quiet_before": "watched without an alarm",
    "false_alarms_per_1000": "false alarms accepted",
    "smallest_shift": "smallest shift to be seen",
}
_AS_WORDS: Final = {
    "undoes": lambda _value: "the last change, which nobody had declared",
    "same_model": lambda _value: "the model that answered before: at another provider or region, or spelled otherwise",
    "rotates": lambda _value: "yes: it changes again and again, and is told no more",
    "odds": lambda value: f"10^{value:.3g}",
    "odds_needed": lambda value: f"10^{value:.3g}",
    "quiet_before": lambda value: count(round(value), "conversation"),
    "false_alarms_per_1000": lambda value: f"{value:g} per 1,000 conversations at most",
    "smallest_shift": lambda value: f"{value:.2g} standard deviations, after 50 conversations",
    "verified_share": percent,
    "min_verified": percent,
}
_SAME_TIME_S: Final = 60
_GRACE_S: Final = 60  # spans are dated by other clocks than declarations
_SUCCESSIONS: Final = ("version", "prompt", "agent")


def render(row: Row) -> Group:
    """The whole page of one swap, a row of `swap.rows`."""
    parts: list[RenderableType] = [Text(plain(swaps.title(row)), "bold"), _facts(row)]
    for heading, content in _sections(row):
        parts += ["", Text(heading, "bold"), *content]
    return Group(*parts)


def _sections(row: Row) -> Iterator[tuple[str, list[RenderableType]]]:
    if rests := _evidence(orjson.loads(row["Evidence"] or "{}")):
        yield "What it rests on", rests
    if row["Timeline"]:
        yield "Shares of the conversations around the change", _timeline(row)
    if row["Scores"]:
        yield "Scores before and since", _scores(row)
    if len(row["Costs"]) == 2:  # noqa: PLR2004 - both sides
        yield "Calls before and since", [_costs(row["Costs"])]
    if row["Nearby"]:
        yield "Other entries of this agent within a day", _nearby(row)
    yield "Next", steps(row)


def _facts(row: Row) -> RenderableType:
    again = f", occurrence {row['Occurrence']} of this change" if row["Occurrence"] > 1 else ""
    return labelled(
        [
            *swaps.change(row),
            ("since", f"{clock(row['FirstSeenAt'], milliseconds=True)} UTC{again}"),
            ("found", f"{clock(row['DetectedAt'])} UTC"),
            ("ended", _ended(row)),
            ("declared", _declared(row)),
            ("contract", _contract(row)),
            ("traffic", swaps.traffic(row)),
            ("conversations", f"{row['ConversationsBefore']:,} before, {row['ConversationsAfter']:,} since"),
            ("first conversation", Middle(row["FirstConversationId"]) if row["FirstConversationId"] else ""),
            ("first trace", Middle(row["FirstTraceId"]) if row["FirstTraceId"] else ""),
        ]
    )


def _ended(row: Row) -> str:
    if not row["EndedAt"]:
        return ""
    by = orjson.loads(row["Evidence"] or "{}").get("ended_by")
    if by == row["ToVersion"]:  # it was approved
        return f"{clock(row['EndedAt'], milliseconds=True)} UTC: it is fine since then"
    return f"{clock(row['EndedAt'], milliseconds=True)} UTC" + (f", with {by}" if by else "")


def _declared(row: Row) -> str:
    told = row["Deployment"]
    if told is None:
        return (
            f"{swaps.declared(row)}; deployment {row['DeploymentId']}" if row["DeploymentId"] else swaps.declared(row)
        )
    ahead = told["NoticeSeconds"]
    late = ahead < -_GRACE_S and row["Class"] != "absent"
    when = f"{span(abs(ahead))} {'before' if ahead >= 0 else 'after'} it was first seen"
    if row["Class"] == "absent":
        when = f"for {clock(told['ValidFrom'])} UTC"
    by = f" by {told['DeclaredBy']}" if told["DeclaredBy"] else ""
    reason = f", reason: {told['Reason']}" if told["Reason"] else ""
    where = {"cli": "on the command line", "http": "over HTTP", "span": "by a span"}.get(told["Source"], told["Source"])
    begin = "late: " if late else ""
    return prose(
        f"{begin}{clock(told['DeclaredAt'])} UTC{by} {where}, {when}{reason}; deployment {told['DeploymentId']}"
        f"{_notice(row, ahead)}"
    )


def _notice(row: Row, ahead: int) -> str:
    contract = row["Contract"]
    if contract is None or not contract["NoticeSeconds"] or row["Class"] == "absent":
        return ""
    kept = "kept" if ahead >= contract["NoticeSeconds"] else "not kept"
    return f"; the notice of {span(contract['NoticeSeconds'])} in the contract was {kept}"


def _contract(row: Row) -> str:
    terms = row["Contract"]
    if terms is None:
        return "none on record for that time"
    name = f" {terms['Name']!r}" if terms["Name"] else ""
    version = f"version {terms['Version']}{name}, in force since {clock(terms['ValidFrom'])} UTC"
    if is_judge(row["StepKind"]):
        return prose(f"{version}; its lists of models and shares are for agents, not for the judge")
    models = ", ".join(terms["ApprovedModels"])
    least = terms["MinVerifiedShare"]
    told = [
        version,
        f"approved: {models}" if models else "any model approved",
        f"at least {percent(least)} of the calls verified" if least is not None else "",
    ]
    return prose("; ".join(part for part in told if part))


def _evidence(evidence: Mapping[str, Any]) -> list[RenderableType]:
    entries = [
        (words, prose(_AS_WORDS[name](evidence[name]) if name in _AS_WORDS else _words(evidence[name])))
        for name, words in _TOLD.items()
        if evidence.get(name) not in ("", None, [], {})
    ]
    parts: list[RenderableType] = [labelled(entries)] if entries else []
    if features := evidence.get("features"):
        parts += [*([""] if parts else []), _features(features)]
    return parts


def _words(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return orjson.dumps(value).decode()


def _features(features: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = columns()
    table.add_column("habit")
    for heading in ("before", "since", "shift (sd)"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in features:
        table.add_row(
            line(prose(str(one.get("says") or one.get("name", "")))),
            _figure(one.get("before")),
            _figure(one.get("after")),
            f"{one['strength']:+.1f}" if isinstance(one.get("strength"), float | int) else "",
        )
    return table


def _figure(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float | int) else ""


def _timeline(row: Row) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for one in row["Timeline"][:_MOST_VERSIONS]:
        parts += [Whole(f"  {one['Version'] or '(none told)'}"), Timeline(one["Before"], one["Since"])]
    more = len(row["Timeline"]) - _MOST_VERSIONS
    others = f" {count(more, 'further version')} not shown." if more > 0 else ""
    return [*parts, line(f"A block is {count(row['TimelineStep'], 'conversation')}; | is the change.{others}")]


def _scores(row: Row) -> list[RenderableType]:
    table = columns()
    table.add_column("evaluator\nversion")
    table.add_column("before\n", justify="right", no_wrap=True)
    table.add_column("since\n", justify="right", no_wrap=True)
    table.add_column("difference (95 %)\n", justify="right", no_wrap=True)
    table.add_column("\n", no_wrap=True)
    apart: list[str] = []
    for one in row["Scores"]:
        name = lines(one["evaluator"], one["evaluator_version"])
        table.add_row(name, _mean(one, "before"), _mean(one, "after"), *_difference(one))
        if one["passed_before"] is not None:
            shares = f"{one['passed_before']:.2f}", f"{one['passed_after']:.2f}"
            table.add_row(line(_threshold(one)), *shares, *_passes(one))
        if not one["compared"] and all(one["versions"]):
            before, since = (", ".join(versions) for versions in one["versions"])
            apart.append(f"{one['evaluator']} is not compared: version {before} scored before, version {since} since.")
    notes = [*apart, _HOW, *([_TWO] if _second_cause(row) else [])]
    return [table, *map(line, notes)]


_HOW: Final = (
    "n: how many conversations were scored. The interval says that scores changed, not what changed them; of twenty"
    " differences that are none, one lies outside."
)
_TWO: Final = "Something else changed at about the same time (below): whose doing it is cannot be told apart."


def _mean(one: Row, side: str) -> str:
    mean = "" if one[side] is None else f"{one[side]:.2f}"
    return f"{mean}\nn = {one[f'n_{side}']:,}"


def _difference(one: Row) -> tuple[str, str]:
    if one["difference"] is None:
        if not one["n_before"] and not one["n_after"]:
            return "", "no score"
        return "", "" if all(one["versions"]) else "one side"
    if one["low"] is None:
        few = min(one["n_before"], one["n_after"]) < LEAST
        return f"{one['difference']:+.2f}", "too few" if few else "no spread"
    return f"{one['difference']:+.2f} ({one['low']:+.2f} to {one['high']:+.2f})", _sure(one["low"], one["high"])


def _passes(one: Row) -> tuple[str, str]:
    difference = f"{one['passed_after'] - one['passed_before']:+.2f}"
    if one["passed_low"] is None:
        return difference, "too few"
    low, high = one["passed_low"], one["passed_high"]
    return f"{difference} ({low:+.2f} to {high:+.2f})", _sure(low, high)


def _sure(low: float, high: float) -> str:
    return "lower" if high < 0 else "higher" if low > 0 else "not sure"


def _threshold(one: Row) -> str:
    before, since = (", ".join(f"{value:g}" for value in values) for values in one["thresholds"])
    return f"  share that met {before}" if before == since else f"  share that met {before}, then {since}"


def _costs(costs: Sequence[Row]) -> RenderableType:
    before, since = sorted(costs, key=lambda one: str(one["Side"]), reverse=True)
    table = columns()
    for heading in ("", "before", "since", "change"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, says, form in (
        ("Conversations", "conversations compared", "{:,.0f}"),
        ("InputTokens", "input tokens a conversation", "{:,.0f}"),
        ("OutputTokens", "output tokens a conversation", "{:,.0f}"),
        ("DurationMs", "median duration of a call, ms", "{:,.0f}"),
        ("FailedCalls", "failed calls", "{:,.0f}"),
    ):
        change = "" if name in ("Conversations", "FailedCalls") else _change(before[name], since[name])
        table.add_row(line(f"  {says}"), form.format(before[name]), form.format(since[name]), change)
    return table


def _change(before: float, since: float) -> str:
    return f"{100 * (since - before) / before:+.0f} %" if before else ""


def _nearby(row: Row) -> list[RenderableType]:
    return [labelled((_distance(one["SecondsAfter"]), Whole(swaps.summary(one))) for one in row["Nearby"])]


def _distance(seconds: int) -> str:
    if abs(seconds) < _SAME_TIME_S:
        return "at the same time"
    return f"{span(abs(seconds))} {'later' if seconds > 0 else 'earlier'}"


def _second_cause(row: Row) -> bool:
    others = [one["Class"] for one in row["Nearby"] if not one["EndedAt"]]
    return row["Class"] in _SUCCESSIONS and any(one in _SUCCESSIONS and one != row["Class"] for one in others)

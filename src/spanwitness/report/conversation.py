"""One closed conversation: what is known of it, its trajectory step by step, and its scores. Never what was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.text import Text

from spanwitness.errors import SpanWitnessError
from spanwitness.report import scores, swaps
from spanwitness.report.sql import Ask, fetch, literal, matching
from spanwitness.report.text import Middle, Whole, clock, columns, command, count, labelled, line, lines, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

Row = dict[str, Any]

_REVISIONS = """
SELECT TenantId, ConversationId, Revision, StartedAt, EndedAt, ClosedAt, CloseReason, ConversationIdSource,
       ServiceNames, Channel, Intent, Language, AgentNames, ModelVersions, PromptVersions, Turns, Steps, ToolCalls,
       ToolErrors, Escalations, InputTokens, OutputTokens, Outcome, TraceIds
FROM conversations WHERE {where}
ORDER BY TenantId, Revision DESC
"""

_STEPS = """
SELECT Step, Turn, StepKind, Actor, ServiceName, AgentName, AgentVersion, ToolName, Provider, RequestedModel,
       ServedModel, ServedModelSource, ModelVersion, PromptVersion, StartedAt, DurationMs, Status, InputTokens,
       OutputTokens, TraceId, SpanId
FROM steps WHERE {where} AND Revision = {revision}
ORDER BY Step
"""

_SCORES = f"""
SELECT {scores.COLUMNS}, Scoring FROM scores WHERE {{where}} AND Revision = {{revision}}
ORDER BY Evaluator, Judge, Scoring DESC
"""

_STORED = """
SELECT TenantId, ConversationId, count() AS Spans, countIf(StepKind != '') AS Steps
FROM otel_traces WHERE (ConversationId = {id} OR TraceId = {id}) AND {where}
GROUP BY TenantId, ConversationId
ORDER BY ConversationId = {id} DESC, Spans DESC
"""

_REASONS: Final = {
    "ended": "its end was told",
    "idle": "nothing more came within the idle time",
    "max_age": "it had gone on for the maximum age",
    "requested": "somebody asked for it",
    "import": "the recorded input ended",
    "moved": "its spans turned out to belong to another conversation",
}

_CHANGED: Final = "!! The model that answered is not the one that answered this agent's call before."

_AGENT: Final = 3  # the column of the trajectory
_LEAST_AGENT: Final = 12
_UNBOUNDED: Final = 10_000


def rows(ask: Ask, conversation_id: str, *, tenant: str | None = None) -> list[Row]:
    """The conversation as one row: its newest revision, and under it what belongs to it.

    Beyond the columns of conversations: `Revisions` (the earlier ones, newest first), `Trajectory` (rows of steps;
    `ChangedFrom` is the model version that served the slot before, where it is another one), `Swaps` (first seen
    here), `Scores`, and `EarlierScores` (of the same revision: later ones by the same evaluator and judge took their
    place; the newest first).

    Raises:
        SpanWitnessError: no closed conversation has this id, or those of several tenants have it.
    """
    where = matching(TenantId=tenant, ConversationId=conversation_id)
    revisions = fetch(ask, _REVISIONS.replace("{where}", where))
    if not revisions:
        raise SpanWitnessError(_unknown(ask, conversation_id, tenant))
    tenants = sorted({row["TenantId"] for row in revisions})
    if len(tenants) > 1:
        names = ", ".join(map(repr, tenants))
        raise SpanWitnessError(f"conversation {conversation_id!r} exists in tenants {names}: choose one by --tenant")
    newest, *earlier = revisions
    where = matching(TenantId=tenants[0], ConversationId=conversation_id)
    steps, given = (
        fetch(ask, sql.replace("{revision}", str(newest["Revision"])).replace("{where}", where))
        for sql in (_STEPS, _SCORES)
    )
    latest: dict[tuple[str, str], int] = {}
    for score in given:
        latest.setdefault((score["Evaluator"], score["Judge"]), score["Scoring"])
    last = [score["Scoring"] == latest[score["Evaluator"], score["Judge"]] for score in given]
    return [
        {
            **newest,
            "Revisions": earlier,
            "Swaps": swaps.rows(ask, tenant=tenants[0], conversation=conversation_id),
            "Trajectory": with_changes(steps),
            "Scores": [score for score, is_last in zip(given, last, strict=True) if is_last],
            "EarlierScores": [score for score, is_last in zip(given, last, strict=True) if not is_last],
        }
    ]


def with_changes(steps: Sequence[Row]) -> list[Row]:
    """Steps with `ChangedFrom`: the version that served the same slot last, where this step's is another; else ''.

    By slot and actor, since a voice agent's recogniser, model and voice take turns by design. A step whose served
    model nobody told neither changes anything nor hides a change.
    """
    last: dict[tuple[str, ...], str] = {}
    changed = []
    for step in steps:
        slot = (step["ServiceName"], step["AgentName"], step["StepKind"], step["Actor"])
        version = step["ModelVersion"]
        before = last.get(slot, version) if step["ServedModel"] else version
        changed.append({**step, "ChangedFrom": before if before != version else ""})
        if step["ServedModel"]:
            last[slot] = version
    return changed


def render(rows: Sequence[Row]) -> Group:
    """The header, the trajectory and the scores of each conversation, which is one."""
    return Group(*(part for row in rows for part in _parts(row)))


def show(ask: Ask, conversation_id: str, *, tenant: str | None = None) -> RenderableType:
    """The report. Raises SpanWitnessError as `rows`."""
    return render(rows(ask, conversation_id, tenant=tenant))


def _parts(row: Row) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(plain(f"conversation {row['ConversationId']}"), "bold"), _header(row)]
    if row["Trajectory"]:
        parts += ["", _Trajectory(row["Trajectory"])]
    if any(step["ChangedFrom"] for step in row["Trajectory"]):
        parts += ["", line(_CHANGED)]
    if row["Scores"]:
        parts += ["", scores.listing(row["Scores"], of_one=True)]
    if row["EarlierScores"]:
        parts += ["", line("Earlier verdicts on this revision:"), lines(*map(_earlier, row["EarlierScores"]))]
    return parts


def _header(row: Row) -> Table:
    return labelled(
        [
            ("tenant", row["TenantId"] or "(none)"),
            ("revision", str(row["Revision"])),
            ("id taken from", _source(row["ConversationIdSource"])),
            ("began", f"{_moment(row['StartedAt'])}, ended {_moment(row['EndedAt'])}" if row["Steps"] else ""),
            ("closed", f"{_moment(row['ClosedAt'])}: {_reason(row['CloseReason'])}"),
            ("channel", ", ".join(filter(None, (row["Channel"], row["Intent"], row["Language"])))),
            ("length", _length(row)),
            ("tokens", f"{row['InputTokens']:,} in, {row['OutputTokens']:,} out"),
            ("outcome", row["Outcome"]),
            ("services", ", ".join(row["ServiceNames"])),
            ("agents", ", ".join(row["AgentNames"])),
            ("prompts", ", ".join(row["PromptVersions"])),
            ("model versions", Group(*map(Whole, row["ModelVersions"])) if row["ModelVersions"] else ""),
            ("swaps begun here", Group(*(Whole(swaps.summary(swap)) for swap in row["Swaps"])) if row["Swaps"] else ""),
            ("earlier revisions", lines(*map(_revision, row["Revisions"])) if row["Revisions"] else "none"),
        ]
    )


def _moment(time: str) -> str:
    return f"{clock(time, milliseconds=True)} UTC"


def _source(source: str) -> str:
    return "the trace's id: no span named a conversation" if source == "trace" else source


def _reason(reason: str) -> str:
    return f"{reason} ({_REASONS[reason]})" if reason in _REASONS else reason


def _length(row: Row) -> str:
    failed = f" ({row['ToolErrors']:,} failed)" if row["ToolCalls"] else ""
    return ", ".join(
        (
            count(row["Turns"], "turn"),
            count(row["Steps"], "step"),
            f"{count(row['ToolCalls'], 'tool call')}{failed}",
            count(row["Escalations"], "escalation"),
        )
    )


def _earlier(score: Row) -> str:
    verdict = {True: "passed", False: "not passed"}.get(score["Passed"], score["Status"].replace("_", " "))
    number = "" if score["Score"] is None else f"{score['Score']:.4g}"
    threshold = "" if score["Passed"] is None else f"threshold {score['Threshold']:.4g}"
    parts = (number, verdict, threshold, score["Label"], score["Mode"], _moment(score["ScoredAt"]))
    return f"  {scores.named(score)}: {', '.join(filter(None, parts))}"


def _revision(row: Row) -> str:
    parts = (f"closed {_moment(row['ClosedAt'])}", row["CloseReason"], count(row["Steps"], "step"), row["Outcome"])
    return f"{row['Revision']}: {', '.join(filter(None, parts))}"


@dataclass(frozen=True, slots=True)
class _Trajectory:
    """The steps as a table. Where it is too wide the names of agents give way, before the models that answered do."""

    steps: Sequence[Row]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = _trajectory(self.steps)
        excess = Measurement.get(console, options.update_width(_UNBOUNDED), table).maximum - options.max_width
        if excess > 0:
            longest = max(cell_len(plain(step["AgentName"])) for step in self.steps)
            table.columns[_AGENT].max_width = max(longest - excess, _LEAST_AGENT)
        yield table


def _trajectory(steps: Sequence[Row]) -> Table:
    table = columns()
    for header in ("step\n", "turn\n"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("kind\n", no_wrap=True)
    table.add_column("agent\n")
    table.add_column("tool, or model asked for\n-> model that answered")
    table.add_column("status\n", no_wrap=True)
    table.add_column("ms\n", justify="right", no_wrap=True)
    table.add_column("tokens\nin/out", justify="right", no_wrap=True)
    for step in steps:
        table.add_row(
            f"{step['Step']:,}",
            f"{step['Turn']:,}",
            line(step["StepKind"]),
            Middle(step["AgentName"]),
            _called(step),
            line(step["Status"]),
            f"{step['DurationMs']:,.0f}",
            _tokens(step),
        )
    return table


def _called(step: Row) -> Group:
    asked, served = step["RequestedModel"], step["ServedModel"]
    parts: list[RenderableType] = [Middle(step["ToolName"])] if step["ToolName"] else []
    if asked and not served:
        parts.append(Whole(f"{asked} -> not told"))
    elif served:
        parts += [Whole(served)] if asked == served else [Whole(asked or "(nothing)"), Whole(f"-> {served}")]
    if step["ChangedFrom"]:
        parts.append(Whole(f"!! before: {step['ChangedFrom']}", "bold"))
    return Group(*parts)


def _tokens(step: Row) -> str:
    return f"{step['InputTokens']:,}/{step['OutputTokens']:,}" if step["InputTokens"] or step["OutputTokens"] else ""


def _unknown(ask: Ask, conversation_id: str, tenant: str | None) -> str:
    """Why there is no such conversation, and what helps."""
    whose = "" if tenant is None else f" of tenant {tenant!r}"
    problem = f"no closed conversation {conversation_id!r}{whose}"
    sql = _STORED.replace("{where}", matching(TenantId=tenant)).replace("{id}", literal(conversation_id))
    stored = fetch(ask, sql)
    return f"{problem}; {_hint(stored[0], conversation_id) if stored else 'no span of it is stored'}"


def _hint(stored: Row, conversation_id: str) -> str:
    identity = stored["ConversationId"]
    if identity not in ("", conversation_id):
        return f"it is a trace of conversation {identity!r}: {command('conversation', identity)}"
    if not stored["Steps"]:
        return "none of its spans is a step (a call of a model, a tool, ...), so there is nothing to close"
    spans = f"spans stored: {stored['Spans']:,}"
    return f"it is still open ({spans}); to close it now: {command('close', conversation_id)}"

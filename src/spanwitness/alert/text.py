"""What an alert says: who, from what to what, since when, how much of the traffic, declared or not, what to do next.

Nothing of what was said in a conversation is ever part of it.
"""

from __future__ import annotations

import datetime as dt
import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spanwitness.identity import is_judge

if TYPE_CHECKING:
    from spanwitness.alert import Alert, Row
    from spanwitness.model import Swap

_LONGEST: Final = 200

# By class: what it is called, and what it means.
_CLASSES: Final[dict[str, tuple[str, str]]] = {
    "version": ("model swap", "Another model answers in this slot than before."),
    "mismatch": ("model mismatch", "The model that answers is not the one that was asked for."),
    "unapproved": ("unapproved model", "The model that answers is not on the list of the contract in force."),
    "unverified": ("unverified model", "More calls than the contract allows do not tell which model answered."),
    "fingerprint": ("backend change", "The same model answers from another backend of its provider."),
    "disguised": ("swap behind an unchanged name", "The model's name is the same, and its behaviour is not."),
    "prompt": ("prompt change", "The model is told something else: the prompt's version changed."),
    "agent": ("agent change", "Another version of the agent runs."),
    "absent": ("declared change not seen", "It was declared, and its time has passed without anybody seeing it."),
}
# Those of them that somebody may declare, with the options that do.
_DECLARABLE: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(("version", "mismatch", "disguised"), ("--from-model", "--to-model")),
    "prompt": ("--from-prompt", "--to-prompt"),
    "agent": ("--from-agent-version", "--to-agent-version"),
}
_TRAFFIC: Final = {
    "all": "it took over: nearly all since it came",
    "part": "a part: a canary or a router",
    "fallback": "a fallback: most of its calls come after a failed one",
    "none": "the slot has returned",
}


_SAME_MODEL: Final = "By its name it is the same model, at another provider or region, or spelled otherwise."


@dataclass(frozen=True, slots=True)
class NextStep:
    """Something to do. `command`: what to type for it; '' where it is nothing to type, or no line could hold a name."""

    why: str
    command: str = ""

    def __str__(self) -> str:
        """As a line of a text."""
        return f"{self.why}: {self.command}" if self.command else self.why


def row_of(swap: Swap) -> dict[str, Any]:
    """A swap as a row."""
    return {
        "TenantId": swap.slot.tenant,
        "ServiceName": swap.slot.service,
        "AgentName": swap.slot.agent,
        "StepKind": swap.slot.step_kind,
        "Class": swap.swap_class,
        "FromVersion": swap.from_version,
        "ToVersion": swap.to_version,
        "Occurrence": swap.occurrence,
        "SwapId": swap.id,
        "FirstSeenAt": swap.first_seen,
        "FirstTraceId": swap.first_trace,
        "FirstConversationId": swap.first_conversation,
        "ConversationsBefore": swap.before,
        "ConversationsAfter": swap.after,
        "ShareNow": swap.share_now,
        "Traffic": swap.traffic,
        "Declared": bool(swap.deployment_id),
        "DeclaredBy": swap.declared_by,
        "DeploymentId": swap.deployment_id,
        "ScoreShift": "{}",
        "Severity": swap.severity,
    }


def summary(row: Row) -> str:
    """One line: what, who, from what to what, since when.

    `Silent model swap: tenant=acme service=claims agent=triage role=llm: openai/a -> openai/b since 2026-11-20 12:00:10
    UTC`.
    """
    slot = (("tenant", "TenantId"), ("service", "ServiceName"), ("agent", "AgentName"), ("role", "StepKind"))
    who = " ".join(f"{label}={_plain(row[name]) or '-'}" for label, name in slot)
    return f"{_title(row)}: {who}: {_change(row)} since {clock(row['FirstSeenAt'])}"


def facts(row: Row) -> str:
    """One line: how much traffic, declared or not, what to open first."""
    parts = [_declared(row)] if row["Declared"] or row["Class"] in _DECLARABLE else []
    if row["Class"] != "absent":
        parts.insert(0, f"{_spread(row)}; {row['ConversationsAfter']:,} since, {row['ConversationsBefore']:,} before")
    first = [
        f"{label} {_plain(row[name])}"
        for label, name in (("first conversation", "FirstConversationId"), ("first trace", "FirstTraceId"))
        if row[name]
    ]
    return "; ".join([*parts, *first])


def description(row: Row) -> str:
    """What stands under the summary: the facts, what they mean, what became of the scores, what to do next."""
    _, meaning = _CLASSES.get(row["Class"], ("", ""))
    if row["Class"] == "version" and json.loads(row.get("Evidence") or "{}").get("same_model"):
        meaning = _SAME_MODEL
    lines = [facts(row), meaning, *score_lines(row["ScoreShift"])]
    return "\n".join([*filter(None, lines), "Next:", *(f"- {step}" for step in next_steps(row))])


def told(alert: Alert) -> str:
    """The whole text of an alert. One that is resolved says first how it came to that."""
    row = alert.row
    if alert.status == "resolved":
        return f"Resolved, {resolution(row)}: {summary(row)}\n{facts(row)}"
    return f"{summary(row)}\n{description(row)}"


def resolution(row: Row) -> str:
    """Why an alert is none any more."""
    if row["Withdrawn"]:
        return "what came later shows that it was none"
    if row["EndedAt"] is not None:
        return f"the slot had returned at {clock(row['EndedAt'])}"
    return f"it is {row['Severity']} by now, which is not sent"


def next_steps(row: Row) -> list[NextStep]:
    """What to do, in this order."""
    tenant = ["--tenant", row["TenantId"]]
    steps = [NextStep("see the evidence, and the scores before and after", _command("swaps", "show", row["SwapId"]))]
    if row["FirstConversationId"]:
        steps.append(NextStep("read the first conversation step by step", _read(row)))
    if row["Class"] in _DECLARABLE and not row["Declared"] and not _undoes(row):
        steps.append(NextStep("if it was meant to be, say so", _declare(row)))
        steps.append(NextStep(f"if it was not, put {_plain(row['FromVersion']) or 'what was there'} back"))
    if row["Class"] == "unapproved":
        steps.append(NextStep("put an approved model back, or have this one approved in the contract"))
    if row["Class"] == "unverified":
        steps.append(NextStep("see which calls do not tell", _command("versions", *tenant)))
        steps.append(NextStep("put the probe of spanwitness.sdk into their process: it reads the model off the wire"))
    if row["Class"] == "absent":
        steps.append(NextStep("see what runs instead", _command("versions", *tenant)))
        steps.append(NextStep(f"ask {_plain(row['DeclaredBy']) or 'who declared it'} whether it is still to come"))
        if row["DeploymentId"]:
            withdraw = _command("deployment", "withdraw", row["DeploymentId"], *tenant)
            steps.append(NextStep("if it is not, withdraw it", withdraw))
    return steps


def score_lines(score_shift: str) -> list[str]:
    """A line for each evaluator whose scores moved, by the column ScoreShift; an interval around zero is no move."""
    shifts = json.loads(score_shift or "{}")
    return [_score_line(name, shift) for name, shift in sorted(shifts.items()) if _has_moved(shift)]


def clock(moment: dt.datetime) -> str:
    """A moment for people, in UTC."""
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def share(row: Row) -> str:
    """Of the slot's last conversations, how many it answered."""
    return f"{100 * row['ShareNow']:.0f} %"


def _title(row: Row) -> str:
    name, _ = _CLASSES.get(row["Class"], (row["Class"], ""))
    begin = f"{_declaration(row)} " if row["Class"] in _DECLARABLE else ""
    if _undoes(row):
        begin = "return from a "
    again = f" (occurrence {row['Occurrence']})" if row["Occurrence"] > 1 else ""
    of_judge = " of the judge that scores" if is_judge(row["StepKind"]) else ""
    return (begin + name).capitalize() + of_judge + again


def _undoes(row: Row) -> bool:
    """Whether it takes back a change that nobody had declared: that alone makes an undeclared one harmless."""
    return row["Class"] in _DECLARABLE and row["Severity"] == "info" and not row["Declared"]


def _declaration(row: Row) -> str:
    if not row["Declared"]:
        return "silent"
    return "declared" if row["Severity"] == "info" else "belatedly declared"


def _declared(row: Row) -> str:
    if _undoes(row):
        return "takes back a change that nobody had declared"
    if not row["Declared"]:
        return "not declared"
    by = f" by {_plain(row['DeclaredBy'])}" if row["DeclaredBy"] else ""
    late = "" if row["Severity"] == "info" or row["Class"] == "absent" else ", only afterwards"
    return f"declared{by}{late} (deployment {_plain(row['DeploymentId'])})"


def _change(row: Row) -> str:
    before, after = _plain(row["FromVersion"]), _plain(row["ToVersion"])
    if row["Class"] == "mismatch":
        return f"asked for {before}, answered by {after}"
    return after if before in {"", after} else f"{before} -> {after}"


def _spread(row: Row) -> str:
    traffic = _TRAFFIC.get(row["Traffic"], row["Traffic"])
    return f"In {share(row)} of the slot's last conversations" + (f" ({traffic})" if traffic else "")


def _read(row: Row) -> str:
    found, tenant = row["FirstConversationId"], ("--tenant", row["TenantId"])
    if found.startswith("-"):  # it would be taken for an option
        return _command("conversation", *tenant, "--", found)
    return _command("conversation", found, *tenant)


def _declare(row: Row) -> str:
    from_option, to_option = _DECLARABLE[row["Class"]]
    where = (("--tenant", "TenantId"), ("--service", "ServiceName"), ("--agent", "AgentName"))
    change = ((from_option, "FromVersion"), (to_option, "ToVersion"))
    told = [part for option, name in (*where, *change) if row[name] for part in (option, row[name])]
    since = row["FirstSeenAt"].astimezone(dt.UTC).replace(microsecond=0)
    moment = since.isoformat().replace("+00:00", "Z")
    return _command("deployment", "declare", *told, "--from", moment, "--by", "YOU", "--reason", "WHY")


def _command(*words: str) -> str:
    """What to type; '' where a name cannot be shown as it is: the command would speak of another one."""
    return "" if any(_plain(word) != word for word in words) else " ".join(["spanwitness", *map(shlex.quote, words)])


def _has_moved(shift: dict[str, Any]) -> bool:
    low, high = shift.get("low"), shift.get("high")
    return low is not None and high is not None and (low > 0 or high < 0)


def _score_line(name: str, shift: dict[str, Any]) -> str:
    return (
        f"{name}: {shift['before']:.2f} before ({shift['n_before']:,}), {shift['after']:.2f} after"
        f" ({shift['n_after']:,}), {shift['after'] - shift['before']:+.2f}"
        f" (95 %: {shift['low']:+.2f} to {shift['high']:+.2f})"
    )


def _plain(text: str) -> str:
    """On one line and not endless: names come from spans, which anybody may have written."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in text)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 3] + "..."

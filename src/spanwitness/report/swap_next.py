"""What to do about a swap, as commands that can be pasted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spanwitness.report.text import Runnable, command, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

Row = dict[str, Any]
_Step = tuple[str, str | Runnable]

_DECLARABLE: Final = {
    "version": ("--from-model", "--to-model"),
    "mismatch": ("", "--to-model"),
    "disguised": ("--from-model", "--to-model"),
    "prompt": ("--from-prompt", "--to-prompt"),
    "agent": ("--from-agent-version", "--to-agent-version"),
}


def steps(row: Row) -> list[RenderableType]:
    """What to do about a row of `swap.rows`, the first first."""
    parts: list[RenderableType] = []
    for label, what in _steps(row):
        if isinstance(what, Runnable):
            parts += [line(f"  {label}:"), what]
        else:
            parts.append(line(f"  {label}: {what}"))
    return parts


def _steps(row: Row) -> Iterator[_Step]:
    tenant = ("--tenant", row["TenantId"]) if row["TenantId"] else ()
    if row["FirstConversationId"]:
        yield "see where it began", _command("conversation", *tenant, row["FirstConversationId"])
    if row["EndedAt"]:
        yield "it is over", "nothing to undo; find out who did it, and whether it may come back"
        return
    if row["Class"] in ("unverified", "absent", "fingerprint"):
        agent = ("--agent", row["AgentName"]) if row["AgentName"] else ()
        yield "see what answers now", _command("versions", *tenant, *agent)
    if row["Declared"] and row["Severity"] == "warning" and row["Class"] != "absent":
        yield "ask", f"{row['DeclaredBy'] or 'who declared it'}, why only afterwards: the record keeps both times"
    if row["Class"] in _OTHERS:
        yield from _OTHERS[row["Class"]](row)
    if row["Class"] in (*_DECLARABLE, "unapproved") and not row["Declared"]:
        if row["Class"] in _DECLARABLE:
            yield "if it was meant", _declare(row)
        yield "if it was not", f"{_undo(row)}; it ends here once the slot has returned"


def _undo(row: Row) -> str:
    if row["Class"] in ("mismatch", "unapproved"):
        return "have the model that was agreed answer again"
    if row["Class"] == "disguised":
        return "ask the provider what answers under this name, and show them these figures"
    return f"put {row['FromVersion']} back" if row["FromVersion"] else "put back what was there"


def _unapproved(row: Row) -> Iterator[_Step]:
    yield "if it is to stay", f"have {row['ToVersion']} approved in the contract"


def _unverified(_row: Row) -> Iterator[_Step]:
    yield "close the gap", "put the probe of spanwitness.sdk into their process: it reads the model off the wire"


def _absent(row: Row) -> Iterator[_Step]:
    yield "ask", f"{row['DeclaredBy'] or 'who declared it'}, whether it is still to come"
    yield "if it is not", _command("deployment", "withdraw", "--tenant", row["TenantId"], row["DeploymentId"])


def _fingerprint(_row: Row) -> Iterator[_Step]:
    yield "nothing to do", "providers move between backends; look again if scores or habits change too"


def _declare(row: Row) -> Runnable:
    options = ("--tenant", row["TenantId"]), ("--service", row["ServiceName"]), ("--agent", row["AgentName"])
    from_option, to_option = _DECLARABLE[row["Class"]]
    change = (from_option, row["FromVersion"]), (to_option, row["ToVersion"])
    given = [word for option, value in (*options, *change) if option and value for word in (option, value)]
    since = f"{row['FirstSeenAt'][:19]}Z"
    return _command("deployment", "declare", *given, "--from", since, "--by", "YOU", "--reason", "WHY")


def _command(*words: str) -> Runnable:
    return Runnable(command(*words), indent=4)


_OTHERS: Final = {
    "unapproved": _unapproved,
    "unverified": _unverified,
    "absent": _absent,
    "fingerprint": _fingerprint,
}

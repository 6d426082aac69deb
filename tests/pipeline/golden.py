"""What the record says of every capture, one line a conversation: `python -m tests.pipeline.golden` writes it anew.

The table is for reading in a review: what a change does to any instrumentation shows as a changed line. What is true of
the plays stands in test_golden_table.py, which the table is held against too.
"""

from __future__ import annotations

import csv
import hashlib
import sys
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from spanwitness.pipeline import ReviewRules
from spanwitness.store import open_store
from spanwitness.store.record import load_logs, load_spans, traces_by_id
from spanwitness.transcript import rebuild
from tests.conftest import CAPTURES, Lanes, requests_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spanwitness.model import Transcript
    from tests.conftest import Row

TABLE = Path(__file__).with_name("golden.tsv")
NAMES = sorted(
    str(path.relative_to(CAPTURES)).removesuffix(".otlp.gz")
    for path in CAPTURES.rglob("*.otlp.gz")
    if not path.name.endswith(".logs.otlp.gz")
)
_KINDS = ("llm", "tool", "retrieval", "handoff", "guardrail", "speech")


@dataclass(frozen=True)
class Line:
    """One conversation of one capture, as the record has it. Lists are joined by a blank."""

    capture: str
    conversation: str
    source: str
    closed: str
    agents: str
    turns: int
    llm: int
    tool: int
    retrieval: int
    handoff: int
    guardrail: int
    speech: int
    tool_calls: int
    tool_errors: int
    escalations: int
    failed_calls: int
    requested: str
    served: str
    served_source: str
    versions: str
    input_tokens: int
    output_tokens: int
    messages: int
    documents: int
    transcript: str


def lines(name: str, lanes: Lanes) -> list[Line]:
    """A capture's lines, in order of the conversations' beginning. `lanes` must be empty."""
    lanes.ingest_all(requests_of(name))
    lanes.close_everything()
    return [_line(name, lanes, row) for row in lanes.rows("SELECT * FROM conversations_latest ORDER BY StartedAt")]


def known() -> list[Line]:
    """The table as it stands."""
    with TABLE.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    kinds = {field.name: int if field.type == "int" else str for field in fields(Line)}
    return [Line(**{key: kinds[key](value) for key, value in row.items()}) for row in rows]  # type: ignore[arg-type]


def _line(name: str, lanes: Lanes, row: Row) -> Line:
    steps = lanes.rows(f"SELECT * FROM steps_latest WHERE ConversationId = '{row['ConversationId']}' ORDER BY Step")
    calls = [step for step in steps if step["StepKind"] == "llm"]
    told = _transcript(lanes, row)
    return Line(
        capture=name,
        conversation=row["ConversationId"],
        source=row["ConversationIdSource"],
        closed=row["CloseReason"],
        agents=_joined(row["AgentNames"]),
        turns=row["Turns"],
        **{kind: sum(step["StepKind"] == kind for step in steps) for kind in _KINDS},
        tool_calls=row["ToolCalls"],
        tool_errors=row["ToolErrors"],
        escalations=row["Escalations"],
        failed_calls=sum(step["Status"] == "Error" for step in calls),
        requested=_joined(step["RequestedModel"] for step in calls),
        served=_joined(step["ServedModel"] for step in calls),
        served_source=_joined(step["ServedModelSource"] for step in calls),
        versions=_joined(step["ModelVersion"] for step in calls),
        input_tokens=row["InputTokens"],
        output_tokens=row["OutputTokens"],
        messages=len(told.messages),
        documents=len(told.documents),
        transcript=digest(told),
    )


def _transcript(lanes: Lanes, row: Row) -> Transcript:
    traces = traces_by_id(lanes.store, row["TenantId"], row["TraceIds"])
    spans = [stored.span for stored in load_spans(lanes.store, row["TenantId"], traces)]
    return rebuild(spans, load_logs(lanes.store, row["TenantId"], traces))


def digest(told: Transcript) -> str:
    """Of who said what, which tools were called and which failed.

    Not of ids and of what tools answered: there each library has its own spelling.
    """
    said = [
        (
            message.role,
            "" if message.role == "tool" else " ".join(message.content.split()),
            [call.name for call in message.tool_calls],
            message.error,
        )
        for message in told.messages
    ]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:12] if said else "-"


def _joined(values: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(value.replace(" ", "_") or "-" for value in values)) or "-"


def write() -> None:
    """Reads every capture and writes the table."""
    found: list[Line] = []
    with tempfile.TemporaryDirectory() as folder:
        lanes = Lanes(open_store(f"chdb://{folder}/store"), review_rules=ReviewRules())
        for name in NAMES:
            sys.stderr.write(f"{name}\n")
            found += lines(name, lanes)
            lanes.clear()
        lanes.store.close()
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Line)], delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(line) for line in found)


if __name__ == "__main__":
    write()

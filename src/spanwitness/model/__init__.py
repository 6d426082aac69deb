"""What passes between the stages of the review lane: frozen values, no I/O."""

from spanwitness.model.conversation import Conversation, Document, Facts, Message, Role, Step, ToolCall, Transcript
from spanwitness.model.ledger import Severity, Slot, Swap, SwapClass, Traffic, Use, VersionUse, swap_id
from spanwitness.model.scores import Evidence, JudgeUse, Score, Status
from spanwitness.model.spans import Event, LogRecord, OpenTrace, SpanRecord
from spanwitness.model.terms import BundleTerms, ChangeKind, Contract, Deployment

__all__ = [
    "BundleTerms",
    "ChangeKind",
    "Contract",
    "Conversation",
    "Deployment",
    "Document",
    "Event",
    "Evidence",
    "Facts",
    "JudgeUse",
    "LogRecord",
    "Message",
    "OpenTrace",
    "Role",
    "Score",
    "Severity",
    "Slot",
    "SpanRecord",
    "Status",
    "Step",
    "Swap",
    "SwapClass",
    "ToolCall",
    "Traffic",
    "Transcript",
    "Use",
    "VersionUse",
    "swap_id",
]

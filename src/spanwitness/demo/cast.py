"""Who plays in the demo: recordings of real instrumentations, each as an agent of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TENANT: Final = "northwind-mutual"
CAPTURES: Final = Path(__file__).parent / "captures"

_GENAI: Final = {"conv-7d1f0a52-": ""}
_OTHERS: Final = {"conv-acme-": ""}
# LiveKit names a conversation by its room, too.
_ROOMS: Final = {
    "SRM_355ce2dcf9d3": "0001",
    "SRM_540e285d37b5": "0002",
    "SRM_a73b290420d9": "0003",
    "SRM_4e1045563b44": "0004",
}


@dataclass(frozen=True, slots=True)
class Agent:
    """A recording and the part it plays.

    Attributes:
        service: the service's name, and the beginning of its conversations' ids.
        capture: the recording's name in `captures`.
        speaks: which instrumentation it was recorded from.
        ids: what names a conversation in the recording, and what stands for it after the agent's and the run's name.
    """

    service: str
    capture: str
    speaks: str
    ids: Mapping[str, str] = field(default_factory=lambda: _OTHERS)

    def files(self) -> list[Path]:
        """The recording's files: spans, and log records where the instrumentation sends any."""
        names = (f"{self.capture}.otlp.gz", f"{self.capture}.logs.otlp.gz")
        return [CAPTURES / name for name in names if (CAPTURES / name).exists()]


AGENTS: Final = (
    Agent("claims-web", "genai_openai_handler", "OTel GenAI, content in span attributes", _GENAI),
    Agent("claims-email", "openai_v2_legacy", "OTel GenAI, content in log records", _GENAI),
    Agent("claims-chat", "oi_openai_agents", "OpenInference, OpenAI Agents SDK"),
    Agent("claims-app", "oi_langgraph", "OpenInference, LangGraph"),
    Agent("claims-policy", "fi_pgvector", "traceAI, OpenAI Agents SDK and pgvector"),
    Agent("claims-broker", "fi_langgraph", "traceAI, LangGraph"),
    Agent("claims-voice", "livekit_voice", "LiveKit Agents, a voice call", {**_OTHERS, **_ROOMS}),
)

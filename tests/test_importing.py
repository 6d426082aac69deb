"""The import command's work: files in, conversations closed and scored, one line a problem."""

from __future__ import annotations

import gzip
import io
import re
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from spanwitness.config import Config, parse
from spanwitness.evaluators import BUNDLE
from spanwitness.importing import import_files
from spanwitness.receive import Signal
from spanwitness.testing import chat, framed, trace_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from spanwitness.importing import Imported
    from spanwitness.store import Store
    from tests.conftest import Lanes, Requests

    Reader = Callable[[str], Requests]


def imported(store: Store, *files: Path) -> Imported:
    return import_files(files, store, Config(), Console(file=io.StringIO()))


@pytest.fixture
def files(tmp_path: Path, capture: Reader) -> tuple[Path, Path]:
    """A capture's spans and its logs."""
    requests = capture("openai_v2_legacy")
    spans, logs = tmp_path / "a.otlp.gz", tmp_path / "a.logs.otlp"
    spans.write_bytes(gzip.compress(framed(body for signal, body in requests if signal is Signal.TRACES)))
    logs.write_bytes(framed(body for signal, body in requests if signal is Signal.LOGS))
    return spans, logs


def test_conversations_are_closed_and_scored_when_it_returns(store: Store, files: tuple[Path, Path]) -> None:
    result = imported(store, *files)

    assert result.problems == []
    assert result.summary() == (
        "imported 2 files: 40 spans, 197 log records, 4 conversations closed, 1 new model swap (spanwitness swaps)"
    )
    rows = store.rows("SELECT CloseReason, Turns, ToolCalls FROM conversations FINAL ORDER BY StartedAt")
    assert [(row["CloseReason"], row["Turns"]) for row in rows] == [("import", 4)] * 4
    assert [row["ToolCalls"] for row in rows] == [2, 3, 2, 2]
    assert len(store.rows("SELECT 1 FROM scores FINAL")) == 4 * len(BUNDLE.evaluators)


def test_logs_may_come_before_the_spans(store: Store, files: tuple[Path, Path]) -> None:
    spans, logs = files
    assert imported(store, logs, spans).swept.closed == 4
    assert {row["Turns"] for row in store.rows("SELECT Turns FROM conversations FINAL")} == {4}


def test_the_same_files_again_change_nothing(store: Store, files: tuple[Path, Path]) -> None:
    imported(store, *files)
    before = store.rows("SELECT * FROM conversations ORDER BY ConversationId")
    again = imported(store, *files)
    assert (again.swept.closed, again.swept.revised) == (0, 0)
    assert store.rows("SELECT * FROM conversations ORDER BY ConversationId") == before


def test_only_conversations_of_the_files_are_closed(lanes: Lanes, tmp_path: Path) -> None:
    lanes.ingest([trace_request([chat(1, 1, 0, "open")])])
    lanes.ingestion.flush()
    (tmp_path / "a.otlp").write_bytes(framed([trace_request([chat(2, 1, 0, "mine")])]))
    assert imported(lanes.store, tmp_path / "a.otlp").swept.closed == 1
    assert [row["ConversationId"] for row in lanes.rows("SELECT * FROM conversations FINAL")] == ["mine"]


def test_a_damaged_file_is_told_by_offset_and_the_rest_is_read(store: Store, tmp_path: Path) -> None:
    good = [trace_request([chat(number, 1, number, f"c{number}")]) for number in range(3)]
    broken, whole = tmp_path / "broken.otlp", tmp_path / "whole.otlp"
    broken.write_bytes(framed([good[0], b"\xff" * 40, good[1]]))
    whole.write_bytes(framed([good[2]]))
    result = imported(store, broken, whole)

    offset = len(framed([good[0]]))
    assert result.problems == [f"{broken}: offset {offset}: the request cannot be decoded; 44 bytes skipped"]
    assert result.summary() == "imported 2 files: 3 spans, 3 conversations closed"


def test_a_file_that_is_not_there_is_told_and_not_counted(store: Store, tmp_path: Path) -> None:
    whole = tmp_path / "whole.otlp"
    whole.write_bytes(framed([trace_request([chat(1, 1, 0, "c")])]))
    result = imported(store, tmp_path / "nowhere.otlp", whole)
    assert result.problems == [f"{tmp_path / 'nowhere.otlp'}: No such file or directory"]
    assert result.summary() == "imported 1 file: 1 span, 1 conversation closed"


def test_spans_that_are_refused_are_told_by_the_offset_of_their_request(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x","traceId":"","spanId":""}]}]}]}')
    result = imported(store, path)
    assert len(result.problems) == 1
    assert result.problems[0].startswith(f"{path}: offset 0: 1 of 1 spans refused: a trace id must be 16 bytes")


def test_nothing_in_a_file_is_no_error(store: Store, tmp_path: Path) -> None:
    empty = tmp_path / "a.otlp"
    empty.write_bytes(b"")
    result = imported(store, empty)
    assert (result.problems, result.summary()) == ([], "imported 1 file: 0 spans, 0 conversations closed")


def test_a_progress_bar_is_drawn_on_a_terminal_and_nowhere_else(store: Store, files: tuple[Path, Path]) -> None:
    quiet, drawn = io.StringIO(), io.StringIO()
    import_files(files, store, Config(), Console(file=quiet))
    import_files(files, store, Config(), Console(file=drawn, force_terminal=True, width=80))
    assert quiet.getvalue() == ""
    assert "reading" in drawn.getvalue()
    assert "closing and scoring" in drawn.getvalue()


def test_progress_is_told_in_bytes_of_the_files_as_they_stand_on_the_disk(
    store: Store, files: tuple[Path, Path], tmp_path: Path
) -> None:
    drawn = io.StringIO()
    import_files(
        [*files, tmp_path / "nowhere.otlp"], store, Config(), Console(file=drawn, force_terminal=True, width=80)
    )
    size = sum(path.stat().st_size for path in files)
    told = re.findall(r"([0-9.]+)/([0-9.]+) (bytes|kB|MB)", re.sub("\x1b[^m]*m", "", drawn.getvalue()))
    assert told[-1] == (f"{size / 1000:.1f}", f"{size / 1000:.1f}", "kB")


OWN = """
from dataclasses import dataclass
from typing import ClassVar

from spanwitness.model import Score


@dataclass(frozen=True)
class Politeness:
    name: ClassVar[str] = "Politeness"
    version: ClassVar[str] = "3"
    words: tuple[str, ...] = ("please",)

    def evaluate(self, conversation):
        said = sum(word in message.content.lower() for message in conversation.messages for word in self.words)
        return Score(self.name, self.version, float(said > 0), "polite", "completed", f"met {len(self.words)} words")
"""


def test_an_evaluator_of_ones_own_runs_that_the_configuration_names(
    store: Store, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "acme_tone"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "manners.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    evaluators = {"Politeness": {"class": "acme_tone.manners:Politeness", "words": ["please", "kindly"]}}
    terms = {"evaluators": ["Politeness", "TaskCompletion"], "thresholds": {"Politeness": 0.5}}
    config = parse({"evaluate": terms, "evaluators": evaluators})
    assert import_files(files, store, config, Console(file=io.StringIO())).swept.scores == 8
    rows = store.rows(
        "SELECT DISTINCT EvaluatorVersion, Threshold, Explanation FROM scores WHERE Evaluator='Politeness'"
    )
    assert rows == [{"EvaluatorVersion": "3", "Threshold": 0.5, "Explanation": "met 2 words"}]

"""Every capture: what the record says of it, and that this is what happened.

The plays were scripted, so the truth is known whatever a library reports. Where a library hides a part of it, the
record says that it does not know; it never says something else.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.conftest import CAPTURES
from tests.pipeline.golden import NAMES, Line, known, lines

if TYPE_CHECKING:
    from tests.conftest import Lanes

BEFORE, AFTER, UNKNOWN = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18", "-"
SWAPPED = (BEFORE, BEFORE, AFTER, AFTER)
HOMESURE = {name for name in NAMES if name.startswith(("oi_", "fi_", "livekit", "mlflow"))}
OTHERS = [name for name in NAMES if name.startswith("others/")]
PROBED = [name for name in NAMES if name.endswith("_probe")]
PLAYS = [name for name in NAMES if name not in OTHERS + PROBED and not name.endswith("_error")]
REFUSED = [name for name in NAMES if name.endswith("_error")]
NO_CONVERSATION = {"agent_framework", "mlflow", "mlflow_otel145", "openai_agents_v2", "vercel_ai7"}
"""Their libraries name no conversation anywhere: each trace stands for one, and the record says so."""
HIDDEN = {
    "fi_livekit_voice",
    "google_adk",
    "livekit_voice",
    "oi_openai_agents_chat",
    "strands",
    "strands_latest",
}
"""No call of theirs tells which model answered."""
HIDDEN_WHEN_STREAMED = {"langgraph_bare", "langgraph_old"}
TABLE: dict[str, list[Line]] = defaultdict(list)
for _line in known():
    TABLE[_line.capture].append(_line)
TRUTH: dict[str, list[dict[str, str]]] = defaultdict(list)
with (CAPTURES / "others" / "truth.tsv").open(newline="") as _file:
    for _row in csv.DictReader(_file, delimiter="\t"):
        TRUTH[f"others/{_row['capture']}"].append(_row)


@pytest.mark.parametrize("name", NAMES)
def test_the_record_of_a_capture_is_as_in_the_table(name: str, lanes: Lanes) -> None:
    """After a change that is meant, `python -m tests.pipeline.golden` writes the table anew, for a review to read."""
    assert lines(name, lanes) == TABLE[name]
    swaps = lanes.rows("SELECT * FROM model_swaps FINAL WHERE Withdrawn = 0 AND Class = 'version'")
    assert [(swap["FromVersion"], swap["ToVersion"], swap["FirstConversationId"]) for swap in swaps] == seen(name)


def seen(name: str) -> list[tuple[str, str, str]]:
    """The swap, where the served model shows on both sides of it: the versions, and the first conversation after it."""
    told = [
        (version, line.conversation)
        for line in TABLE[name]
        for version in line.versions.split()
        if not version.endswith("?")
    ]
    changes = [
        (before, after, conversation) for (before, _), (after, conversation) in pairwise(told) if before != after
    ]
    assert len(changes) <= 1
    return changes


def test_the_table_has_every_capture_and_no_other() -> None:
    assert sorted(TABLE) == NAMES
    assert sorted(TRUTH) == OTHERS


def total(name: str, column: str) -> int:
    return sum(getattr(line, column) for line in TABLE[name])


@pytest.mark.parametrize("name", PLAYS)
def test_what_was_played_is_what_the_table_says(name: str) -> None:
    homesure = name in HOMESURE
    assert total(name, "llm") - total(name, "failed_calls") == (27 if homesure else 24)
    assert total(name, "tool_calls") == (11 if homesure else 9)
    assert total(name, "tool") in {0, 7, total(name, "tool_calls")}  # a span each, none at all, or searches apart
    assert total(name, "tool_errors") == (2 if name in {"fi_pgvector", "fi_pinecone"} else 1)
    assert total(name, "escalations") == (2 if homesure else 1)
    assert total(name, "turns") - total(name, "failed_calls") * (name in NO_CONVERSATION) == 16
    assert all(line.messages for line in TABLE[name])


@pytest.mark.parametrize("name", PLAYS)
def test_a_play_has_its_four_conversations_unless_nobody_names_them(name: str) -> None:
    found = TABLE[name]
    if name in NO_CONVERSATION:
        assert len(found) - total(name, "failed_calls") == 16
        assert {line.source for line in found} == {"trace"}
        return
    assert len(found) == 4
    assert "trace" not in {line.source for line in found}
    assert [line.turns for line in found] == [4, 4, 4, 4]
    assert [line.escalations for line in found] == ([0, 1, 0, 1] if name in HOMESURE else [0, 0, 0, 1])


@pytest.mark.parametrize("name", PLAYS)
def test_the_served_model_is_the_true_one_or_unknown(name: str) -> None:
    found = [line for line in TABLE[name] if line.failed_calls < line.llm]
    for number, line in enumerate(found):
        truth = SWAPPED[number * 4 // len(found)]
        told = set(line.served.split()) - ({UNKNOWN} if line.failed_calls else set())
        if name in HIDDEN:
            assert told == {UNKNOWN}
        elif name in HIDDEN_WHEN_STREAMED:
            assert truth in told <= {truth, UNKNOWN}
        else:
            assert told == {truth}


@pytest.mark.parametrize("name", PLAYS)
def test_the_requested_model_is_the_true_one_or_unknown(name: str) -> None:
    told = {model.removeprefix("openai/") for line in TABLE[name] for model in line.requested.split()}
    assert told - {"gpt-missing-5"} in ({"gpt-4o"}, {UNKNOWN})


@pytest.mark.parametrize("name", [name for name in PLAYS if name not in HIDDEN | HIDDEN_WHEN_STREAMED])
def test_where_the_served_model_is_known_so_is_how(name: str) -> None:
    sources = {source for line in TABLE[name] if not line.failed_calls for source in line.served_source.split()}
    assert sources in ({"response"}, {"payload"})


@pytest.mark.parametrize("name", PROBED)
def test_the_probe_shows_the_swap_that_the_library_hides(name: str) -> None:
    assert [line.served for line in TABLE[name]] == list(SWAPPED)
    assert {line.served_source for line in TABLE[name]} == {"probe"}
    assert len(seen(name)) == 1


@pytest.mark.parametrize("homesure", [False, True], ids=["claims", "homesure"])
def test_every_instrumentation_tells_the_same_talk(homesure: bool) -> None:
    """Word for word, call for call. The vector stores' plays have a search that fails as well."""
    names = [
        name
        for name in PLAYS
        if (name in HOMESURE) == homesure and name not in NO_CONVERSATION and name not in {"fi_pgvector", "fi_pinecone"}
    ]
    assert len(names) > 5
    assert len({tuple(line.transcript for line in TABLE[name]) for name in names}) == 1


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_call_is_one_failed_step_of_which_nobody_knows_a_served_model(name: str) -> None:
    (line,) = TABLE[name]
    assert (line.turns, line.llm, line.failed_calls, line.tool_calls) == (1, 1, 1, 0)
    assert (line.served, line.served_source) == (UNKNOWN, "unknown")
    assert (line.input_tokens, line.output_tokens) == (0, 0)


# Captures of other libraries, and of other versions of the same, recorded with a play of their own.

NAMELESS = {  # the library names no conversation, or its scrubbing took the name away
    "agent_framework_chat",
    "agent_framework_responses",
    "logfire_openai",
    "mlflow_genai",
    "openai_agents_v2_chat",
    "openai_agents_v2_responses",
}
NO_TOKENS_WHEN_STREAMED = {"langsmith_otel", "oi_llama_index", "openai_agents_v2_chat"}
ALSO_CALLS_ITS_OWN_TOOLS = {"oi_smolagents"}  # the final answer is one to it
TALKS_BESIDE = {"oi_anthropic"}  # the client's own tracing of a streamed call, in a trace that nobody names
LOSES_TOOL_RESULTS = {"oi_haystack_pipeline"}
OTHER_PLAYS = [name for name in OTHERS if not name.endswith("_error")]


@pytest.mark.parametrize("name", OTHER_PLAYS)
def test_a_library_never_seen_before_is_read_right_or_not_at_all(name: str) -> None:
    short, truth = name.removeprefix("others/"), TRUTH[name]
    found = [line for line in TABLE[name] if not (short in TALKS_BESIDE and line.source == "trace")]
    if short in NAMELESS:
        assert {line.source for line in found} == {"trace"}
        assert sum(line.llm for line in found) == sum(int(row["calls"]) for row in truth)
        assert sum(line.tool_calls for line in found) == sum(int(row["tools"]) for row in truth)
        assert sum(line.tool_errors for line in found) == sum(int(row["failures"]) for row in truth)
        assert len(found) == sum(int(row["turns"]) for row in truth)
        return
    assert [line.conversation for line in found] == [row["conversation"] for row in truth]
    for line, row in zip(found, truth, strict=True):
        assert (line.turns, line.llm) == (int(row["turns"]), int(row["calls"]))
        assert (line.escalations > 0) == (row["handed_over"] == "1")
        if short not in ALSO_CALLS_ITS_OWN_TOOLS:
            assert line.tool_calls == int(row["tools"])
        if short not in LOSES_TOOL_RESULTS:
            assert line.tool_errors == int(row["failures"])


@pytest.mark.parametrize("name", OTHER_PLAYS)
def test_its_models_and_tokens_are_right_or_unknown(name: str) -> None:
    short, truth = name.removeprefix("others/"), TRUTH[name]
    models = {model for row in truth for model in row["served"].split()}
    assert {model for line in TABLE[name] for model in line.served.split()} <= {*models, UNKNOWN}
    for line in TABLE[name]:
        for row in truth:
            if row["conversation"] == line.conversation:
                assert set(line.served.split()) <= {*row["served"].split(), UNKNOWN}
                if short not in NO_TOKENS_WHEN_STREAMED:
                    assert (line.input_tokens, line.output_tokens) == (int(row["input"]), int(row["output"]))
                else:
                    assert line.input_tokens <= int(row["input"])

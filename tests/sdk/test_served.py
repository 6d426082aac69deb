from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanwitness.sdk.served import MOST_BYTES, MOST_TOKENS, AnswerReader, Served
from tests.sdk.model_server import OLD, Answer, chat, messages, responses

ASKED = {"messages": [{"role": "user", "content": "hello"}]}
BEDROCK = {"id": "msg_1", "type": "message", "model": "claude-3-5-sonnet-20241022", "content": [{"text": "hi"}]}
GEMINI = {"candidates": [{"content": {"parts": [{"text": "hi"}]}}], "modelVersion": "gemini-2.5-flash-001"}
AZURE = {"id": "", "model": "", "object": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}


def read(body: bytes, size: int = 0) -> Served | None:
    reader = AnswerReader()
    for at in range(0, len(body), size or len(body) or 1):
        reader.feed(body[at : at + (size or len(body))])
    reader.finish()
    return reader.served


def body_of(answer: Answer) -> bytes:
    return b"".join(answer.pieces)


def sse(*bodies: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(body).encode() + b"\n\n" for body in bodies)


OPENAI, MODEL_ALONE = Served(*OLD), Served(OLD[0])
BODIES = {
    "chat": (body_of(chat(OLD, ASKED, streamed=False)), OPENAI),
    "chat streamed": (body_of(chat(OLD, ASKED, streamed=True)), OPENAI),
    "responses": (body_of(responses(OLD, streamed=False)), MODEL_ALONE),
    "responses streamed": (body_of(responses(OLD, streamed=True)), MODEL_ALONE),
    "anthropic": (body_of(messages(OLD, streamed=False)), MODEL_ALONE),
    "anthropic streamed": (body_of(messages(OLD, streamed=True)), MODEL_ALONE),
    "bedrock": (json.dumps(BEDROCK).encode(), Served("claude-3-5-sonnet-20241022")),
    "gemini": (json.dumps(GEMINI, indent=1).encode(), Served("gemini-2.5-flash-001")),
    "gemini events": (sse(GEMINI, GEMINI), Served("gemini-2.5-flash-001")),
    "gemini array": (json.dumps([GEMINI, GEMINI]).encode(), Served("gemini-2.5-flash-001")),
    "azure streamed": (sse(AZURE) + body_of(chat(OLD, ASKED, streamed=True)), OPENAI),
    "ollama lines": (b'{"model":"llama3.2","done":false}\n{"model":"llama3.2","done":true}\n', Served("llama3.2")),
    "carriage returns": (b": hi\r\n\r\ndata:" + json.dumps(BEDROCK).encode() + b"\r\n\r\n", Served(BEDROCK["model"])),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 64])
@pytest.mark.parametrize("name", BODIES)
def test_the_model_is_read_however_the_body_is_cut(name: str, size: int) -> None:
    body, served = BODIES[name]
    assert read(body, size) == served


@pytest.mark.parametrize("name", ["chat streamed", "responses streamed", "anthropic streamed", "gemini events"])
def test_a_stream_is_done_with_its_first_event_that_names_the_model(name: str) -> None:
    body, served = BODIES[name]
    first = body.partition(b"\n\n")[0]
    reader = AnswerReader()
    reader.feed(first)
    assert (reader.done, reader.served) == (True, served)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"null",
        b"<html>model</html>",
        b'"model":"gpt-4o"',
        b'{"error":{"message":"no","model":"gpt-4o"}}',
        b'{"choices":[{"message":{"model":"gpt-4o","content":"{\\"model\\":\\"evil\\"}"}}]}',
        b'{"model":null}',
        b'{"model":4}',
        b'{"model":["gpt-4o"]}',
        b'{"model":{"model":"gpt-4o"}}',
        b'{"model":""}',
        b'{"model":" gpt-4o"}',
        b'{"model":"gpt\\u0000-4o"}',
        b'{"model":"gpt\\n4o"}',
        b'{"model":"\\ud800"}',
        b'{"model":"\xff\xfe"}',
        b'{"model":"' + b"x" * 300 + b'"}',
        b'{"model":"' + b"\\" * 301 + b'"}',
        b'{"model":"gpt-4o',
        b'{"other":"model","x":"gpt-4o"}',
        b'[[{"model":"gpt-4o"}]]',
        b"[" * 100_000,
        b"}" * 1000 + b"]" * 1000,
        b'data: {"model":"gpt-4o\n\ndata: "}\n\n',
        b"data: [DONE]\n\n",
        b'event: {"model":"gpt-4o"}\n\n',
    ],
)
def test_what_names_no_model_yields_none(body: bytes) -> None:
    assert read(body) is None
    assert read(body, 5) is None


def test_the_fingerprint_is_read_wherever_it_stands() -> None:
    assert read(b'{"system_fingerprint":"fp_1","choices":[],"model":"m"}') == Served("m", "fp_1")
    assert read(b'{"model":"m","choices":[{"system_fingerprint":"no"}],"system_fingerprint":null}') == Served("m")


def test_an_event_that_breaks_off_does_not_spoil_the_next() -> None:
    assert read(b'data: {"model":"broken\n\n' + sse({"model": "m"})) == Served("m")


def test_escapes_in_a_name_are_read() -> None:
    assert read(b'{"model":"models\\/gemini"}', 3) == Served("models/gemini")


def test_it_looks_at_the_beginning_of_a_large_body_alone() -> None:
    early = b'{"model":"m","choices":"' + b"x" * MOST_BYTES + b'","system_fingerprint":"fp_1"}'
    late = b'{"choices":"' + b"x" * MOST_BYTES + b'","model":"m"}'
    assert read(early, 4096) == Served("m")
    assert read(late, 4096) is None
    reader = AnswerReader()
    reader.feed(late)
    assert reader.done


def test_it_looks_at_so_many_tokens_alone() -> None:
    many = b"[0," * MOST_TOKENS
    assert read(b'{"model":"m","choices":' + many, 999) == Served("m")
    assert read(b'{"choices":' + many + b"]" * MOST_TOKENS + b',"model":"m"}', 999) is None
    reader = AnswerReader()
    reader.feed(many)
    assert reader.done


def test_nothing_is_kept_of_a_long_text() -> None:
    reader = AnswerReader()
    for _ in range(100):
        reader.feed(b'{"choices":"' if not reader._begun else b"secret\\n" * 100)  # noqa: SLF001 - what it would keep
    (kept,) = [len(value) for value in vars(reader._scanner).values() if isinstance(value, bytearray)]  # noqa: SLF001
    assert kept < 1000


@given(st.binary(max_size=400), st.integers(1, 40))
def test_any_bytes_are_harmless_and_cuts_change_nothing(body: bytes, size: int) -> None:
    assert read(body, size) == read(body)


VALUES = st.recursive(
    st.none() | st.text(max_size=8) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["model", "a", "response", "message"]), inner, max_size=3)
    ),
)


@given(st.dictionaries(st.sampled_from(["model", "a", "choices"]), VALUES, max_size=3), st.integers(1, 40))
def test_it_agrees_with_a_json_parser(body: dict[str, Any], size: int) -> None:
    found = read(json.dumps(body).encode(), size)
    model = body.get("model")
    if found is not None:
        assert found.model == model
    elif isinstance(model, str):
        assert not model.strip() or model != model.strip() or not model.isascii() or not model.isprintable()

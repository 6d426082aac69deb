"""One question, one answer or one error: against a real server that behaves as endpoints do."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from spanwitness.errors import ConfigError
from spanwitness.judge.asking import Asked
from spanwitness.judge.endpoint import Endpoint, JudgeError
from spanwitness.judge.schema import TEXT, listing, one_of, table
from spanwitness.judge.settings import JudgeSettings
from tests.judge.model_judge import MODEL, SNAPSHOT, Says, completion, error, model_judge, refuses_to_say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.judge.model_judge import Json, ModelJudge

SCHEMA = table(found=listing(table(what=TEXT)), state=one_of("kept", "broken"))
ASKED = Asked("Groundedness", "abcd1234", "You list.", "RECORD BEGINS\n{}\nRECORD ENDS", SCHEMA)
GOOD = {"found": [{"what": "a claim"}], "state": "kept"}
SECRET = "sk-not-to-be-told"  # noqa: S105 - that is why it may stand here
CONTENT = "the customer's own words"


@contextmanager
def asking(
    *says: Says | Callable[[Json], Says], timeout_s: float = 5.0, key: str = SECRET
) -> Iterator[tuple[Endpoint, ModelJudge]]:
    with (
        model_judge(*says) as judge,
        Endpoint(JudgeSettings(judge.url, MODEL, key=key, timeout_s=timeout_s)) as endpoint,
    ):
        yield endpoint, judge


def failure(*says: Says | Callable[[Json], Says], timeout_s: float = 5.0) -> JudgeError:
    with asking(*says, timeout_s=timeout_s) as (endpoint, _), pytest.raises(JudgeError) as raised:
        endpoint.ask(ASKED)
    assert SECRET not in str(raised.value)
    assert CONTENT not in str(raised.value)
    return raised.value


def test_a_good_answer_tells_what_it_took_and_who_gave_it() -> None:
    with asking(completion(GOOD)) as (endpoint, judge):
        reply = endpoint.ask(ASKED)
    assert reply.answer == GOOD
    assert reply.served == SNAPSHOT
    assert (reply.input_tokens, reply.output_tokens) == (1200, 300)
    assert reply.latency_ms > 0
    assert judge.paths == ["/v1/chat/completions"]


def test_what_is_sent() -> None:
    with asking(completion(GOOD)) as (endpoint, judge):
        endpoint.ask(ASKED)
    (body,), (headers,) = judge.requests, judge.headers
    assert body["model"] == MODEL
    assert body["temperature"] == 0
    assert body["messages"] == [
        {"role": "system", "content": ASKED.system},
        {"role": "user", "content": ASKED.user},
    ]
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "Groundedness", "strict": True, "schema": SCHEMA},
    }
    assert headers["authorization"] == f"Bearer {SECRET}"


def test_without_a_key_none_is_sent_and_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "not-meant-for-this-endpoint")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    with asking(completion(GOOD), key="") as (endpoint, judge):
        endpoint.ask(ASKED)
    assert "authorization" not in judge.headers[0]
    assert "not-meant-for-this-endpoint" not in str(judge.headers)


def test_an_answer_in_a_fence_or_amid_words_is_found() -> None:
    with asking(completion(f"Here it is:\n```json\n{json.dumps(GOOD)}\n```\n")) as (endpoint, _):
        assert endpoint.ask(ASKED).answer == GOOD


def test_text_in_parts_is_read() -> None:
    text = json.dumps(GOOD)
    parts = [{"type": "text", "text": text[:9]}, {"type": "text", "text": text[9:]}]
    with asking(completion(None, message={"content": parts})) as (endpoint, _):
        assert endpoint.ask(ASKED).answer == GOOD


@pytest.mark.parametrize(
    "content",
    [
        "pass",
        "",
        None,
        '{"found": [], "state": "kept"',
        {"found": [], "state": "well kept"},
        {"found": [], "state": "kept", "verdict": "pass"},
        {"found": [{"what": 3}], "state": "kept"},
        {"state": "kept"},
        ["found"],
        '{"found": ' + "[" * 100_000,
    ],
)
def test_an_answer_that_is_not_of_the_schema_is_unusable_and_was_paid_for(content: object) -> None:
    raised = failure(completion(content))
    assert raised.outcome == "unusable"
    assert raised.may_retry
    assert raised.served == SNAPSHOT
    assert (raised.input_tokens, raised.output_tokens) == (1200, 300)
    assert raised.latency_ms > 0


def test_an_answer_cut_at_its_longest_is_unusable_although_it_parses() -> None:
    assert failure(completion(GOOD, finish="length")).outcome == "unusable"


@pytest.mark.parametrize("body", [b"", b"<html>gateway</html>", b"{", b"[]", b"null", b"\xff\xfe", b'{"choices": 3}'])
def test_a_body_that_is_no_completion_is_unusable(body: bytes) -> None:
    raised = failure(Says(body))
    assert (raised.outcome, raised.input_tokens, raised.served) == ("unusable", 0, "")


@pytest.mark.parametrize("content_type", ["text/html", "application/octet-stream"])
def test_a_body_is_read_whatever_type_it_claims(content_type: str) -> None:
    with asking(replace(completion(GOOD), headers={"Content-Type": content_type})) as (endpoint, _):
        assert endpoint.ask(ASKED).answer == GOOD


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_without_end_is_given_up(packed: bool) -> None:
    body = b" " * 64_000_000 if packed else b" " * 8_000_000
    says = Says(gzip.compress(body, 1), headers={"Content-Encoding": "gzip"}) if packed else Says(body)
    raised = failure(says)
    assert (raised.outcome, str(raised)) == ("unusable", "unusable: the body is longer than 4 MiB")


def test_an_answer_of_a_mebibyte_is_read() -> None:
    long = {"found": [{"what": "a claim of twenty ch"}] * 30_000, "state": "kept"}
    with asking(completion(long)) as (endpoint, _):
        assert endpoint.ask(ASKED).answer == long


def test_a_body_that_cannot_be_unpacked_is_a_connection_that_broke() -> None:
    assert failure(Says(b"no gzip", headers={"Content-Encoding": "gzip"})).outcome == "unreachable"


@pytest.mark.parametrize(
    "says",
    [
        refuses_to_say(CONTENT),
        completion("", finish="content_filter"),
        error(400, f"filtered: {CONTENT}", code="content_filter"),
    ],
)
def test_a_refusal_is_not_asked_again(says: Says) -> None:
    raised = failure(says)
    assert raised.outcome == "refused"
    assert not raised.may_retry


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "7", "retry_after_ms": "1500"}, 1.5),
        ({"Retry_After": "Fri, 20 Nov 1970 12:00:00 GMT"}, 0.0),
        ({"Retry_After": "Fri, 20 Nov 2170 12:00:00 GMT"}, 86_400.0),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "nan"}, None),
        ({}, None),
    ],
)
def test_a_limit_tells_when_to_come_back_and_is_not_retried_here(headers: dict[str, str], wait: float | None) -> None:
    with (
        asking(error(429, CONTENT, code="rate_limit_exceeded", **headers)) as (endpoint, judge),
        pytest.raises(JudgeError) as raised,
    ):
        endpoint.ask(ASKED)
    assert raised.value.outcome == "limited"
    assert raised.value.retry_after_s == wait
    assert raised.value.may_retry
    assert len(judge.requests) == 1


@pytest.mark.parametrize(
    ("status", "outcome", "may_retry"),
    [
        (500, "error", True),
        (503, "error", True),
        (504, "timeout", True),
        (408, "timeout", True),
        (401, "error", True),
        (404, "error", True),
        (413, "error", False),
        (400, "error", False),
        (307, "error", True),
    ],
)
def test_other_statuses(status: int, outcome: str, may_retry: bool) -> None:
    raised = failure(error(status, CONTENT, Location="/elsewhere"))
    assert (raised.outcome, raised.may_retry) == (outcome, may_retry)
    assert str(raised) == f"{outcome}: status {status}"


def test_a_redirection_is_not_followed() -> None:
    with (
        model_judge(completion(GOOD)) as other,
        asking(error(307, Location=f"{other.url}/chat/completions")) as (endpoint, _),
        pytest.raises(JudgeError),
    ):
        endpoint.ask(ASKED)
    assert other.requests == []


@pytest.mark.parametrize("says", [Says(b"", held=True), Says(b"", drips=True)])
def test_a_slow_judge_is_given_up_in_time(says: Says) -> None:
    began = time.monotonic()
    raised = failure(says, timeout_s=0.2)
    assert raised.outcome == "timeout"
    assert raised.may_retry
    assert raised.latency_ms >= 200
    assert time.monotonic() - began < 3


def test_a_connection_that_breaks_or_never_comes_is_unreachable() -> None:
    assert failure(Says(b'{"model":', cut=True)).outcome == "unreachable"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nobody = JudgeSettings(f"http://127.0.0.1:{port}/v1", MODEL)
    with Endpoint(nobody) as endpoint, pytest.raises(JudgeError) as raised:
        endpoint.ask(ASKED)
    assert (raised.value.outcome, raised.value.may_retry) == ("unreachable", True)


@pytest.mark.parametrize(
    ("model", "served"),
    [("a-cheaper-model", "a-cheaper-model"), (None, ""), (7, ""), ("m" * 9000, "m" * 256), ("\ud800", "?")],
)
def test_the_served_model_is_taken_as_told_whatever_was_asked_for(model: object, served: str) -> None:
    with asking(completion(GOOD, model=model)) as (endpoint, _):
        assert endpoint.ask(ASKED).served == served


@pytest.mark.parametrize("usage", [None, {}, "much", {"prompt_tokens": None, "completion_tokens": -3}, []])
def test_tokens_that_are_not_told_count_as_none(usage: object) -> None:
    with asking(completion(GOOD, usage=usage)) as (endpoint, _):
        reply = endpoint.ask(ASKED)
    assert (reply.input_tokens, reply.output_tokens) == (0, 0)


def takes_no_schema(body: Json) -> Says:
    """As DeepSeek's own API answers, and older releases of local servers."""
    if body.get("response_format", {}).get("type") == "json_schema":
        return error(400, "This response_format type is unavailable now", code="invalid_request_error")
    return completion(GOOD)


def takes_no_format(body: Json) -> Says:
    if "response_format" in body:
        detail = [{"type": "extra_forbidden", "loc": ["body", "response_format"], "msg": "not permitted"}]
        return Says(json.dumps({"detail": detail}).encode(), 422)
    return completion(GOOD)


def takes_no_temperature(body: Json) -> Says:
    """As OpenAI's reasoning models answer."""
    if "temperature" in body:
        message = "Unsupported value: 'temperature' does not support 0 with this model."
        return error(400, message, code="unsupported_value", param="temperature")
    return completion(GOOD)


@pytest.mark.parametrize(
    ("endpoint_takes", "form", "asked"),
    [(takes_no_schema, {"type": "json_object"}, 2), (takes_no_format, None, 3)],
)
def test_an_endpoint_without_schemas_gets_the_schema_in_words_and_is_remembered(
    endpoint_takes: Callable[[Json], Says], form: object, asked: int
) -> None:
    with asking(endpoint_takes) as (endpoint, judge):
        assert endpoint.ask(ASKED).answer == GOOD
        assert len(judge.requests) == asked
        assert endpoint.ask(ASKED).manner == ("json_object" if form else "text", 0)
    assert len(judge.requests) == asked + 1
    assert judge.requests[-1].get("response_format") == form
    assert json.dumps(SCHEMA) in judge.requests[-1]["messages"][0]["content"]


def test_a_model_without_temperature_gets_none_and_is_remembered() -> None:
    with asking(takes_no_temperature) as (endpoint, judge):
        endpoint.ask(ASKED)
        assert endpoint.ask(ASKED).manner == ("json_schema", None)
    assert ["temperature" in body for body in judge.requests] == [True, False, False]
    assert judge.requests[-1]["response_format"]["type"] == "json_schema"


def test_what_an_endpoint_repeats_of_the_request_is_not_its_complaint() -> None:
    def echoes(body: Json) -> Says:
        return Says(json.dumps({"detail": [{"loc": ["body"], "msg": "too long", "input": body}]}).encode(), 422)

    with asking(echoes) as (endpoint, judge), pytest.raises(JudgeError) as raised:
        endpoint.ask(ASKED)
    assert (raised.value.outcome, raised.value.may_retry, len(judge.requests)) == ("error", False, 1)


def test_what_is_left_out_for_an_answer_that_failed_all_the_same_is_asked_for_again() -> None:
    fault = error(500)
    with asking(takes_no_schema, fault, completion(GOOD)) as (endpoint, judge):
        with pytest.raises(JudgeError) as raised:
            endpoint.ask(ASKED)
        endpoint.ask(ASKED)
    assert raised.value.manner == ("json_object", 0)
    kinds = [body["response_format"]["type"] for body in judge.requests]
    assert kinds == ["json_schema", "json_object", "json_schema"]


def test_many_threads_may_ask_at_once() -> None:
    """Nobody is answered before all have asked, so they are under way together."""
    together = threading.Barrier(8)

    def waits(body: Json) -> Says:
        together.wait(5)
        return completion({"found": [{"what": body["messages"][1]["content"]}], "state": "kept"})

    with asking(waits) as (endpoint, _), ThreadPoolExecutor(8) as threads:
        users = [f"record {i}" for i in range(8)]
        replies = list(threads.map(lambda user: endpoint.ask(replace(ASKED, user=user)), users))
    assert [reply.answer["found"][0]["what"] for reply in replies] == users


def test_closing_ends_what_is_under_way() -> None:
    with asking(Says(b"", held=True), timeout_s=30) as (endpoint, judge), ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(endpoint.ask, ASKED)
        assert judge.arrived.acquire(timeout=5)
        endpoint.close()
        with pytest.raises(JudgeError, match="closed") as raised:
            waiting.result(timeout=5)
        assert raised.value.may_retry
        with pytest.raises(JudgeError, match="closed"):
            endpoint.ask(ASKED)
        endpoint.close()


def test_the_client_does_not_log_what_it_sends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with asking(completion(GOOD)) as (endpoint, _):
        endpoint.ask(replace(ASKED, user=CONTENT))
    assert CONTENT not in caplog.text
    assert SECRET not in caplog.text


def test_a_missing_client_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ConfigError, match=r"pip install 'spanwitness\[judge\]'"):
        Endpoint(JudgeSettings("http://127.0.0.1:9/v1", MODEL))


def test_the_questions_need_no_client() -> None:
    code = "import sys, spanwitness.judge, spanwitness.judge.endpoint; assert 'openai' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code

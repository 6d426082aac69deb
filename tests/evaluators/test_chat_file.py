"""Files of chat transcripts: what a line may be, and what is told of one that cannot be read."""

from __future__ import annotations

import gzip
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.errors import SpanWitnessError
from spanwitness.evaluators import chat_file
from spanwitness.evaluators.chat_file import BadLine, ChatLine, chat_lines, opened
from spanwitness.model import Document, ToolCall

if TYPE_CHECKING:
    from pathlib import Path

SAID = [{"role": "user", "content": "hello"}]


def read(*lines: bytes) -> list[ChatLine | BadLine]:
    return list(chat_lines(io.BytesIO(b"\n".join(lines))))


def one(fields: Any) -> ChatLine:
    (found,) = read(json.dumps(fields).encode())
    assert isinstance(found, ChatLine)
    return found


def why(line: bytes) -> str:
    (found,) = read(line)
    assert isinstance(found, BadLine)
    return found.why


def test_a_line_is_a_list_of_messages_or_an_object_that_holds_one() -> None:
    lines: tuple[Any, ...] = (SAID, {"messages": SAID}, {"conversation": SAID, "id": 7})
    for fields in lines:
        assert [message.content for message in one(fields).inputs.conversation.messages] == ["hello"]
    assert [one(fields).id for fields in lines] == ["line 1", "line 1", "7"]


def test_what_is_known_besides_becomes_the_evaluators_inputs() -> None:
    known = {
        "system_prompt": "Be kind.",
        "documents": ["Opening hours: 9 to 5.", {"content": "Closed on Mondays."}],
        "expected_actions": [{"name": "cancel", "arguments": {"id": 4}}],
        "required_outputs": ["12"],
        "reference": "hello",
        "nbest": [["hello", 0.9]],
        "channel": "voice",
        "intent": "cancel",
        "language": "en",
    }
    line = one({"messages": SAID, **known, "labels": {"completed": True}, "meta": {"group": "a"}})
    inputs, talk = line.inputs, line.inputs.conversation
    assert inputs.expected_actions == (ToolCall("", "cancel", '{"id": 4}'),)
    assert (inputs.required_outputs, inputs.reference, inputs.nbest) == (("12",), "hello", (("hello", 0.9),))
    assert (talk.system_prompt, talk.channel, talk.intent, talk.language) == ("Be kind.", "voice", "cancel", "en")
    assert talk.documents == (Document("Opening hours: 9 to 5."), Document("Closed on Mondays."))
    assert line.others == {"labels": {"completed": True}, "meta": {"group": "a"}}


def test_what_is_null_is_not_given() -> None:
    line = one({"messages": SAID, "id": None, "expected_actions": None, "documents": None, "channel": None})
    assert line.inputs.expected_actions is None
    assert line.id == "line 1"


def test_an_empty_list_of_expected_actions_is_given() -> None:
    assert one({"messages": SAID, "expected_actions": []}).inputs.expected_actions == ()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "is no JSON: Expecting property name enclosed in double quotes at column 2"),
        (b"\xff\xfe\xfd", "is not UTF-8"),
        (b"[" * 100_000, "is nested too deep"),
        (b"7", "is a JSON int; allowed: a list of messages, or an object with messages"),
        (b"{}", "holds no messages"),
        (b'{"messages": [], "id": true}', "id is a JSON bool; allowed: text or a whole number"),
        (b'{"messages": [{"role": "owner"}]}', "conversation[0].role is 'owner'; allowed: system, user"),
        (b'{"messages": [], "nbest": 3}', "nbest is of type int; allowed: a list"),
        (b'{"messages": [], "channel": 3}', "channel is of type int; allowed: text"),
    ],
)
def test_a_line_that_cannot_be_read_says_why(line: bytes, told: str) -> None:
    assert told in why(line)


def test_what_is_told_of_a_bad_line_holds_nothing_of_what_was_said() -> None:
    assert "4111" not in why(b'{"messages": [{"role": "user", "content": {"card": "4111 1111"}}]}')
    assert "4111" not in why(b'{"messages": "4111 1111"}')


def test_lines_are_counted_with_blank_ones_and_go_on_after_a_bad_one() -> None:
    found = read(b"[]", b"", b"  ", b"nonsense", b"[]")
    assert [(line.number, type(line)) for line in found] == [(1, ChatLine), (4, BadLine), (5, ChatLine)]


def test_half_a_surrogate_pair_is_read() -> None:
    assert one([{"role": "user", "content": "\ud800"}]).inputs.conversation.messages[0].content == "\ud800"


def test_a_line_that_is_too_long_is_passed_over_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_file, "LONGEST", 100)
    found = read(json.dumps([{"role": "user", "content": "a" * 1000}]).encode(), b"[]")
    assert found[0] == BadLine(1, "is longer than 100 bytes")
    assert isinstance(found[1], ChatLine)
    assert found[1].number == 2


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_may_be_packed(tmp_path: Path, packed: bool) -> None:
    path, content = tmp_path / "talks.jsonl", b"[]\n[]\n"
    path.write_bytes(gzip.compress(content) if packed else content)
    with opened(path) as (lines, read_so_far):
        assert len(list(chat_lines(lines))) == 2
        assert read_so_far() == path.stat().st_size


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_file_is_told_by_its_name(tmp_path: Path, damage: str) -> None:
    path, content = tmp_path / "talks.jsonl.gz", gzip.compress(b"[]\n" * 1000)
    path.write_bytes(content[:-9] if damage == "cut" else content[:10] + b"\xff" * 8 + content[18:])
    with pytest.raises(SpanWitnessError, match=r"talks\.jsonl\.gz: is damaged gzip"), opened(path) as (lines, _):
        list(chat_lines(lines))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpanWitnessError, match=r"nowhere\.jsonl: No such file"), opened(tmp_path / "nowhere.jsonl"):
        pass

"""What a tool answered, freed of the wrappings that libraries put around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spanwitness.transcript.reprs import keywords, printed_fields
from spanwitness.transcript.units import plain_text, result_text
from spanwitness.transcript.values import fields, first, parse, string, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping


_ERROR: Final = re.compile(
    r"(?:error|exception)\s*[:(\[]|(?:error|exception) (?:executing|calling|running|invoking|while|in) "
    r"|traceback \(most recent|an (?:\w+ )?error (?:has )?occurred|tool (?:call |execution )?failed"
    r"|(?-i:[A-Z]\w*(?:Error|Exception)): ",
    re.IGNORECASE,
)
_NO_ERROR: Final = re.compile(r"(?:error\s*:\s*)?(?:none|no errors?|null|nil|false|ok|0|n/a)\W*", re.IGNORECASE)
_REFUSAL: Final = frozenset({"status", "message", "error_message", "detail", "details", "reason", "code"})
_COMPLAINT: Final = re.compile(
    r"(?:unknown|invalid|unsupported|missing|no such|not found|unable to|could not|couldn't|cannot|can't|failed)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Result:
    """A tool's result, and what its wrapping said of the call."""

    content: str
    call_id: str = ""
    name: str = ""
    error: bool = False


def unwrap(text: str) -> Result:
    """The result inside a LangChain ToolMessage (JSON or Python repr), MCP, Bedrock or MLflow value; else `text`."""
    value = parse(text)
    if isinstance(value, str):  # MLflow and traceAI write a plain string as a JSON string
        return Result(value)
    plain = plain_text(value)
    if plain is not None:
        return Result(plain)
    return _tool_message(fields(value)) or Result(text)


def tells_failure(content: str) -> bool:
    """Whether a result says itself that the call failed.

    `{"error": ..}`, `{"status": "error", "message": ..}`, ADK's `error_message`, MCP's `isError`, any of them within
    `{"result": ..}`, as JSON or as openai-agents prints a dict; or the words that libraries and tools begin an error
    with: `Error: ..`, `ValueError: ..`, `An error occurred ..`.
    """
    text = content.lstrip()
    if not text.startswith("{"):
        return bool(_ERROR.match(text)) and not _NO_ERROR.fullmatch(text)
    value = fields(parse(text)) or printed_fields(text.rstrip())
    if value.keys() == {"result"}:
        inner = value["result"]
        value = fields(parse(inner) if isinstance(inner, str) else inner)
    return _names_an_error(value.get("error")) or _names_an_error(value.get("error_message")) or _says_so(value)


def _names_an_error(value: object) -> bool:
    return bool(value) and not (isinstance(value, str) and _NO_ERROR.fullmatch(value))


def _says_so(value: Mapping[str, object]) -> bool:
    """MCP's mark; or a status, where its reason and nothing else stands beside it: a job's status is a good answer."""
    return value.get("isError") is True or (value.get("status") == "error" and {"status"} < value.keys() <= _REFUSAL)


def complains(content: str) -> bool:
    """Whether a result begins as tools word a refusal. Alone it proves nothing: a good answer may begin so too."""
    return bool(_COMPLAINT.match(content.lstrip()))


def arguments_of(text: str) -> str:
    """The arguments inside a LangChain callback's `{"input_str", "inputs"}` or traceloop's `{"args", "kwargs"}`."""
    value = fields(parse(text))
    if "input_str" in value and isinstance(value.get("inputs"), dict):
        return text_of(value["inputs"])
    if value.keys() == {"args", "kwargs"} and not value["args"]:
        return text_of(value["kwargs"])
    return text


def _tool_message(value: Mapping[str, object]) -> Result | None:
    output = value.get("output")
    if isinstance(output, str) and output.startswith("content="):
        return _printed(output)
    for holder in (value, fields(output)):
        inner = fields(holder.get("data")) if holder.get("type") == "tool" else fields(holder.get("kwargs"))
        if inner.get("type") == "tool" or "tool_call_id" in inner:
            return _stored(inner)
    return None


def _stored(inner: Mapping[str, object]) -> Result:
    return Result(
        result_text(first(inner, "content")),
        string(inner.get("tool_call_id")),
        string(inner.get("name")),
        inner.get("status") == "error",
    )


def _printed(text: str) -> Result | None:
    """Reads what traceAI writes, `str(ToolMessage)`: content='..' name='..' tool_call_id='..' status='error'."""
    pairs = keywords(text)
    if "content" not in pairs:
        return None
    return Result(
        pairs["content"], pairs.get("tool_call_id", ""), pairs.get("name", ""), pairs.get("status") == "error"
    )

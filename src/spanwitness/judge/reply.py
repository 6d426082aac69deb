"""What an endpoint answered, read with distrust: any part of it may be missing or of another kind."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from spanwitness.judge.schema import mismatch

if TYPE_CHECKING:
    from spanwitness.judge.schema import Schema

Reason = Literal["temperature", "format", "filter"]

_LONGEST_NAME: Final = 256
_MOST_TOKENS: Final = 2**32 - 1  # what the record's columns hold
_LONGEST_WAIT_S: Final = 86_400.0


class Unusable(ValueError):  # noqa: N818 - names what the answer is
    """The answer is not what was asked for. The message holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A chat completion, as far as it matters here.

    Attributes:
        refusal: who refused: "model" or "content filter"; '' where nobody did.
        cut: the answer ended at a limit of its length.
    """

    served: str = ""
    text: str = ""
    refusal: str = ""
    cut: bool = False
    input_tokens: int = 0
    output_tokens: int = 0


def completion_of(body: bytes) -> Completion:
    """Raises Unusable for a body that is no chat completion."""
    tree = _object(_json(body))
    if tree is None:
        raise Unusable("the body is not a JSON object")
    usage = _object(tree.get("usage")) or {}
    choices = tree.get("choices")
    choice = (_object(choices[0]) if isinstance(choices, list) and choices else None) or {}
    message = _object(choice.get("message")) or {}
    finish = choice.get("finish_reason")
    refusal = "model" if message.get("refusal") else "content filter" if finish == "content_filter" else ""
    return Completion(
        served=_name(tree.get("model")),
        text=_content(message.get("content")),
        refusal=refusal,
        cut=finish == "length",
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
    )


def answer_of(completion: Completion, schema: Schema) -> dict[str, Any]:
    """The JSON object of the answer, which some models wrap in a code fence or in words.

    Raises:
        Unusable: there is none, or it is not of the schema.
    """
    if completion.cut:
        raise Unusable("the answer ended at the limit of its length")
    text = completion.text
    found = _object(_json(text[text.find("{") : text.rfind("}") + 1].encode("utf-8", "replace")))
    if found is None:
        raise Unusable("the answer is not JSON")
    wrong = mismatch(found, schema)
    if wrong is not None:
        raise Unusable(f"the answer is not of the schema: {wrong}")
    return found


def refused_for(body: bytes) -> Reason | None:
    """What an endpoint did not take, by the words of its error; None where they name nothing of that kind."""
    text = _complaint(_json(body)).casefold()
    if "content_filter" in text or "responsibleaipolicyviolation" in text:
        return "filter"
    if "temperature" in text:
        return "temperature"
    return "format" if any(word in text for word in ("response_format", "json_schema", "json_object")) else None


def retry_after(text: str | None, milliseconds: str | None, now: float) -> float | None:
    """Seconds to wait, from Retry-After (seconds or a date) or OpenAI's retry-after-ms; None where neither is told.

    `now`: Unix seconds. At most a day.
    """
    wait = _number(milliseconds, 0.001)
    if wait is None:
        wait = _number(text, 1.0)
    if wait is None and text:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        wait = moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp() - now
    return None if wait is None else min(max(0.0, wait), _LONGEST_WAIT_S)


def _complaint(body: Any) -> str:
    """The words of an error, without what some endpoints repeat of the request beside them."""
    tree = _object(body) or {}
    error = tree.get("error", tree)
    if isinstance(error, str):
        return error
    told = _object(error) or {}
    words = [told.get(key) for key in ("message", "param", "code", "type", "detail")]
    for each in told["detail"] if isinstance(told.get("detail"), list) else ():
        item = _object(each) or {}
        words += [str(item.get("loc")), item.get("msg")]
    return " ".join(word for word in words if isinstance(word, str))


def _number(text: str | None, unit: float) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number * unit if math.isfinite(number) else None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _object(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _name(value: Any) -> str:
    """A model's name as the record can hold it."""
    return value[:_LONGEST_NAME].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _content(value: Any) -> str:
    """Text, or the text of parts, as some endpoints answer."""
    if isinstance(value, list):
        return "".join(_content(_object(part) and part.get("text")) for part in value)
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return min(value, _MOST_TOKENS) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0

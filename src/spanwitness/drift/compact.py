"""What was counted of a conversation as a line of text and back, a kilobyte: numbers, names of tools and the topic."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spanwitness.drift.counting import Counted
from spanwitness.drift.features import COVARIATES, FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FORM: Final = 1


def to_text(counted: Counted) -> str:
    """JSON. Values keep seven digits; `rounded` is what comes back."""
    told = {
        "form": _FORM,
        "topic": counted.topic,
        "prompt": counted.prompt,
        "tools": counted.tools,
        "values": _packed(counted.values),
        "covariates": _packed(counted.covariates),
    }
    return json.dumps(told, separators=(",", ":"))


def from_text(text: str) -> Counted:
    """What was written.

    Raises:
        ValueError: it is no such text, or one of a release that counted other features.
    """
    try:
        told = json.loads(text)
        values, covariates = _unpacked(told["values"]), _unpacked(told["covariates"])
        tools = tuple((str(name), int(number)) for name, number in told["tools"])
        found = Counted(values, covariates, str(told["topic"]), str(told["prompt"]), tools)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("not what was counted of a conversation") from error
    if told.get("form") != _FORM or (len(values), len(covariates)) != (len(FEATURES), len(COVARIATES)):
        raise ValueError("it was counted by another release")
    return found


def rounded(counted: Counted) -> Counted:
    """As it is once it has been stored."""
    return replace(counted, values=_short(counted.values), covariates=_short(counted.covariates))


def _short(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values.astype(np.float32).astype(float)


def _packed(values: NDArray[np.float64]) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def _unpacked(text: Any) -> NDArray[np.float64]:
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(float)

"""A detector as bytes and back: a zip of arrays, and JSON for what is no array. Nothing in it is executable."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

VERSION: Final = 2


def pack(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> bytes:
    """Arrays keep their type and every bit."""
    told = json.dumps({"version": VERSION, **facts}, sort_keys=True).encode()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, facts=np.frombuffer(told, dtype=np.uint8), **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What was packed.

    Raises:
        ValueError: it is no state, or one of another version of this package: fit again.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        facts = json.loads(arrays.pop("facts").tobytes())
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise ValueError("not the state of a drift detector") from error
    except Exception as error:  # zipfile and zlib have errors of their own, without a common base
        raise ValueError("the state of a drift detector is damaged") from error
    if not isinstance(facts, dict) or facts.pop("version", None) != VERSION:
        raise ValueError(f"the state of a drift detector is not of version {VERSION}: fit it again")
    return arrays, facts

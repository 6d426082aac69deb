"""JSON schemas of answers, built from the few keywords that every endpoint with strict output takes, and their check.

That is: every property required, no others, enums, no limits on numbers or lengths. What a schema cannot say, such as
that a quote stands where it is said to stand, is checked where an answer is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

TEXT: Final[Schema] = {"type": "string"}
INTEGER: Final[Schema] = {"type": "integer"}


def table(**properties: Schema) -> Schema:
    """An object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def listing(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


PROOF: Final = table(source=one_of("message", "policy", "document", "none"), index=INTEGER, quote=TEXT)
"""Where something stands: the number of a message or document, and the words there. `Record.find` looks it up."""


def mismatch(value: object, schema: Schema, place: str = "answer") -> str | None:
    """Where a value is not of the schema, and what is allowed there; None where it is. Tells nothing of the value."""
    kind = schema["type"]
    if kind == "object":
        return _of_table(value, schema, place)
    if kind == "array":
        return _of_listing(value, schema, place)
    if kind == "integer":
        whole = isinstance(value, int) and not isinstance(value, bool)
        return None if whole else f"{place}: allowed is a whole number"
    allowed = schema.get("enum")
    fits = isinstance(value, str) and (allowed is None or value in allowed)
    return None if fits else f"{place}: allowed is {'a text' if allowed is None else ' or '.join(allowed)}"


def _of_table(value: object, schema: Schema, place: str) -> str | None:
    properties = schema["properties"]
    if not isinstance(value, Mapping) or value.keys() != properties.keys():
        return f"{place}: allowed is an object with {', '.join(properties)}"
    found = (mismatch(value[name], inner, f"{place}.{name}") for name, inner in properties.items())
    return next(filter(None, found), None)


def _of_listing(value: object, schema: Schema, place: str) -> str | None:
    if not isinstance(value, list):
        return f"{place}: allowed is a list"
    found = (mismatch(each, schema["items"], f"{place}[{i}]") for i, each in enumerate(value))
    return next(filter(None, found), None)

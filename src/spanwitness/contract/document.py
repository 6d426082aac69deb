"""Contract files: TENANT.toml, read and checked. Errors name file, key, value and what is allowed."""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spanwitness.config import duration
from spanwitness.contract import provider_in
from spanwitness.errors import ConfigError
from spanwitness.model import BundleTerms, Contract

if TYPE_CHECKING:
    from pathlib import Path

_YEARS: Final = range(1970, 2200)  # what a DateTime64 of the store holds with room to spare


@dataclass(frozen=True, slots=True)
class Draft:
    """What a contract file says.

    Attributes:
        contract: version 0, until it is recorded.
        dated: the file says from when on it holds; else that is the time at which it was read.
    """

    contract: Contract
    dated: bool


def files_in(folder: Path) -> list[Path]:
    """The contract files of a folder, by name. Raises ConfigError where it cannot be looked into."""
    try:
        # An editor's own files begin with a dot.
        return sorted(path for path in folder.iterdir() if path.suffix == ".toml" and not path.name.startswith("."))
    except OSError as error:
        raise ConfigError(
            f"contracts.folder = {str(folder)!r}: {error.strerror}; allowed is a folder of TENANT.toml files"
        ) from None


def read(path: Path, now: dt.datetime) -> Draft:
    """The contract that a file holds. Raises ConfigError."""
    try:
        return parse(path.read_bytes().decode(), path.name, now)
    except OSError as error:
        raise ConfigError(f"contract file {path.name!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"contract file {path.name!r} is not TOML: {error}") from None


def parse(text: str, source: str, now: dt.datetime) -> Draft:
    """The contract that a text holds; `source` is its file's name, whose stem is the tenant where the text names none.

    Which evaluators there are is not known here.

    Raises:
        ConfigError: it is no TOML, or a key or value in it is not allowed.
    """
    try:
        return _draft(tomllib.loads(text), text, source, now)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"contract file {source!r} is not TOML: {error}") from None
    except ConfigError as error:
        raise ConfigError(f"contract file {source!r}: {error}") from None


def _draft(tree: Mapping[str, Any], text: str, source: str, now: dt.datetime) -> Draft:
    found = _values("", tree, _KEYS)
    models, evaluate = found.get("models", {}), found.get("evaluate", {})
    starts, ends = found.get("valid_from"), found.get("valid_until")
    if starts is not None and ends is not None and ends <= starts:
        raise ConfigError(
            f"valid_until = {ends.isoformat()}: allowed is a time after valid_from = {starts.isoformat()}"
        )
    contract = Contract(
        tenant=found.get("tenant") or source.removesuffix(".toml"),
        version=0,
        valid_from=starts or now,
        valid_until=ends,
        approved=models.get("approved", ()),
        aliases=tuple(models.get("aliases", {}).items()),
        min_verified=models.get("min_verified"),
        evaluators=evaluate.get("evaluators", ()),
        thresholds=evaluate.get("thresholds", {}),
        notice=found.get("notice", dt.timedelta()),
        name=found.get("name", ""),
        source=source,
        text=text,
        judged=evaluate.get("judged", ()),
        parameters=evaluate.get("parameters", {}),
        channels={name: BundleTerms(**terms) for name, terms in evaluate.get("by_channel", {}).items()},
    )
    return Draft(contract, starts is not None)


def _values(prefix: str, tree: Mapping[str, Any], keys: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    for key in tree:
        if key not in keys:
            raise ConfigError(f"unknown key {prefix}{key}; allowed: {', '.join(prefix + name for name in keys)}")
    return {key: _value(f"{prefix}{key}", value, keys[key]) for key, value in tree.items()}


def _value(key: str, value: Any, convert: Callable[[Any], Any]) -> Any:
    try:
        return convert(value)
    except ValueError as error:
        shown = value.isoformat() if isinstance(value, dt.date | dt.time) else repr(value)
        raise ConfigError(f"{key} = {shown}: allowed is {error}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    return value.strip()


def _moment(value: Any) -> dt.datetime:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time(), dt.UTC)
    if not isinstance(value, dt.datetime) or value.tzinfo is None or value.year not in _YEARS:
        raise ValueError(
            "a date such as 2026-11-01 (its first moment, UTC) or a time with its zone such as 2026-11-01T09:00:00Z, "
            f"from {_YEARS[0]} to {_YEARS[-1]}, without quotes"
        )
    at = value.astimezone(dt.UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)  # as the store keeps it


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("a share from 0 to 1")
    return float(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise ValueError("a number")
    return float(value)


def _pattern(value: Any) -> str:
    pattern = _text(value)
    if pattern.endswith("/") or pattern.startswith("/"):
        raise ValueError("MODEL or PROVIDER/MODEL; PROVIDER/* for all of a provider")
    return pattern


def _alias(value: Any) -> str:
    pattern = _pattern(value)
    if provider := provider_in(pattern)[0]:
        raise ValueError(f"a model without its provider ({provider}): an alias says which model a name stands for")
    return pattern


def _some(what: str, convert: Callable[[Any], str]) -> Callable[[Any], tuple[str, ...]]:
    def apply(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise ValueError(f"a list of {_WHAT[what]}")
        return tuple(convert(entry) for entry in value)

    return apply


_WHAT: Final = {
    "models": "models, one at least; without the key any may answer",
    "evaluators": "evaluators, one at least; without the key the configured ones run",
    "judged": "evaluators, one at least; without the key a language model scores the configured ones",
}


def _table(name: str, convert: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    def apply(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError("a table of NAME = VALUE")  # noqa: TRY004 - told to the user as a ConfigError
        return {key: _value(f"{name}.{key}", entry, convert) for key, entry in value.items()}

    return apply


def _sections(name: str, convert: Callable[[str, Any], Any]) -> Callable[[Any], dict[str, Any]]:
    def apply(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"a table [{name}.NAME]")  # noqa: TRY004 - the same
        return {key: convert(f"{name}.{key}", entry) for key, entry in value.items()}

    return apply


def _terms(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name} = {value!r}: allowed is a table [{name}]")
    return _values(f"{name}.", value, _bundle(name))


def _parameters(name: str, value: Any) -> dict[str, Any]:
    """The fields of an evaluator, which knows what they mean. They go on record as JSON, and into no program's code."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name} = {value!r}: allowed is a table [{name}]")
    if "class" in value:
        raise ConfigError(f"{name}.class = {value['class']!r}: not in a contract; allowed in the configuration")
    return {key: _value(f"{name}.{key}", entry, _as_json) for key, entry in value.items()}


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_json(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_as_json(entry) for entry in value]
    if isinstance(value, dt.date | dt.time) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("what JSON knows: texts, finite numbers, true or false, lists and tables; a date as a text")
    return value


def _section(name: str, keys: Mapping[str, Callable[[Any], Any]]) -> Callable[[Any], dict[str, Any]]:
    def apply(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"a table [{name}]")  # noqa: TRY004 - the same
        return _values(f"{name}.", value, keys)

    return apply


def _bundle(name: str) -> dict[str, Callable[[Any], Any]]:
    return {
        "evaluators": _some("evaluators", _text),
        "thresholds": _table(f"{name}.thresholds", _number),
        "judged": _some("judged", _text),
    }


_KEYS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "tenant": _text,
    "name": _text,
    "valid_from": _moment,
    "valid_until": _moment,
    "notice": duration,
    "models": _section(
        "models",
        {
            "approved": _some("models", _pattern),
            "aliases": _table("models.aliases", _alias),
            "min_verified": _share,
        },
    ),
    "evaluate": _section(
        "evaluate",
        {
            **_bundle("evaluate"),
            "by_channel": _sections("evaluate.by_channel", _terms),
            "parameters": _sections("evaluate.parameters", _parameters),
        },
    ),
}

"""What a contract would do, in words: for whoever is about to put it into force."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any, Final

from spanwitness.contract import is_glob, provider_in
from spanwitness.model_names import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spanwitness.contract.document import Draft
    from spanwitness.model import Contract


# What evaluators of other packages may call their credentials.
_SECRET: Final = re.compile(r"(?:key|token|secret|password|credentials?)$", re.IGNORECASE)


def explain(draft: Draft) -> list[tuple[str, str]]:
    """Labels and lines. Which evaluators run under it is not known here."""
    contract = draft.contract
    return [
        ("holds", _validity(draft)),
        *(("approved", line) for line in _approved(contract)),
        *(("alias", line) for line in _aliases(contract)),
        ("verified", _verified(contract)),
        ("notice", _notice(contract.notice)),
        *(("fields", line) for line in fields_told(contract.parameters)),
    ]


def _validity(draft: Draft) -> str:
    starts, ends = draft.contract.valid_from, draft.contract.valid_until
    begin = f"from {starts.isoformat()}" if draft.dated else "from when it is first read"
    return f"{begin} until {ends.isoformat()}" if ends else f"{begin} until further notice"


def _approved(contract: Contract) -> Iterator[str]:
    if not contract.approved:
        yield "any model"
    for pattern in contract.approved:
        yield f"{pattern}: {_models(pattern)}"


def _models(pattern: str) -> str:
    provider, model = provider_in(pattern.lower())
    read, by = parse(model), f"of {provider}" if provider else "of any provider"
    if is_glob(model):
        return f"every model {by} with a name like {model}"
    if read.snapshot:
        return f"{read.family} {by}, snapshot {read.snapshot} alone"
    return f"{read.family} {by}, any snapshot"


def _aliases(contract: Contract) -> Iterator[str]:
    for requested, served in contract.aliases:
        yield f"{requested} answered by {served} is no mismatch"


def _verified(contract: Contract) -> str:
    if contract.min_verified is None:
        return "no share agreed"
    return f"at least {contract.min_verified * 100:g} % of the calls must tell which model answered"


def _notice(notice: dt.timedelta) -> str:
    """A change that is declared later than that is told as such; it is no swap of its own."""
    if not notice:
        return "none agreed"
    days, rest = notice.days, dt.timedelta(seconds=notice.seconds, microseconds=notice.microseconds)
    parts = [f"{days} day{'s' if days > 1 else ''}"] if days else []
    return f"{', '.join([*parts, *([str(rest)] if rest else [])])} before a change"


def fields_told(parameters: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Fields of evaluators, by name, a line each."""
    for name, given in parameters.items():
        for key, value in given.items():
            # Rules may be long: how many there are is told, and the file says which.
            long = isinstance(value, list) and any(isinstance(entry, dict) for entry in value)
            told = json.dumps(value, ensure_ascii=False, default=str) if not _SECRET.search(key) else "(not shown)"
            yield f"{name}.{key}{f': tables, {len(value)} of them' if long else f' = {told}'}"

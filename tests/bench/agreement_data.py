"""The labelled data as it lies in a folder, and what one evaluator's page is told of it."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spanwitness.evaluators import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from spanwitness.model import Score
    from tests.bench.agreement_statistics import Figure


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """How far an evaluator agrees: figures with their intervals, and tables of counts.

    Attributes:
        group: what the intervals' groups are.
    """

    name: str
    group: str
    figures: Sequence[Figure]
    tables: Sequence[Table] = ()


def records(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The records of a file, in order. Raises FileNotFoundError where it is not there."""
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def policies(folder: Path) -> dict[str, str]:
    """The agents' instructions, by the reference that records name."""
    with gzip.open(folder / "policies.json.gz", "rt", encoding="utf-8") as text:
        found: dict[str, str] = json.load(text)
    return found


def group(record: dict[str, Any]) -> str:
    return str(record["meta"]["group"])


def scored(name: str, messages: list[dict[str, Any]], **inputs: Any) -> Score:
    """What the evaluator of this name says, with its default parameters."""
    return BUILT_IN[name]().evaluate(conversation=messages, **inputs)

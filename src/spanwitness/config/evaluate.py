"""What a configuration says of evaluators: the sections [evaluate] and [evaluators.NAME]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from spanwitness.config import values
from spanwitness.model import BundleTerms


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """Which evaluators run, and the threshold that each score is held against. Empty: the default bundle.

    `judged`: which of them a language model scores as well. `by_channel`: what is otherwise for a channel; what is
    empty there is as for all.
    """

    evaluators: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    judged: tuple[str, ...] = ()
    by_channel: Mapping[str, BundleTerms] = field(default_factory=dict)


def _some(value: Any) -> tuple[str, ...]:
    """An empty list could mean any as well as none."""
    found = values.texts(value)
    if not found:
        raise ValueError("a list of texts, one at least; leave the key out for what runs without it")
    return found


TERMS: Final[dict[str, Callable[[Any], Any]]] = {
    "evaluators": _some,
    "thresholds": values.table_of(values.number),
    "judged": _some,
}
KEYS: Final[dict[str, Callable[[Any], Any]]] = {
    **TERMS,
    "judged": values.texts,  # none is what there is without it
    "by_channel": values.tables("evaluate.by_channel", TERMS, lambda found: BundleTerms(**found)),
}


def parameters(tree: Any) -> dict[str, dict[str, Any]]:
    """The tables of [evaluators.NAME]. Which fields there are, the evaluator knows.

    Raises:
        ValueError: it is not made of tables; with what is allowed.
    """
    if not isinstance(tree, Mapping) or not all(isinstance(table, Mapping) for table in tree.values()):
        raise ValueError("a table [evaluators.NAME] for each evaluator")
    return {name: dict(table) for name, table in tree.items()}

"""What the adapters have in common: another project's metric, run on a conversation, answering with our Score."""

from __future__ import annotations

import importlib
import math
import os
from abc import abstractmethod
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from spanwitness.errors import ConfigError
from spanwitness.evaluators import ChatEvaluator, Inputs
from spanwitness.evaluators.pii_redact import redact
from spanwitness.model import Score
from spanwitness.peers.view import MissingInput, View, redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LONGEST_REASON: Final = 500


class Answer(NamedTuple):
    """What a metric of theirs said. `score` None: it gave none, which is an error."""

    score: float | None
    reason: str = ""
    label: str = "scored"
    details: Mapping[str, Any] = {}


@dataclass(frozen=True)
class PeerMetric(ChatEvaluator):
    """One metric of another project. A subclass writes `check` and `ask`.

    Their package is imported when an evaluator is made, never before. An input that the metric needs and the
    conversation does not have gives status "not_applicable", whatever the metric itself would have answered; what it
    raises gives status "failed", with the kind of the error and never its message.

    Attributes:
        metric: its name there.
        parameters: what its class there is made with.
        named: the evaluator's name here; empty: the project's and the metric's, as "DeepEvalToolCorrectnessMetric".
        redact: replace personal data in what the metric is given.
    """

    peer: ClassVar[str]
    package: ClassVar[str]
    extra: ClassVar[str]
    quiet: ClassVar[Mapping[str, str]] = {}
    """Variables that keep the package from sending usage data home, unless the environment says otherwise."""

    metric: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    named: str = ""
    redact: bool = False

    def __post_init__(self) -> None:
        kind = type(self).__name__
        try:
            released = version(self.package)
        except PackageNotFoundError:
            remedy = f"pip install 'spanwitness[{self.extra}]'"
            raise ConfigError(f"{kind} needs the package {self.package}, which is not installed: {remedy}") from None
        for name, value in self.quiet.items():
            os.environ.setdefault(name, value)
        # A metric's name and its package's version are known here, those of our own evaluators with their class.
        object.__setattr__(self, "name", self.named or f"{self.peer}{self.metric}")
        object.__setattr__(self, "version", released)
        try:
            self.check()
        except ConfigError:
            raise
        except Exception as error:
            raise ConfigError(
                f"{kind}.metric {self.metric!r} cannot be made: {type(error).__name__}: {error}"
            ) from error

    @abstractmethod
    def check(self) -> None:
        """Find the metric and make it once. Raises ConfigError, or what their package raises."""

    @abstractmethod
    def ask(self, view: View) -> Answer:
        """Run it. Raises MissingInput, or what their package raises."""

    def judge(self, inputs: Inputs) -> Score:
        try:
            answer = self.ask(View(redacted(inputs) if self.redact else inputs))
        except MissingInput as missing:
            return self.not_applicable("missing_input", f"{self._title} needs {missing}: none on record.")
        except Exception as error:  # noqa: BLE001 - foreign code on foreign input
            return self._failed(f"raised {type(error).__name__}")
        if not isinstance(answer.score, Real) or not math.isfinite(answer.score):
            return self._failed("answered without a number")
        # Redacted before it is cut: half a card number is none, and would stand there.
        reason = redact(" ".join(str(answer.reason).split()))[:_LONGEST_REASON]
        told = f"{self._title}: {reason}" if reason else f"{self._title}: {answer.score:g}."
        return self.completed(float(answer.score), answer.label, told, details=answer.details, mode=self.metric)

    def refuse(self, allowed: str) -> ConfigError:
        return ConfigError(f"{type(self).__name__}.metric is {self.metric!r}; allowed: {allowed}")

    @property
    def _title(self) -> str:
        return f"{self.peer} {self.metric}"

    def _failed(self, why: str) -> Score:
        return Score(self.name, self.version, None, "failed", "failed", f"{self._title} {why}.", mode=self.metric)


def theirs(module: str) -> Any:
    """A module of theirs. Imported by name, since it need not be installed where this is read."""
    return importlib.import_module(module)


def collected(wanted: Mapping[str, bool], known: Mapping[str, Callable[[View], Any]], view: View) -> dict[str, Any]:
    """The inputs that a metric takes, by its own names for them.

    Args:
        wanted: its inputs, and whether it needs each.
        known: how each that a conversation may have is read.
        view: the conversation.

    Raises:
        MissingInput: one that it needs is not there.
    """
    found = {}
    for name in wanted.keys() & known.keys():
        try:
            found[name] = known[name](view)
        except MissingInput:
            if wanted[name]:
                raise
    return found

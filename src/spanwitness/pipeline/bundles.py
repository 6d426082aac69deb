"""Which evaluators judge a conversation.

What the contract says of its channel, then what it says of all, then the same of the configuration, then the default.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from spanwitness.errors import ConfigError
from spanwitness.evaluators import BUNDLE, Bundle, Evaluator, evaluator_names, evaluators_by_name
from spanwitness.judge import QUESTIONS
from spanwitness.model import BundleTerms, Score

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from spanwitness.config import Config
    from spanwitness.model import Contract, Conversation

    Parameters = Mapping[str, Mapping[str, Any]]

log = logging.getLogger(__name__)
_PLACE: Final = "parameters"


@dataclass(frozen=True, slots=True)
class Configured:
    """What judges a conversation where no contract says otherwise.

    Attributes:
        channels: what is otherwise for a channel.
        parameters: of evaluators, by name.
        judges: which evaluators a language model can score; None: no model is configured.
    """

    bundle: Bundle = BUNDLE
    channels: Mapping[str, Bundle] = field(default_factory=dict)
    parameters: Parameters = field(default_factory=dict)
    judges: Collection[str] | None = None

    def of(self, channel: str) -> Bundle:
        return self.channels.get(channel, self.bundle)


def configured_by(config: Config) -> Configured:
    """What a configuration says of evaluators.

    Raises:
        ConfigError: it names an evaluator that is not there, a parameter that it does not have, a threshold for one
            that does not run, or a judge that cannot be had.
    """
    given, judges = config.evaluators, tuple(QUESTIONS) if config.judge.model else None
    _check_names("evaluators", given, given)
    made = {one.name: one for one in evaluators_by_name({**BUNDLE.thresholds, **given}, given)}
    default = Bundle(tuple(made[name] for name in BUNDLE.thresholds), BUNDLE.thresholds)

    def make(name: str) -> Evaluator:
        return made.get(name) or evaluators_by_name([name], given)[0]

    evaluate = config.evaluate
    _check_judged("evaluate.judged", evaluate.judged, judges)
    terms = BundleTerms(evaluate.evaluators, evaluate.thresholds, evaluate.judged)
    bundle = _named("evaluate", _over, default, terms, make)
    channels = {}
    for channel, terms in evaluate.by_channel.items():
        place = f"evaluate.by_channel.{channel}"
        _check_judged(f"{place}.judged", terms.judged, judges)
        channels[channel] = _named(place, _over, bundle, terms, make)
    return Configured(bundle, channels, given, judges)


def bundles_of(contract: Contract, configured: Configured) -> tuple[Bundle, dict[str, Bundle]]:
    """What runs under a contract, and what runs otherwise in a channel that it or the configuration names.

    Raises:
        ConfigError: it names an evaluator that is not there, a parameter that it does not have or that has no effect, a
            threshold for one that does not run, or a judge that cannot be had.
    """
    given = _merged(contract, configured)
    _check_names(_PLACE, contract.parameters, configured.parameters)
    make = _maker(contract, configured, lambda name: evaluators_by_name([name], given, place=_PLACE)[0])
    general = _agreed(contract, configured.bundle, make)
    _check_judged("judged", contract.judged, configured.judges)
    bundle = _over(general, _terms(contract), make)
    channels = {}
    for channel in {**configured.channels, **contract.channels}:
        place, terms = f"by_channel.{channel}", contract.channels.get(channel, BundleTerms())
        _check_judged(f"{place}.judged", terms.judged, configured.judges)
        below = _over(_agreed(contract, configured.of(channel), make), _terms(contract), make, lenient=True)
        found = _named(place, _over, below, terms, make)
        channels[channel] = _one_by_one(found, terms, contract, configured, channel)
    run = {one.name for each in (bundle, *channels.values()) for one in each.evaluators}
    for name in contract.parameters:
        if name not in run:
            raise ConfigError(f"{_PLACE}.{name}: does not run under this contract; allowed: {', '.join(sorted(run))}")
    return bundle, channels


def lasting_bundle(contract: Contract, channel: str, configured: Configured) -> Bundle:
    """What runs under a contract on record, which may be older than what is installed and configured now.

    What is not there any more is told in the log. An evaluator of those gives scores that fail, and say why.
    """
    make = _maker(contract, configured, lambda name: _lasting(name, _merged(contract, configured)))
    below = _agreed(contract, configured.of(channel), make)
    found = _over(below, _terms(contract), make, lenient=True)
    terms = contract.channels.get(channel, BundleTerms())
    found = _one_by_one(_over(found, terms, make, lenient=True), terms, contract, configured, channel)
    able = tuple(name for name in found.judged if name in (configured.judges or ()))
    for name in found.judged:
        if name not in able:
            log.error("a contract in force has %s judged by a language model, and none can be asked here", name)
    return replace(found, judged=able)


def _over(below: Bundle, terms: BundleTerms, make: Callable[[str], Evaluator], *, lenient: bool = False) -> Bundle:
    """What some terms say, and of the rest what lies below. `lenient`: terms for what does not run are passed over."""
    evaluators = tuple(make(name) for name in terms.evaluators) or below.evaluators
    names = {evaluator.name for evaluator in evaluators}
    usual = _kept({**BUNDLE.thresholds, **below.thresholds}, names)
    thresholds = _kept(terms.thresholds, names) if lenient else terms.thresholds
    judged = terms.judged or below.judged
    if lenient or not terms.judged:
        judged = tuple(name for name in judged if name in names)
    agreed = (below.agreed & names) | thresholds.keys()
    return Bundle(evaluators, {**usual, **thresholds}, judged, agreed)


def _one_by_one(found: Bundle, terms: BundleTerms, contract: Contract, configured: Configured, channel: str) -> Bundle:
    """The same with each threshold by the first level that says it, also where its evaluator does not run in between.

    `terms`: of the contract, for the channel.
    """
    names = {evaluator.name for evaluator in found.evaluators}
    levels = (BUNDLE, configured.bundle, configured.of(channel), contract, terms)
    thresholds = {name: threshold for level in levels for name, threshold in level.thresholds.items()}
    agreed = configured.bundle.agreed | configured.of(channel).agreed | contract.thresholds.keys()
    agreed |= terms.thresholds.keys()
    return replace(found, thresholds=_kept(thresholds, names), agreed=frozenset(agreed & names))


def _kept(thresholds: Mapping[str, float | None], names: Collection[str]) -> dict[str, float | None]:
    return {name: threshold for name, threshold in thresholds.items() if name in names}


def _named(place: str, over: Callable[..., Bundle], *arguments: Any) -> Bundle:
    try:
        return over(*arguments)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None


def _terms(contract: Contract) -> BundleTerms:
    return BundleTerms(contract.evaluators, contract.thresholds, contract.judged)


def _merged(contract: Contract, configured: Configured) -> dict[str, Mapping[str, Any]]:
    agreed = {name: {**configured.parameters.get(name, {}), **given} for name, given in contract.parameters.items()}
    return {**configured.parameters, **agreed}


def _maker(
    contract: Contract, configured: Configured, by_name: Callable[[str], Evaluator]
) -> Callable[[str], Evaluator]:
    """Makes each evaluator once. What the configuration runs and the contract leaves as it is stays the same."""
    bundles = (configured.bundle, *configured.channels.values())
    made = {one.name: one for bundle in bundles for one in bundle.evaluators if one.name not in contract.parameters}

    def make(name: str) -> Evaluator:
        if name not in made:
            made[name] = by_name(name)
        return made[name]

    return make


def _agreed(contract: Contract, below: Bundle, make: Callable[[str], Evaluator]) -> Bundle:
    """A configured bundle with the parameters of a contract."""
    evaluators = tuple(make(one.name) if one.name in contract.parameters else one for one in below.evaluators)
    return replace(below, evaluators=evaluators)


def _check_names(place: str, names: Iterable[str], configured: Parameters) -> None:
    allowed = evaluator_names(configured)
    for name in names:
        if name not in allowed:
            own = " (one of your own needs class = 'package.module:Class')" if place == "evaluators" else ""
            raise ConfigError(f"{place}.{name}: no evaluator has this name{own}; allowed: {', '.join(allowed)}")


def _check_judged(key: str, names: Iterable[str], judges: Collection[str] | None) -> None:
    for name in names:
        if judges is None:
            raise ConfigError(f"{key} holds {name!r}, and there is nobody to ask; allowed with judge.model alone")
        if name not in judges:
            raise ConfigError(f"{key} holds {name!r}, which no language model is asked; allowed: {', '.join(judges)}")


def _lasting(name: str, parameters: Parameters) -> Evaluator:
    try:
        return evaluators_by_name([name], parameters)[0]
    except ConfigError as error:
        log.error("a contract in force names what is not there: %s", error)
        there = name in evaluator_names(parameters)
        return _missing(name, "does not take the parameters that it gives" if there else "is not installed here")


def _missing(called: str, lack: str) -> Evaluator:
    """Stands for an evaluator that a contract names and this installation has not: its scores fail, and say why."""

    class Missing:
        name: ClassVar[str] = called
        version: ClassVar[str] = ""

        def evaluate(self, _conversation: Conversation) -> Score:
            why = f"{called}: the contract in force names this evaluator, and it {lack}."
            return Score(called, self.version, None, "failed", "failed", why)

    return Missing()

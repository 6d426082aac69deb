"""Which calibration scores a conversation: the newest of its tenant that was there when it began."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from spanwitness.contract import in_force
from spanwitness.errors import ConfigError, StoreError
from spanwitness.evaluators import TaskCompletion
from spanwitness.evaluators.calibrated import CUT
from spanwitness.model.calibration import Calibration
from spanwitness.pipeline.bundles import lasting_bundle
from spanwitness.store.calibrations import calibrations_of, insert_calibration
from spanwitness.store.contracts import contracts_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from spanwitness.evaluators import Bundle
    from spanwitness.model import Contract
    from spanwitness.pipeline.bundles import Configured
    from spanwitness.store import Store

log = logging.getLogger(__name__)
_TRIES: Final = 5
_CERTAIN: Final = 1.0


def record(store: Store, given: Calibration, now: dt.datetime) -> Calibration:
    """Makes a calibration the tenant's newest, in force from now on; the newest itself where it is the same.

    Whoever records another one at the same moment is found out by reading again: no version is lost.
    """
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as the store keeps times
    made = None
    for _ in range(_TRIES):
        history = [one for one in calibrations_of(store, given.tenant) if one.evaluator == given.evaluator]
        if made is not None and made in history:
            return made
        if history and _same(history[-1], given):
            return history[-1]
        made = replace(given, version=history[-1].version + 1 if history else 1, valid_from=at)
        insert_calibration(store, made, now)
    raise StoreError(f"others record calibrations of tenant {given.tenant!r} all the time")


def record_told(store: Store, told: Mapping[str, Any], now: dt.datetime, configured: Configured) -> dict[str, Any]:
    """`record` of what `told_of` tells; what it tells of the newest then. Raises SpanWitnessError.

    `unreached`: where a threshold stands that no calibrated score reaches, by the contract that is in force, one to
    come, or the configuration.
    """
    fields = {name: str(told[name]) for name in ("tenant", "evaluator", "evaluator_version", "source")}
    try:
        given = Calibration.of(told["model"], **fields)
        TaskCompletion(calibration=given)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"the calibration is not one: {type(error).__name__}") from None
    history = contracts_of(store, given.tenant)
    terms = [in_force(history, now), *(one for one in history if one.valid_from > now)]
    places = dict.fromkeys(place for one in terms for place in unreached(one, configured))
    return {**told_of(record(store, given, now)), "unreached": list(places)}


def unreached(contract: Contract | None, configured: Configured) -> Iterator[str]:
    """The keys by which TaskCompletion is held against 1.0 or more, for all or for a channel, each with its value."""
    for channel in ("", *configured.channels, *(contract.channels if contract else ())):
        bundle = configured.of(channel) if contract is None else lasting_bundle(contract, channel, configured)
        if _asks_certainty(bundle):
            yield f"{_place(contract, configured, channel)} = {bundle.threshold(TaskCompletion.name)}"


def _asks_certainty(bundle: Bundle) -> bool:
    """Whether somebody has set a threshold that a probability does not reach."""
    threshold = bundle.threshold(TaskCompletion.name)
    return TaskCompletion.name in bundle.agreed and threshold is not None and threshold >= _CERTAIN


def _place(contract: Contract | None, configured: Configured, channel: str) -> str:
    name, all_, of_channel = TaskCompletion.name, "evaluate.thresholds", f"evaluate.by_channel.{channel}.thresholds"
    if contract is not None:
        terms = contract.channels.get(channel)
        if name in contract.thresholds or (terms and name in terms.thresholds):
            key = of_channel if terms and name in terms.thresholds else all_
            return f"contract {contract.source!r}: {key}.{name}"
    in_all = name in configured.bundle.agreed
    same = in_all and configured.bundle.threshold(name) == configured.of(channel).threshold(name)
    return f"configuration: {all_ if same else of_channel}.{name}"


def told_of(one: Calibration) -> dict[str, Any]:
    """A calibration as plain data."""
    return {
        "tenant": one.tenant,
        "evaluator": one.evaluator,
        "evaluator_version": one.evaluator_version,
        "version": one.version,
        "valid_from": one.valid_from.isoformat(),
        "source": one.source,
        "model": one.model(),
    }


class CalibrationBook:
    """The calibrations of all tenants. Not for several threads at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._histories: dict[str, list[Calibration]] = {}
        self._told: set[str] = set()

    def refresh(self) -> None:
        """Forgets what is known of the record: another process may have added to it."""
        self._histories.clear()

    def calibrated(self, bundle: Bundle, tenant: str, at: dt.datetime) -> Bundle:
        """The bundle with TaskCompletion as the tenant's labels had calibrated it by that moment.

        The default threshold of 1.0 asks for all that was expected, and no probability is ever 1.0: a calibrated score
        is held against 0.5 instead, but a language model's is not. What somebody agreed on stays, whatever it is.
        """
        name = TaskCompletion.name
        evaluator = next((one for one in bundle.evaluators if isinstance(one, TaskCompletion)), None)
        if evaluator is None or evaluator.calibration is not None:
            return bundle
        found = self._in_force(tenant, at)
        made = None if found is None else self._made(evaluator, found)
        if made is None:
            return bundle
        bundle = replace(bundle, evaluators=tuple(made if one is evaluator else one for one in bundle.evaluators))
        threshold = bundle.threshold(name)
        if _asks_certainty(bundle):
            why = f"TaskCompletion of tenant {tenant!r} is calibrated, and held against {threshold:g} as was agreed"
            self._tell(f"{why}: no probability reaches that; agree on a number below 1, such as {CUT}")
        if name in bundle.agreed or threshold != _CERTAIN:
            return bundle
        return replace(bundle, thresholds={**bundle.thresholds, name: CUT}, judge_thresholds={name: threshold})

    def _in_force(self, tenant: str, at: dt.datetime) -> Calibration | None:
        if tenant not in self._histories:
            self._histories[tenant] = calibrations_of(self._store, tenant)
        there = [
            one for one in self._histories[tenant] if one.evaluator == TaskCompletion.name and one.valid_from <= at
        ]
        return there[-1] if there else None

    def _made(self, evaluator: TaskCompletion, calibration: Calibration) -> TaskCompletion | None:
        try:
            return replace(evaluator, calibration=calibration)
        except ConfigError as error:
            whose = f"calibration {calibration.version} of tenant {calibration.tenant!r}"
            self._tell(f"{whose} is not used: {error}; calibrate again")
            return None

    def _tell(self, why: str) -> None:
        if why not in self._told:
            log.error("%s", why)
            self._told.add(why)


def _same(one: Calibration, other: Calibration) -> bool:
    return (one.evaluator_version, one.model()) == (other.evaluator_version, other.model())

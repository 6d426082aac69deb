"""What was agreed with each tenant: taken from the contract files into the record, and looked up there."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from spanwitness.contract import in_force
from spanwitness.contract.document import Draft, files_in, read
from spanwitness.contract.explain import explain
from spanwitness.errors import ConfigError, StoreError
from spanwitness.evaluators import BUNDLE, Bundle, CustomerAgentPromptConformance
from spanwitness.pipeline.bundles import Configured, bundles_of, lasting_bundle
from spanwitness.pipeline.calibrations import CalibrationBook
from spanwitness.store.contracts import contracts_of, insert_contracts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.evaluators import Evaluator
    from spanwitness.model import Contract, Conversation
    from spanwitness.store import Store

log = logging.getLogger(__name__)
_TRIES: Final = 5
_EPOCH: Final = dt.datetime.fromtimestamp(0, dt.UTC)
_TICK: Final = dt.timedelta(milliseconds=1)  # what the store tells times apart by
_STAYS: Final = "that contract stays in force; to end one, give it a valid_until"


def drafts_in(folder: Path, configured: Configured, now: dt.datetime) -> list[Draft]:
    """The contracts of a folder. Raises ConfigError for the first that is not right, or two of one tenant."""
    found: dict[str, Draft] = {}
    for path in files_in(folder):
        draft = _checked(path, configured, now)
        tenant = draft.contract.tenant
        if tenant in found:
            raise ConfigError(_second(path.name, found[tenant].contract.source, tenant))
        found[tenant] = draft
    return list(found.values())


def explained_in(folder: str, configured: Configured, now: dt.datetime) -> list[tuple[str, list[tuple[str, str]]]]:
    """What the contracts of a folder would do, without the record: of each whose it is, and labels with lines.

    Raises:
        ConfigError: as `drafts_in`.
    """
    return [_explained(draft, configured) for draft in drafts_in(Path(folder), configured, now)] if folder else []


def _explained(draft: Draft, configured: Configured) -> tuple[str, list[tuple[str, str]]]:
    contract, (bundle, channels) = draft.contract, bundles_of(draft.contract, configured)
    whose = f"{contract.tenant} ({contract.source}){f': {contract.name}' if contract.name else ''}"
    lines = [("evaluate", line) for line in explained(bundle)]
    for channel, found in channels.items():
        lines += [("", f"channel {channel}: {line}") for line in explained(found)]
    return whose, [*explain(draft), *lines]


def explained(bundle: Bundle) -> list[str]:
    """Of each evaluator of a bundle, what it is held against and whether a language model scores as well."""
    return [", ".join(_told(one, bundle)) for one in bundle.evaluators]


def _told(one: Evaluator, bundle: Bundle) -> list[str]:
    told = [one.name, _threshold(bundle.threshold(one.name))]
    if isinstance(one, CustomerAgentPromptConformance) and one.policy.rules:  # as its scores name them
        told.append(f"rules version {one.policy.digest}")
    return [*told, "judged as well"] if one.name in bundle.judged else told


def _threshold(value: float | None) -> str:
    return "no threshold" if value is None else f"threshold {value}"


def record(store: Store, draft: Draft, now: dt.datetime) -> Contract | None:
    """Makes a draft the tenant's newest version; None where it is already.

    What was recorded stays as it is; the version before gets the end of its time. Whoever records another text at the
    same moment is found out by reading again: no version is lost.

    Raises:
        ConfigError: it would hold from an earlier time than the newest version does.
    """
    made = None
    for _ in range(_TRIES):
        history = contracts_of(store, draft.contract.tenant)
        if history and history[-1].text == draft.contract.text:
            return history[-1] if made else None
        made = _next(draft, history, now)
        ended = [replace(one, valid_until=made.valid_from) for one in history[-1:] if _holds(one, made.valid_from)]
        insert_contracts(
            store, [*ended, made], max([now, *(one.recorded_at + _TICK for one in ended if one.recorded_at)])
        )
    raise StoreError(f"contract file {draft.contract.source!r}: others record contracts of this tenant all the time")


class ContractBook:
    """The contracts of all tenants. `folder` '': those on record alone. Not for several threads at once."""

    def __init__(self, store: Store, configured: Configured | Bundle = BUNDLE, folder: str = "") -> None:
        self._store = store
        self._configured = configured if isinstance(configured, Configured) else Configured(configured)
        self._folder = Path(folder) if folder else None
        self._files: dict[Path, _File] = {}
        self._lost = ""
        self._histories: dict[str, list[Contract]] = {}
        self._bundles: dict[tuple[object, ...], Bundle] = {}
        self._calibrations = CalibrationBook(store)

    def load(self, now: dt.datetime) -> list[Contract]:
        """Takes in the folder at start; which versions are new.

        Raises:
            ConfigError: a file is not right, or may not follow what is on record.
        """
        if self._folder is None:
            return []
        stamps = {path.name: _stamp(path) for path in files_in(self._folder)}
        drafts = drafts_in(self._folder, self._configured, now)
        made = [contract for draft in drafts if (contract := record(self._store, draft, now))]
        for source, tenant in ((draft.contract.source, draft.contract.tenant) for draft in drafts):
            self._files[self._folder / source] = _File(taken=stamps.get(source, ""), tenant=tenant)
        _tell(made)
        return made

    def look(self, now: dt.datetime) -> list[Contract]:
        """Takes in what has changed in the folder since; which versions are new.

        A change counts once two looks have found it the same, since a file may be met half written. What is wrong is
        told in the log, once, and the contract in force stays.
        """
        if self._folder is None:
            return []
        try:
            paths = files_in(self._folder)
        except ConfigError as error:
            self._tell_lost(f"{error}; the contracts on record stay in force")
            return []
        self._tell_lost("")
        for path in self._files.keys() - set(paths):
            _tell_gone(path, self._files.pop(path))
        made = [contract for path in paths if self._has_changed(path) and (contract := self._take(path, now))]
        _tell(made)
        return made

    def refresh(self) -> None:
        """Forgets what is known of the record: another process may have added to it."""
        self._histories.clear()
        self._calibrations.refresh()

    def contract(self, tenant: str, at: dt.datetime) -> Contract | None:
        """What was in force with a tenant at a moment, as far as is known by now."""
        if tenant not in self._histories:
            self._histories[tenant] = contracts_of(self._store, tenant)
        return in_force(self._histories[tenant], at)

    def bundle(self, conversation: Conversation, calibrated: dt.datetime | None = None) -> Bundle:
        """What a conversation is judged by: what was in force when it began, whenever it is judged.

        Args:
            conversation: which.
            calibrated: by calibrations as they stand at another moment, which is how older conversations are scored by
                a newer one; None: as they stood when it began.
        """
        began = min(step.span.started_ns for step in conversation.steps)
        at = _EPOCH + dt.timedelta(microseconds=began // 1000)
        agreed = self._agreed(self.contract(conversation.tenant, at), conversation.channel)
        return self._calibrations.calibrated(agreed, conversation.tenant, calibrated or at)

    def _agreed(self, contract: Contract | None, channel: str) -> Bundle:
        """The bundle of a contract and a channel. Made once: a channel that nobody names is as any other."""
        if contract is None:
            return self._configured.of(channel)
        named = channel if channel in contract.channels or channel in self._configured.channels else ""
        key = (contract.tenant, contract.version, contract.recorded_at, named)
        if key not in self._bundles:
            self._bundles[key] = lasting_bundle(contract, named, self._configured)
        return self._bundles[key]

    def _has_changed(self, path: Path) -> bool:
        """Whether a file is another than the one that was taken, and no longer being written."""
        stamp, known = _stamp(path), self._files.get(path, _File())
        if stamp == known.taken:
            return False
        self._files[path] = replace(known, met=stamp)
        return stamp == known.met

    def _take(self, path: Path, now: dt.datetime) -> Contract | None:
        known, contract = self._files[path], None
        try:
            draft = _checked(path, self._configured, now)
            self._refuse_second(path, draft.contract.tenant)
            contract = record(self._store, draft, now)
            if known.tenant not in ("", draft.contract.tenant):
                log.warning("contract file %r was that of tenant %r: %s", path.name, known.tenant, _STAYS)
            known = replace(known, tenant=draft.contract.tenant)
        except ConfigError as error:
            log.error("%s; the contracts on record stay in force", error)
        self._files[path] = replace(known, taken=known.met)
        return contract

    def _refuse_second(self, path: Path, tenant: str) -> None:
        for other, file in self._files.items():
            if other != path and file.tenant == tenant:
                raise ConfigError(_second(path.name, other.name, tenant))

    def _tell_lost(self, why: str) -> None:
        if why and why != self._lost:
            log.error("%s", why)
        self._lost = why


@dataclass(frozen=True, slots=True)
class _File:
    """What is known of a file: its stamp when it was taken, when it was last met, and whose contract it then held."""

    taken: str = ""
    met: str = ""
    tenant: str = ""


def _stamp(path: Path) -> str:
    """Something that differs once a file has changed; '' for one that cannot be looked at."""
    try:
        told = path.stat()
    except OSError:
        return "gone"
    return f"{told.st_mtime_ns} {told.st_size} {told.st_ino}"


def _checked(path: Path, configured: Configured, now: dt.datetime) -> Draft:
    draft = read(path, now.replace(microsecond=now.microsecond // 1000 * 1000))  # as the store keeps times
    try:
        bundles_of(draft.contract, configured)
    except ConfigError as error:
        raise ConfigError(f"contract file {path.name!r}, evaluate: {error}") from None
    return draft


def _second(name: str, other: str, tenant: str) -> str:
    return f"contract file {name!r}: tenant = {tenant!r}, as {other!r} has it; allowed is one file a tenant"


def _next(draft: Draft, history: list[Contract], now: dt.datetime) -> Contract:
    contract, newest = draft.contract, history[-1] if history else None
    since = f"valid_from = {contract.valid_from.isoformat()}{'' if draft.dated else ' (none stands there: now)'}"
    if contract.valid_until is not None and contract.valid_until <= contract.valid_from:
        raise ConfigError(
            f"contract file {contract.source!r}: valid_until = {contract.valid_until.isoformat()}: "
            f"allowed is a time after {since}"
        )
    if newest is not None and contract.valid_from < newest.valid_from:
        raise ConfigError(
            f"contract file {contract.source!r}: {since}: allowed is from {newest.valid_from.isoformat()} on, when "
            f"version {newest.version} begins, since what is on record is not rewritten (spanwitness contracts)"
        )
    return replace(contract, version=newest.version + 1 if newest else 1, recorded_at=now)


def _holds(contract: Contract, at: dt.datetime) -> bool:
    return contract.valid_until is None or contract.valid_until > at


def _tell(made: Sequence[Contract]) -> None:
    for contract in made:
        log.info(
            "contract of tenant %r: version %d, from %s, is in force from %s on",
            contract.tenant,
            contract.version,
            contract.source,
            contract.valid_from.isoformat(timespec="seconds"),
        )


def _tell_gone(path: Path, file: _File) -> None:
    whose = f", tenant {file.tenant!r}: {_STAYS}" if file.tenant else ""
    log.warning("contract file %r is gone%s", path.name, whose)

"""What was agreed: which models may answer, under which names, and which terms were in force at a moment."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from spanwitness.model_names import normalise_provider, parse, relation

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from spanwitness.model import Contract

_ANY_GOOGLE: Final = "gcp.gen_ai"  # what the conventions call Google when nobody says which of its services


def in_force(contracts: Sequence[Contract], at: dt.datetime) -> Contract | None:
    """Which of one tenant's contracts held at `at`: the newest version whose time it is; None where none was."""
    holding = [
        contract
        for contract in contracts
        if contract.valid_from <= at and (contract.valid_until is None or at < contract.valid_until)
    ]
    return max(holding, key=lambda contract: contract.version, default=None)


def approves(contract: Contract, provider: str, served: str) -> bool:
    """Whether the served model, as `provider` answered with it, is on the list; any is where there is no list.

    An answer that names no model is not refused: how many of them are fine is what `min_verified` is about.
    """
    return not contract.approved or not served or any(matches(one, provider, served) for one in contract.approved)


def aliased(contract: Contract, requested: str, served: str) -> bool:
    """Whether the contract says that `served` is what is meant by `requested`."""
    return any(matches(asked, "", requested) and matches(means, "", served) for asked, means in contract.aliases)


def matches(pattern: str, provider: str, name: str) -> bool:
    """Whether a pattern of a contract covers the model `name` of `provider` ('': nobody tells).

    - `gpt-4o`, `openai/gpt-4o`: the family in whatever snapshot and spelling, and no other family.
    - `gpt-4o-2024-08-06`: that snapshot alone; an answer that leaves the snapshot open is not it.
    - with `*`, `?` or `[...]`: as in a shell, compared with the name as served and as `model_names` spells it.
    - a version as the record writes it, `<provider>/<served>`: that one, whatever it is.

    A provider before the slash must be the one that answered. Where none that can be told did (none is named, or a
    router), the model alone decides.
    """
    return _matches(pattern.strip().lower(), provider, name)


def is_glob(pattern: str) -> bool:
    """Whether a pattern is compared letter by letter, as in a shell."""
    return any(sign in pattern for sign in "*?[")


def provider_in(pattern: str) -> tuple[str, str]:
    """The provider that a pattern demands, as the conventions spell it, and the rest; ('', pattern) for none."""
    word, slash, rest = pattern.partition("/")
    told = parse("-", word).provider if slash and rest else ""
    return (told, rest) if told else ("", pattern)


@lru_cache(maxsize=8192)
def _matches(pattern: str, provider: str, name: str) -> bool:
    if any(_equal(pattern, text.lower()) for text in (name, f"{provider}/{name}")):
        return True
    word, slash, rest = pattern.partition("/")
    told = _told(provider)
    wanted, model = (told, rest) if slash and told and word == told else provider_in(pattern)
    if wanted and not _same_provider(wanted, told):
        return False
    if is_glob(model):
        return any(fnmatchcase(spelling, model) for spelling in _spellings(name, provider))
    # A handle (a deployment's name) says nothing about the model, so `relation` compares it with nothing but itself.
    return model == _bare(name) or any(relation(text, name, provider) in {"same", "alias"} for text in (model, pattern))


def _equal(pattern: str, text: str) -> bool:
    return fnmatchcase(text, pattern) if is_glob(pattern) else text == pattern


def _told(provider: str) -> str:
    """Who answered, as the conventions spell it; '' where the word names nobody, or a router, which passes calls on."""
    word = normalise_provider(provider)
    known = parse("-", word).provider
    passes_on = parse(f"{word}/-").family == "-"
    return known or ("" if passes_on or word == "unknown" else word)


def _same_provider(wanted: str, told: str) -> bool:
    if not told or wanted == told:
        return True
    if _ANY_GOOGLE in (wanted, told):
        return wanted.startswith("gcp.") and told.startswith("gcp.")
    return wanted.startswith("azure.") and told.startswith("azure.")


def _spellings(name: str, provider: str) -> set[str]:
    """How a glob may meet a name: as it came, without its prefixes, and its family, with its snapshot and without."""
    read = parse(name, provider)
    return {name.lower(), _bare(name), read.family, f"{read.family}-{read.snapshot}" if read.snapshot else read.family}


def _bare(name: str) -> str:
    return provider_in(name.lower())[1]

"""Which language a turn is written in, by py3langid: a fixed model over 97 languages, no network."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from spanwitness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from py3langid.langid import LanguageIdentifier

    from spanwitness.model import Message

CUSTOMERS: Final = "customer"
# At this confidence none of 5,667 English turns (agents of tau-bench, 25 letters or more) was taken for another one.
# Short turns and lists of codes stay below it, and are not judged.
_CONFIDENT: Final = 0.8
_SAMPLE: Final = 1_000  # characters


def codes() -> frozenset[str]:
    """ISO 639-1 codes of the languages that can be told apart."""
    return frozenset(_identifier().labels)


def allowed(wanted: Iterable[str], messages: Iterable[Message]) -> frozenset[str] | None:
    """The codes wanted, with the customer's language for "customer"; None where that cannot be told."""
    found = set(wanted)
    if CUSTOMERS in found:
        found.remove(CUSTOMERS)
        theirs = language_of("\n".join(message.content for message in messages if message.role == "user"))
        if theirs is None:
            return None
        found.add(theirs)
    return frozenset(found)


def keeps(text: str, languages: frozenset[str] | None) -> bool | None:
    """Whether a text is in one of the languages; None where that cannot be told."""
    found = None if languages is None else language_of(text)
    return None if languages is None or found is None else found in languages


def language_of(text: str) -> str | None:
    """The language of a text's beginning; None where there is too little to tell."""
    code, confidence = _identifier().classify(text[:_SAMPLE])
    return str(code) if confidence >= _CONFIDENT else None


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier  # 0.6 s and 30 MB, for those who have such a rule
    except ModuleNotFoundError:
        raise ConfigError(
            "a rule of kind language needs py3langid, which is not installed: pip install 'spanwitness[server]'"
        ) from None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

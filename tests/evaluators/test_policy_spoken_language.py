"""Which language a turn is written in, and that a turn is not judged where that cannot be told."""

from __future__ import annotations

import sys

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators.policy import policy_of, run, spoken_language
from spanwitness.evaluators.policy.spoken_language import language_of
from spanwitness.model import Conversation, Message

GERMAN = "Ihre Buchung wurde storniert, das Geld kommt in fünf Tagen zurück."
ENGLISH = "Your booking has been cancelled and the refund will arrive in five days."
SPANISH = "Quiero cancelar mi reserva para mañana, por favor."


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (GERMAN, "de"),
        (ENGLISH, "en"),
        (SPANISH, "es"),
        ("予約をキャンセルしました。", "ja"),
        ("OK", None),
        ("HAT069 JFK 2024-05-20", None),
        ("", None),
        ("\ud800", None),
    ],
)
def test_what_can_be_told(text: str, code: str | None) -> None:
    assert language_of(text) == code


@pytest.mark.parametrize(
    ("wanted", "customer", "agent", "state"),
    [
        ("de", ENGLISH, GERMAN, "kept"),
        ("de", ENGLISH, ENGLISH, "broken"),
        (["de", "en"], SPANISH, ENGLISH, "kept"),
        ("customer", SPANISH, ENGLISH, "broken"),
        (["customer", "en"], SPANISH, ENGLISH, "kept"),
        ("customer", "OK", ENGLISH, "undecided"),
        ("de", ENGLISH, "OK", "undecided"),
    ],
)
def test_the_agent_keeps_to_a_language(wanted: str | list[str], customer: str, agent: str, state: str) -> None:
    policy = policy_of([{"name": "r", "language": wanted}])
    (found,) = run(policy, Conversation((Message("user", customer), Message("assistant", agent))))
    assert found.state == state


def test_a_language_rule_has_conditions_too() -> None:
    talk = (Message("user", ENGLISH), Message("assistant", ENGLISH))
    policy = policy_of([{"name": "r", "language": "de", "when": [{"conversation": "channel", "is": "voice"}]}])
    states = [run(policy, Conversation(talk, channel=channel))[0].state for channel in ("voice", "chat", "")]
    assert states == ["broken", "not_triggered", "undecided"]


@pytest.mark.parametrize("wanted", ["xx", [], 1, ["de", "deutsch"]])
def test_an_unknown_language_is_refused(wanted: object) -> None:
    with pytest.raises(ConfigError, match=r"rule 'r': language = .*allowed is "):
        policy_of([{"name": "r", "language": wanted}])


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    spoken_language._identifier.cache_clear()  # noqa: SLF001 - the model stays loaded for the life of a process
    with pytest.raises(ConfigError, match=r"needs py3langid, which is not installed: pip install"):
        policy_of([{"name": "r", "language": "de"}])

"""The detector as a whole, on invented agents. How it does on real ones: docs/drift.md."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.drift import DriftDetector, Verdict
from tests.drift.talk import OTHER, PLAIN, many

if TYPE_CHECKING:
    from tests.drift.talk import Agent, Conversation


def told(detector: DriftDetector, conversations: list[Conversation]) -> tuple[int, Verdict]:
    """How many conversations it took until the first alarm that is not about times, and its verdict."""
    verdict = Verdict()
    for number, one in enumerate(conversations, 1):
        verdict = detector.update(one)
        if verdict.alarm and verdict.cause != "infrastructure":
            return number, verdict
    return 0, verdict


@pytest.fixture(scope="module")
def fitted() -> bytes:
    return DriftDetector.fit(many(PLAIN, 120, 1)).to_bytes()


@pytest.fixture(scope="module")
def fitted_without_usage() -> bytes:
    return DriftDetector.fit(many(PLAIN, 120, 1, usage=False)).to_bytes()


def test_another_model_behind_the_name_is_told_soon_and_dated(fitted: bytes) -> None:
    detector = DriftDetector.from_bytes(fitted)
    assert told(detector, many(PLAIN, 40, 2))[0] == 0
    delay, verdict = told(detector, many(OTHER, 30, 4))
    assert verdict.cause == "model"
    assert delay <= 12
    assert abs(verdict.since - 41) <= 2


def test_it_is_told_without_usage_too(fitted_without_usage: bytes) -> None:
    delay, verdict = told(DriftDetector.from_bytes(fitted_without_usage), many(OTHER, 30, 5, usage=False))
    assert (verdict.cause, delay > 0, delay <= 12) == ("model", True, True)


def test_an_alarm_names_the_surest_features_before_and_after(fitted: bytes) -> None:
    _, verdict = told(DriftDetector.from_bytes(fitted), many(OTHER, 30, 6))
    assert 1 <= len(verdict.features) <= 5
    shift = next(each for each in verdict.features if each.name == "curly_quotes")
    assert shift.before == 0
    assert shift.after > 5
    assert shift.strength > 1
    assert str(shift).startswith("curly quotes per 1,000 characters: 0 before, ")


@pytest.mark.parametrize("seed", range(3))
def test_quiet_traffic_is_left_alone(seed: int) -> None:
    detector = DriftDetector.fit(many(PLAIN, 80, 10 + seed))
    assert told(detector, many(PLAIN, 150, 20 + seed))[0] == 0


@pytest.mark.parametrize(
    ("agent", "how", "cause"),
    [
        (dataclasses.replace(PLAIN, prompt_tokens=3_400), {}, "prompt"),
        (PLAIN, {"curt": True}, "input"),
    ],
)
def test_other_changes_are_told_as_what_they_are(fitted: bytes, agent: Agent, how: dict[str, Any], cause: str) -> None:
    _, verdict = told(DriftDetector.from_bytes(fitted), many(agent, 40, 7, **how))
    assert verdict.cause == cause


def test_slower_answers_alone_are_infrastructure_and_do_not_hide_a_swap_that_follows(fitted: bytes) -> None:
    detector = DriftDetector.from_bytes(fitted)
    slow = dataclasses.replace(PLAIN, milliseconds=4_000.0)
    verdicts = [detector.update(one) for one in many(slow, 40, 8)]
    assert {verdict.cause for verdict in verdicts} == {"", "infrastructure"}
    assert verdicts[-1].features[0].name in {"latency", "latency_per_token"}
    _, verdict = told(detector, many(dataclasses.replace(OTHER, milliseconds=4_000.0), 40, 9))
    assert verdict.cause == "model"


def test_a_prompt_known_by_its_hash_needs_no_statistics(fitted: bytes) -> None:
    def with_hash(conversations: list[Conversation], told: str) -> list[Conversation]:
        return [one | {"prompt_hash": told} for one in conversations]

    detector = DriftDetector.fit(with_hash(many(PLAIN, 60, 1), "v1"))
    assert told(detector, with_hash(many(PLAIN, 10, 2), "v1"))[0] == 0
    delay, verdict = told(detector, with_hash(many(OTHER, 10, 3), "v2"))
    assert (delay, verdict.cause, verdict.since) == (3, "prompt", 11)
    assert told(DriftDetector.from_bytes(fitted), with_hash(many(PLAIN, 10, 2), "v2"))[0] == 0  # nothing to compare


def test_the_same_prompt_by_its_hash_with_another_count_of_tokens_speaks_for_another_model() -> None:
    detector = DriftDetector.fit([one | {"prompt_hash": "v1"} for one in many(PLAIN, 100, 1)])
    swapped = dataclasses.replace(OTHER, prompt_tokens=3_100)
    _, verdict = told(detector, [one | {"prompt_hash": "v1"} for one in many(swapped, 30, 2)])
    assert verdict.cause == "model"


def test_a_topic_that_the_reference_hardly_knew_accuses_nobody() -> None:
    """Long answers to a topic of its own are no change, and without its topic's name they would be one."""
    usual = many(PLAIN, 110, 1, topic="orders", usage=False)
    detector = DriftDetector.fit(usual + many(OTHER, 10, 2, topic="advice", usage=False))
    assert told(detector, many(OTHER, 40, 3, topic="advice", usage=False))[0] == 0
    detector = DriftDetector.fit(usual + many(OTHER, 10, 2, topic="orders", usage=False))
    assert told(detector, many(OTHER, 40, 3, topic="orders", usage=False))[1].cause == "model"


def test_a_cause_is_stood_by(fitted: bytes) -> None:
    detector = DriftDetector.from_bytes(fitted)
    _, first = told(detector, many(OTHER, 30, 4))
    later = [detector.update(one) for one in many(PLAIN, 30, 5)]
    assert {(each.alarm, each.cause, each.since) for each in later} == {(True, "model", first.since)}


def test_too_small_a_reference_says_so_and_never_alarms() -> None:
    detector = DriftDetector.fit(many(PLAIN, 29, 1))
    number, verdict = told(detector, many(OTHER, 40, 2))
    assert number == 0
    assert verdict.evidence == {"reference": 29.0, "needed": 30.0}


def test_evidence_tells_how_far_each_cause_is_and_what_could_be_seen(fitted: bytes) -> None:
    detector = DriftDetector.from_bytes(fitted)
    for one in many(PLAIN, 30, 2):
        evidence = detector.update(one).evidence
    for cause in ("model", "prompt", "input", "infrastructure"):
        assert evidence[cause] < evidence[f"{cause} needed"]
    assert 50 < evidence["effective reference"] <= 150
    assert 0.3 < evidence["smallest shift"] < 1.5


def test_more_false_alarms_allowed_means_an_earlier_alarm() -> None:
    slightly = dataclasses.replace(PLAIN, curly=0.3, chatty=4.0)
    reference, after = many(PLAIN, 100, 1, usage=False), many(slightly, 100, 2, usage=False)
    soon, _ = told(DriftDetector.fit(reference, false_alarms_per_1000=50.0), after)
    late, _ = told(DriftDetector.fit(reference, false_alarms_per_1000=0.0001), after)
    assert 0 < soon < late


@pytest.mark.parametrize("rate", [0.0, -1.0, 100.1, float("nan")])
def test_a_rate_that_makes_no_sense_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="false_alarms_per_1000"):
        DriftDetector.fit([], false_alarms_per_1000=rate)


def test_it_goes_on_from_its_bytes_with_the_same_verdicts(fitted: bytes) -> None:
    whole, parts = DriftDetector.from_bytes(fitted), DriftDetector.from_bytes(fitted)
    for one in many(PLAIN, 20, 2) + many(OTHER, 15, 3):
        parts = DriftDetector.from_bytes(parts.to_bytes())
        assert parts.update(one) == whole.update(one)


def test_the_same_conversations_give_the_same_verdicts() -> None:
    def run() -> list[Verdict]:
        detector = DriftDetector.fit(many(PLAIN, 60, 1))
        return [detector.update(one) for one in many(OTHER, 20, 2)]

    assert run() == run()


def test_its_state_does_not_grow_and_holds_no_text(fitted: bytes) -> None:
    detector = DriftDetector.from_bytes(fitted)
    sizes = []
    for at, one in enumerate(many(PLAIN, 460, 2), 1):
        one["messages"][1]["content"] += " MY SECRET WORD"
        detector.update(one)
        if at in (260, 460):
            sizes.append(len(detector.to_bytes()))
    assert sizes[1] < 1.05 * sizes[0]
    assert sizes[1] < 1_500_000
    assert all(b"SECRET" not in data for data in (detector.to_bytes(), repr(detector.update({})).encode()))


def test_a_state_of_a_release_that_counted_otherwise_is_refused(fitted: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spanwitness.drift.detector.FEATURES", ())
    with pytest.raises(ValueError, match="other features"):
        DriftDetector.from_bytes(fitted)


ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TEXT = st.text(max_size=200) | st.sampled_from(
    ["", "\ud800", "نص عربي. ؟", "中文。很好\uff01", "🙂" * 50, "a" * 100_000, "\x00"]
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "tool", "system", "other"]) | ODD,
        "content": TEXT | ODD,
        "tool_calls": st.lists(
            st.fixed_dictionaries({}, optional={"name": st.text(max_size=9) | ODD, "arguments": TEXT | ODD}), max_size=3
        )
        | ODD,
        "usage": st.dictionaries(
            st.sampled_from(["input_tokens", "output_tokens", "reasoning_tokens", "cache_read_tokens"]),
            st.integers(-5, 10**15) | st.floats() | ODD,
        )
        | ODD,
        "latency_ms": st.floats() | ODD,
        "finish_reason": st.sampled_from(["stop", "length", "tool_calls"]) | ODD,
        "length": st.integers() | ODD,
    },
)
CONVERSATION = st.fixed_dictionaries(
    {},
    optional={
        "topic": st.text(max_size=5) | ODD,
        "prompt_hash": st.text(max_size=5) | ODD,
        "messages": st.lists(MESSAGE, max_size=8) | ODD,
    },
)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of huge texts, which are the point
@settings(max_examples=60, deadline=None)
@given(st.lists(CONVERSATION, min_size=1, max_size=6))
def test_no_conversation_is_too_odd(fitted: bytes, odd: list[dict[str, Any]]) -> None:
    detector = DriftDetector.from_bytes(fitted)
    for one in odd:
        assert isinstance(detector.update(one), Verdict)
    assert isinstance(DriftDetector.from_bytes(detector.to_bytes()), DriftDetector)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@settings(max_examples=30, deadline=None)
@given(st.lists(CONVERSATION, min_size=1, max_size=6))
def test_a_reference_of_odd_conversations_can_be_fitted(odd: list[dict[str, Any]]) -> None:
    detector = DriftDetector.fit(odd * 30)
    for one in odd * 2:
        assert isinstance(detector.update(one), Verdict)

"""What a reference learns, and how it scores."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spanwitness.drift.counting import Counted, count
from spanwitness.drift.features import COVARIATES, FEATURES, INDEX
from spanwitness.drift.reference import CAPPED, Reference, fit, nothing
from tests.drift.talk import OTHER, PLAIN, many


@pytest.fixture(scope="module")
def counted() -> list[Counted]:
    return [count(one) for one in many(PLAIN, 100, 1)]


@pytest.fixture(scope="module")
def reference(counted: list[Counted]) -> Reference:
    return fit(counted)


def energies(reference: Reference, one: Counted) -> dict[str, float]:
    row = reference.design(one)
    rest = (reference.score(one, row) - row @ reference.coefficients) / reference.rest
    found = {}
    for name in CAPPED:
        group = reference.groups[name]
        found[name] = float(((rest[group.columns] @ group.axes) ** 2 / group.variances).sum())
    return found


def test_it_watches_what_at_least_half_of_the_reference_tells(counted: list[Counted]) -> None:
    mute = dataclasses.replace(counted[0], values=np.where(np.isnan(counted[0].values), np.nan, np.nan))
    half = fit(counted[:20] + [mute] * 20)
    assert INDEX["commas"] in half.columns
    assert INDEX["commas"] not in fit(counted[:20] + [mute] * 21).columns


def test_its_own_conversations_score_nothing_on_average(reference: Reference, counted: list[Counted]) -> None:
    rest = []
    for one in counted:
        row = reference.design(one)
        rest.append((reference.score(one, row) - row @ reference.coefficients) / reference.rest)
    assert np.abs(np.mean(rest, axis=0)).max() < 0.3
    assert np.std(rest, axis=0).max() < 1.1


def test_no_conversation_counts_more_than_the_cap(reference: Reference) -> None:
    other = [energies(reference, count(one)) for one in many(OTHER, 20, 2)]
    for name in CAPPED:
        assert max(each[name] for each in other) <= reference.caps[name] * (1 + 1e-9)
    assert min(each["text"] for each in other) > 0.9 * reference.caps["text"]


def test_a_missing_value_is_what_the_input_lets_expect(reference: Reference, counted: list[Counted]) -> None:
    mute = dataclasses.replace(counted[0], values=np.full(len(FEATURES), np.nan))
    row = reference.design(mute)
    np.testing.assert_allclose(reference.score(mute, row), row @ reference.coefficients)


def test_topics_have_a_place_in_the_design_and_a_new_one_a_place_of_its_own(counted: list[Counted]) -> None:
    topics = ["a"] * 60 + ["b"] * 38 + ["c"] * 2
    learnt = fit([dataclasses.replace(one, topic=topic) for one, topic in zip(counted, topics, strict=True)])
    assert learnt.topics == ("a", "b")
    ends = [list(learnt.design(dataclasses.replace(counted[0], topic=topic))[-3:]) for topic in ("a", "b", "c", "new")]
    assert ends == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]


def test_what_users_say_is_not_explained_by_what_users_say(reference: Reference) -> None:
    user = [at for at, column in enumerate(reference.columns) if FEATURES[column].kind == "user"]
    explained = reference.coefficients[1 : 1 + len(COVARIATES)]
    assert not explained[:, user].any()
    assert np.delete(explained, user, axis=1).any()


def test_an_input_never_seen_makes_the_expectation_uncertain(reference: Reference, counted: list[Counted]) -> None:
    def error(one: Counted) -> float:
        row = reference.design(one)
        return float(row @ np.linalg.solve(reference.gram, row))

    strange = dataclasses.replace(counted[0], covariates=counted[0].covariates + 100, topic="new")
    assert error(strange) > 5 * error(counted[0])


def test_nothing_watches_nothing(counted: list[Counted]) -> None:
    empty = nothing(3)
    assert empty.score(counted[0], empty.design(counted[0])).shape == (0,)

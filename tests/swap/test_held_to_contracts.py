"""What a contract allows, does not allow, and wants to be told."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from spanwitness.model import Contract, Swap, Use
from spanwitness.model_names import relation
from spanwitness.swap import Terms, find_swaps
from tests.swap.built import BEGIN, FULL, MINI, of_class, talks, use


def contract(version: int = 1, *, since: float = -60, until: float | None = None, **fields: Any) -> Contract:
    """A contract from minute `since` until minute `until`."""
    minutes = [None if at is None else BEGIN + dt.timedelta(minutes=at) for at in (since, until)]
    assert minutes[0] is not None
    return Contract("acme", version, minutes[0], minutes[1], **fields)


def found(uses: list[Use], swap_class: str, *contracts: Contract) -> list[Swap]:
    return of_class(find_swaps(uses, relation, Terms(contracts)), swap_class)


class TestAliases:
    def test_what_the_contract_has_as_an_alias_is_no_mismatch(self) -> None:
        alias = contract(aliases=(("gpt-4o", MINI),))
        assert len(found(talks("BB"), "mismatch")) == 1
        assert found(talks("BB"), "mismatch", alias) == []

    def test_the_contract_of_that_time_decides(self) -> None:
        (swap,) = found(talks("B" * 10), "mismatch", contract(until=5, aliases=(("gpt-4o", MINI),)))
        assert (swap.first_conversation, swap.after) == ("c0005", 5)
        (swap,) = found(talks("B" * 10), "mismatch", contract(since=5, aliases=(("gpt-4o", MINI),)))
        assert (swap.first_conversation, swap.after, swap.traffic) == ("c0000", 5, "none")


class TestApproved:
    LIST = contract(approved=(FULL,))

    def test_a_model_that_is_not_on_the_list_is_told_once_and_pages(self) -> None:
        (swap,) = found(talks("A" * 10 + "B" * 10), "unapproved", self.LIST)
        assert (swap.from_version, swap.to_version, swap.severity) == ("", f"openai/{MINI}", "page")
        assert (swap.before, swap.after, swap.first_conversation) == (10, 10, "c0010")
        assert (swap.evidence["contract_version"], swap.evidence["approved"]) == (1, [FULL])

    def test_without_a_list_or_a_contract_any_model_may_answer(self) -> None:
        assert found(talks("AB"), "unapproved") == []
        assert found(talks("AB"), "unapproved", contract()) == []

    def test_what_nobody_tells_is_not_refused(self) -> None:
        assert found(talks("A" + "?" * 5), "unapproved", self.LIST) == []

    def test_a_contract_that_approves_it_ends_it_and_another_that_does_not_begins_again(self) -> None:
        terms = [
            contract(1, until=10, approved=(FULL,)),
            contract(2, since=10, until=20, approved=(FULL, MINI)),
            contract(3, since=20, approved=(FULL,)),
        ]
        first, second = found(talks("B" * 30), "unapproved", *terms)
        assert (first.occurrence, first.after, first.traffic) == (1, 10, "none")
        assert first.ended_ns == round((BEGIN.timestamp() + 600) * 10**9)
        assert (second.occurrence, second.first_conversation, second.ended_ns) == (2, "c0020", 0)

    def test_it_ends_with_the_absence_of_the_version_and_is_told_again_when_that_comes_back(self) -> None:
        first, second = found(talks("A" * 20 + "B" * 20 + "A" * 20 + "B" * 20), "unapproved", self.LIST)
        assert (first.ended_ns > 0, second.occurrence, second.ended_ns) == (True, 2, 0)


class TestVerified:
    LEAST = contract(min_verified=0.9)

    def test_too_few_calls_that_tell_are_told_where_the_share_falls_below(self) -> None:
        (swap,) = found(talks("A" * 50 + "?" * 10), "unverified", self.LEAST)
        assert (swap.first_conversation, swap.severity, swap.occurrence) == ("c0055", "warning", 1)
        assert (swap.evidence["verified_share"], swap.evidence["min_verified"]) == (0.88, 0.9)
        assert (swap.from_version, swap.to_version) == ("", "openai/gpt-4o?")

    def test_not_by_a_handful_of_conversations(self) -> None:
        assert found(talks("?" * 19), "unverified", self.LEAST) == []
        assert len(found(talks("?" * 20), "unverified", self.LEAST)) == 1

    def test_it_ends_when_the_share_is_back_and_is_told_again(self) -> None:
        first, second = found(talks(("A" * 60 + "?" * 20) * 2), "unverified", self.LEAST)
        assert (first.ended_ns > 0, first.traffic, second.occurrence) == (True, "none", 2)

    @pytest.mark.parametrize("terms", [(), (contract(),)])
    def test_without_an_agreement_it_is_nobodys_matter(self, terms: tuple[Contract, ...]) -> None:
        assert found(talks("?" * 60), "unverified", *terms) == []

    def test_calls_that_failed_were_answered_by_none(self) -> None:
        outage = [use(talk, "", failed=3) for talk in range(20, 60)]
        assert found(outage, "unverified", self.LEAST) == []
        assert found([*talks("A" * 20), *outage], "unverified", self.LEAST) == []
        tried_again = [use(talk, "", failed=2) for talk in range(20, 60)]
        (swap,) = found([*talks("A" * 20), *outage[:5], *tried_again[5:]], "unverified", self.LEAST)
        assert swap.evidence["verified_share"] == round(60 / 67, 4)
        assert swap.share_now == 35 / 50


class TestFingerprints:
    def test_another_backend_of_the_same_version_is_information(self) -> None:
        uses = [use(talk, FULL, fingerprint="fp_1" if talk < 5 else "fp_2") for talk in range(10)]
        (swap,) = found(uses, "fingerprint")
        assert (swap.from_version, swap.to_version) == (f"openai/{FULL} fp_1", f"openai/{FULL} fp_2")
        assert (swap.severity, swap.before, swap.after) == ("info", 5, 5)

    def test_a_new_version_has_a_fingerprint_of_its_own_and_that_is_no_news(self) -> None:
        uses = [use(talk, FULL if talk < 5 else MINI, fingerprint=f"fp_{talk >= 5}") for talk in range(10)]
        assert found(uses, "fingerprint") == []

    def test_a_version_that_has_shown_eight_is_known_to_rotate(self) -> None:
        swaps = found([use(talk, FULL, fingerprint=f"fp_{talk}") for talk in range(20)], "fingerprint")
        assert len(swaps) == 7
        assert [swap.evidence.get("rotates") for swap in swaps] == [None] * 6 + [True]

"""A trace's best conversation id as sortable text."""

from __future__ import annotations

import pytest

from spanwitness.identity import CONVERSATION_TRUST, NO_CANDIDATE, SOURCE_TRACE, split_candidate


@pytest.mark.parametrize(
    ("candidate", "key", "identity"),
    [
        ("003|00000000000000000005|session.id|conv-1", "session.id", "conv-1"),
        ("000|00000000000000000005|lk.room_sid|with|bars|in|it", "lk.room_sid", "with|bars|in|it"),
        ("003|00000000000000000005|session.id| ", "session.id", " "),
        (NO_CANDIDATE, "", ""),
        ("", "", ""),
    ],
)
def test_a_candidate_tells_its_key_and_its_id(candidate: str, key: str, identity: str) -> None:
    assert split_candidate(candidate) == (key, identity)


def test_no_candidate_sorts_after_every_candidate() -> None:
    latest = f"{len(CONVERSATION_TRUST):03}|{2**63 - 1:020}|thread_id|\U0010ffff"
    assert latest < NO_CANDIDATE


def test_the_conventions_own_key_is_trusted_above_an_applications_session_and_below_a_room() -> None:
    order = ["lk.room_sid", "room_id", "gen_ai.conversation.id", "session.id", "langfuse.session.id"]
    assert [key for key in CONVERSATION_TRUST if key in order] == order


def test_no_key_is_listed_twice_or_looks_like_the_trace() -> None:
    assert len(set(CONVERSATION_TRUST)) == len(CONVERSATION_TRUST)
    assert SOURCE_TRACE not in CONVERSATION_TRUST

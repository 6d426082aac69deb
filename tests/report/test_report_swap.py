"""One swap, from everything that is on record about it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from spanwitness.errors import SpanWitnessError
from spanwitness.model import swap_id
from spanwitness.report import swap, swap_page, swaps

if TYPE_CHECKING:
    from tests.report.conftest import Printed, Record

FULL = "openai/gpt-4o-2024-08-06"
MINI = "openai/gpt-4o-mini-2024-07-18"
DEFAULTS: dict[str, Any] = {"Class": "version", "FromVersion": FULL, "ToVersion": MINI, "Occurrence": 1}


def put(record: Record, tenant: str, **columns: Any) -> str:
    """A swap at minute 10; returns its id."""
    row = {**DEFAULTS, "FirstSeenAt": record.at(10), "DetectedAt": record.at(12), **columns}
    key = [tenant, "claims", "claims_agent", "llm", *(row[name] for name in DEFAULTS)]
    record.swap(TenantId=tenant, SwapId=swap_id(key), **row)
    return swap_id(key)


def talk(record: Record, tenant: str, minute: int, version: str, score: float | None, **columns: Any) -> None:
    """A conversation at that minute: a use, a step and a verdict."""
    key = {"TenantId": tenant, "ConversationId": f"c-{minute}"}
    slower = {"DurationMs": 500.0, "InputTokens": 900, "OutputTokens": 40} if version == MINI else {}
    record.conversation(**key)
    record.use(**key, ModelVersion=version, FirstAt=record.at(minute), **columns)
    record.step(**key, ModelVersion=version, StartedAt=record.at(minute), **slower)
    status = {"Status": "completed"} if score is not None else {"Status": "not_applicable"}
    record.score(**key, Score=score, Passed=None if score is None else score >= 0.8, Threshold=0.8, **status)


@pytest.fixture(scope="module")
def told(record: Record) -> dict[str, Any]:
    """A silent swap in the middle of twenty conversations, a new prompt with it, a contract, and a late declaration."""
    tenant = "told"
    for minute in range(10):
        talk(record, tenant, minute, FULL, 1.0 if minute else 0.5)
    for minute in range(10, 20):
        talk(record, tenant, minute, MINI, None if minute == 19 else 0.25)
    record.contract(TenantId=tenant, Version=2, Name="main", NoticeSeconds=3600.0, MinVerifiedShare=0.9)
    record.contract(TenantId=tenant, Version=3, ValidFrom=record.at(11))
    record.deployment(TenantId=tenant, DeclaredAt=record.at(40), ValidFrom=record.at(0))
    put(record, tenant, Class="prompt", FromVersion="v1", ToVersion="v2", Severity="info")
    evidence = {"requested": "gpt-4o", "served": "gpt-4o-mini-2024-07-18", "calls_in_first_conversation": 2}
    identity = put(
        record,
        tenant,
        Declared=True,
        DeclaredBy="Ada",
        DeploymentId="d-1",
        Severity="warning",
        FirstConversationId="c-10",
        ConversationsBefore=10,
        ConversationsAfter=10,
        Evidence=orjson.dumps(evidence).decode(),
    )
    (row,) = swap.rows(record.ask, identity, tenant=tenant)
    return row


def test_it_has_the_columns_of_the_list(told: dict[str, Any]) -> None:
    assert (told["Class"], told["FromVersion"], told["EndedAt"]) == ("version", FULL, None)
    assert "Since" not in told
    assert orjson.loads(orjson.dumps(told))["Id"] == told["Id"]


def test_the_declaration_says_how_late_it_came(told: dict[str, Any]) -> None:
    assert (told["Deployment"]["DeclaredBy"], told["Deployment"]["NoticeSeconds"]) == ("Ada", -1800)


def test_the_contract_is_the_one_of_that_time(told: dict[str, Any]) -> None:
    assert (told["Contract"]["Version"], told["Contract"]["Name"]) == (2, "main")


def test_the_shares_meet_at_the_change(told: dict[str, Any]) -> None:
    assert told["TimelineStep"] == 1
    assert told["Timeline"] == [
        {"Version": FULL, "Before": [1.0] * 10, "Since": [0.0] * 10},
        {"Version": MINI, "Before": [0.0] * 10, "Since": [1.0] * 10},
    ]


def test_the_scores_are_compared_by_evaluator(told: dict[str, Any]) -> None:
    (one,) = told["Scores"]
    assert (one["evaluator"], one["evaluator_version"], one["compared"]) == ("TaskCompletion", "1", True)
    assert (one["n_before"], one["before"], one["n_after"], one["after"]) == (10, 0.95, 9, 0.25)
    assert one["low"] < one["difference"] == -0.7 < one["high"] < 0
    assert (one["passed_before"], one["passed_after"], one["thresholds"]) == (0.9, 0.0, ((0.8,), (0.8,)))


def test_the_costs_are_of_the_slots_calls(told: dict[str, Any]) -> None:
    costs = {row["Side"]: (row["Conversations"], row["InputTokens"], row["DurationMs"]) for row in told["Costs"]}
    assert costs == {"before": (10, 264, 1234.5), "after": (10, 900, 500.0)}


def test_the_whole_page(told: dict[str, Any], printed: Printed) -> None:
    assert printed(swap_page.render(told), 80) == (
        f"""\
{told["Id"]}  warning  version: another model answers
  where               told / claims / claims_agent, llm
  from                openai/gpt-4o-2024-08-06
  to                  openai/gpt-4o-mini-2024-07-18
  since               2026-11-20 22:34:37.901 UTC
  found               2026-11-20 22:36:37 UTC
  declared            late: 2026-11-20 23:04:37 UTC by Ada on the command line,
                      30 min after it was first seen, reason: cheaper;
                      deployment d-1; the notice of 1 h in the contract was not
                      kept
  contract            version 2 'main', in force since 2026-10-21 22:24:37 UTC;
                      approved: openai/gpt-4o; at least 90 % of the calls
                      verified
  traffic             all of it
  conversations       10 before, 10 since
  first conversation  c-10
  first trace         aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa

What it rests on
  asked for                        gpt-4o
  answered                         gpt-4o-mini-2024-07-18
  calls in the first conversation  2

Shares of the conversations around the change
  openai/gpt-4o-2024-08-06
  ██████████|··········
  openai/gpt-4o-mini-2024-07-18
  ··········|██████████
A block is 1 conversation; | is the change.

Scores before and since
evaluator             before  since       difference (95 %)
version
──────────────────────────────────────────────────────────────────
TaskCompletion          0.95   0.25  -0.70 (-0.88 to -0.26)  lower
1                     n = 10  n = 9
  share that met 0.8    0.90   0.00  -0.90 (-0.98 to -0.47)  lower
n: how many conversations were scored. The interval says that scores changed,
not what changed them; of twenty differences that are none, one lies outside.
Something else changed at about the same time (below): whose doing it is cannot
be told apart.

Calls before and since
                                 before  since  change
──────────────────────────────────────────────────────
  conversations compared             10     10
  input tokens a conversation       264    900  +241 %
  output tokens a conversation       18     40  +122 %
  median duration of a call, ms   1,234    500   -59 %
  failed calls                        0      0

Other entries of this agent within a day
  at the same time  {told["Nearby"][0]["Id"]} prompt from v1 to v2

Next
  see where it began:
    spanwitness conversation --tenant told c-10
  ask: Ada, why only afterwards: the record keeps both times
"""
    )


def test_what_is_not_told_is_left_out(record: Record, printed: Printed) -> None:
    identity = put(record, "bare", Class="unapproved", FromVersion="")
    text = printed(swap.show(record.ask, identity, tenant="bare"), 80)
    assert "declared            not declared\n" in text
    assert "contract            none on record for that time\n" in text
    for heading in ("What it rests on", "Shares", "Scores", "Calls", "Other entries"):
        assert heading not in text


def test_the_contracts_models_and_shares_do_not_hold_for_the_judge(record: Record, printed: Printed) -> None:
    terms = "version 2 'main', in force since 2026-10-21 22:24:37 UTC"
    record.contract(TenantId="judge", Version=2, Name="main", MinVerifiedShare=0.9)
    for kind in ("judge", "llm"):  # an agent may have any name
        record.swap(TenantId="judge", ServiceName="spanwitness", AgentName="judge", StepKind=kind)
    found = {row["StepKind"]: row["Id"] for row in swaps.rows(record.ask, tenant="judge")}
    text = printed(swap.show(record.ask, found["judge"]), 180)
    assert f"contract            {terms}; its lists of models and shares are for agents, not for the judge\n" in text
    assert f"{terms}; approved: openai/gpt-4o; at least 90 %" in printed(swap.show(record.ask, found["llm"]), 180)


@pytest.mark.parametrize(("since", "says"), [((3.0, 3.0), "no spread"), ((3.0,), "too few")])
def test_scores_that_do_not_vary_are_not_too_few(
    record: Record, printed: Printed, since: tuple[float, ...], says: str
) -> None:
    tenant = f"steady-{len(since)}"
    identity = put(record, tenant)
    for minute in range(8):
        talk(record, tenant, minute, FULL, 4.0)
    for minute, score in enumerate(since, start=10):
        talk(record, tenant, minute, MINI, score)
    text = printed(swap.show(record.ask, identity, tenant=tenant), 80)
    (scored,) = [line for line in text.splitlines() if "-1.00" in line]
    assert scored.endswith(f"-1.00  {says}")


def test_a_silent_swap_can_be_declared_or_undone(record: Record, printed: Printed) -> None:
    text = " ".join(printed(swap.show(record.ask, put(record, "silent")), 80).replace(" \\\n", " ").split())
    assert (
        "if it was meant: spanwitness deployment declare --tenant silent --service claims --agent claims_agent"
        f" --from-model {FULL} --to-model {MINI} --from 2026-11-20T22:34:37Z --by YOU --reason WHY"
    ) in text
    assert f"if it was not: put {FULL} back; it ends here once the slot has returned" in text


def test_one_that_is_over_leaves_nothing_to_undo(record: Record, printed: Printed) -> None:
    evidence = orjson.dumps({"ended_by": FULL}).decode()
    identity = put(record, "over", EndedAt=record.at(70), Traffic="none", Evidence=evidence)
    text = printed(swap.show(record.ask, identity), 100)
    assert f"ended               2026-11-20 23:34:37.901 UTC, with {FULL}\n" in text
    assert "deployment declare" not in text


def test_a_disguised_one_tells_its_features(record: Record, printed: Printed) -> None:
    says = {"name": "x", "says": "characters per output token", "before": 4.31, "after": 3.12, "strength": -2.5}
    evidence = {"source": "watch", "cause": "model", "version": FULL, "odds": 9.2, "odds_needed": 6, "features": [says]}
    columns = {"Class": "disguised", "FromVersion": FULL, "ToVersion": FULL, "Severity": "page"}
    for minute in range(20):
        talk(record, "disguised", minute, FULL, 1.0 if minute < 10 else 0.0)
    identity = put(record, "disguised", Evidence=orjson.dumps(evidence).decode(), **columns)
    text = printed(swap.show(record.ask, identity), 80)
    assert f"  under the name      {FULL}\n" in text
    words = " ".join(text.split())
    assert "changed most likely model odds for a change 10^9.2 odds at which it counts 10^6" in words
    assert "characters per output token 4.31 3.12 -2.5" in words
    assert "TaskCompletion 1.00 0.00 -1.00 (-1.00 to -0.61) lower 1 n = 10 n = 10" in words


def test_a_long_history_is_told_in_blocks_that_meet_at_the_change(record: Record) -> None:
    for minute in range(-70, 30):
        record.use(TenantId="long", ConversationId=f"c-{minute}", ModelVersion=FULL, FirstAt=record.at(minute))
    record.use(TenantId="long", ConversationId="c-9", ModelVersion=MINI, FirstAt=record.at(9.5))
    (row,) = swap.rows(record.ask, put(record, "long", FirstConversationId="c-9", FirstSeenAt=record.at(9.5)))
    assert row["TimelineStep"] == 5
    mini = row["Timeline"][1]
    assert (mini["Version"], mini["Since"], set(mini["Before"])) == (MINI, [0.2, 0.0, 0.0, 0.0, 0.0], {0.0})
    assert [len(mini[side]) for side in ("Before", "Since")] == [12, 5]


class TestTheId:
    def test_it_may_be_shortened(self, record: Record) -> None:
        identity = put(record, "short")
        assert [row["Id"] for row in swap.rows(record.ask, identity[:7].upper(), tenant="short")] == [identity]

    def test_it_is_found_where_an_earlier_schema_wrote_none(self, record: Record) -> None:
        record.swap(TenantId="old")
        identity = swap_id(["old", "claims", "claims_agent", "llm", *DEFAULTS.values()])
        assert swap.rows(record.ask, identity)[0]["Id"] == identity

    @pytest.mark.parametrize("identity", ["zzzz", "", "%"])
    def test_one_that_nothing_has_is_an_error_with_a_hint(self, record: Record, identity: str) -> None:
        with pytest.raises(SpanWitnessError, match=f"no swap '{identity}'; those on record: spanwitness swaps"):
            swap.rows(record.ask, identity)

    def test_one_that_several_begin_with_names_them(self, record: Record) -> None:
        found = sorted(put(record, "several", Occurrence=number) for number in range(1, 18))
        first = next(one[0] for one, other in pairwise(found) if one[0] == other[0])
        with pytest.raises(SpanWitnessError, match=f"several swaps begin with '{first}': {first}"):
            swap.rows(record.ask, first, tenant="several")

    def test_one_that_was_withdrawn_says_so(self, record: Record) -> None:
        identity = put(record, "gone")
        put(record, "gone", Withdrawn=1, UpdatedAt=record.at(60))
        with pytest.raises(SpanWitnessError, match=f"swap {identity} was withdrawn at 2026-11-20T23:24:37.901Z"):
            swap.rows(record.ask, identity)

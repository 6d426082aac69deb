"""How often verdicts were "not passed"."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from typer.testing import CliRunner

from spanwitness.cli import app
from spanwitness.report import fail_rate
from spanwitness.report.fail_rate import BY, Wanted
from spanwitness.score_shift import wilson

if TYPE_CHECKING:
    from tests.report.conftest import Printed, Record

Row = dict[str, Any]
NOTHING = {"Score": None, "Passed": None}


def fill(record: Record, tenant: str) -> None:
    """Four conversations: two failed, one passed, one of which nothing can be known; and a judge that timed out."""
    for number, (channel, models) in enumerate(
        [("voice", ["a"]), ("voice", ["a", "b"]), ("chat", ["b"]), ("chat", [])], start=1
    ):
        identity = f"c-{number}"
        record.conversation(
            TenantId=tenant,
            ConversationId=identity,
            Channel=channel,
            ModelVersions=models,
            StartedAt=record.at(60 * number),
        )
        told = {"TenantId": tenant, "ConversationId": identity}
        if number < 4:
            record.score(**told, Score=float(number == 3), Passed=number == 3)
        else:
            record.score(**told, Status="not_applicable", **NOTHING)
    record.score(TenantId=tenant, ConversationId="c-1", Judge="gpt-4o", Status="failed", Error="timed out", **NOTHING)


def rates(record: Record, tenant: str, **wanted: Any) -> list[Row]:
    return fail_rate.rows(record.ask, Wanted(tenant=tenant, **wanted))


def test_rates_have_their_interval_their_n_and_their_coverage(record: Record) -> None:
    fill(record, "rates")
    offline, judged = rates(record, "rates")
    low, high = wilson(2 / 3, 3)
    assert (offline["Judged"], offline["Fails"], offline["FailRate"]) == (3, 2, pytest.approx(2 / 3))
    assert (offline["Low"], offline["High"]) == (pytest.approx(low), pytest.approx(high))
    assert (offline["Completed"], offline["NotApplicable"], offline["Failed"]) == (3, 1, 0)
    assert (offline["Coverage"], offline["Scored"], offline["MeanScore"]) == (0.75, 3, pytest.approx(1 / 3))
    assert (judged["Judge"], judged["Failed"], judged["FailRate"], judged["MeanScore"]) == ("gpt-4o", 1, None, None)
    assert orjson.loads(orjson.dumps([offline, judged])) == [offline, judged]


def test_the_interval_is_wilsons() -> None:
    """As in Brown, Cai and DasGupta (2001): 0 of 10 is 0 to 0.278."""
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


def test_a_conversation_with_two_models_counts_under_both(record: Record) -> None:
    fill(record, "both")
    found = rates(record, "both", by=("model_version",), evaluator="TaskCompletion")
    offline = {row["ModelVersion"]: (row["Fails"], row["Judged"]) for row in found if not row["Judge"]}
    assert offline == {"a": (2, 2), "b": (1, 2), "": (0, 0)}
    assert [row["ModelVersion"] for row in found[:3]] == ["a", "b", ""], "the highest rate first, nothing known last"


@pytest.mark.parametrize("key", sorted(BY))
def test_every_way_of_telling_apart_can_be_asked_for(record: Record, key: str) -> None:
    fill(record, f"by-{key}")
    found = rates(record, f"by-{key}", by=(key,))
    assert all(BY[key][0] in row for row in found)
    assert sum(row["Judged"] for row in found) == (4 if key == "model_version" else 3)


def test_several_at_once(record: Record) -> None:
    fill(record, "several")
    found = rates(record, "several", by=tuple(BY))
    assert {(row["Channel"], row["ModelVersion"]): row["Fails"] for row in found if not row["Judge"]} == {
        ("voice", "a"): 2,
        ("voice", "b"): 1,
        ("chat", "b"): 0,
        ("chat", ""): 0,
    }


def test_time_is_when_a_conversation_began(record: Record) -> None:
    fill(record, "time")
    since, until = (record.at(60 * hour).replace(tzinfo=dt.UTC) for hour in (2, 3))
    (found,) = rates(record, "time", since=since, until=until)
    assert (found["Judged"], found["Fails"]) == (1, 1)


def test_only_the_last_verdict_on_the_newest_revision_counts(record: Record) -> None:
    told = {"TenantId": "newest", "ConversationId": "c-1"}
    for revision in (1, 2):
        record.conversation(**told, Revision=revision)
    record.score(**told, Revision=1, Score=0.0, Passed=False)
    record.score(**told, Revision=2, Score=0.0, Passed=False, Scoring=0)
    record.score(**told, Revision=2, Score=1.0, Passed=True, Scoring=1)
    (found,) = rates(record, "newest")
    assert (found["Judged"], found["Fails"]) == (1, 0)


def test_thresholds_that_differ_are_told(record: Record, printed: Printed) -> None:
    for number, threshold in enumerate((0.5, 0.8)):
        told = {"TenantId": "mixed", "ConversationId": f"c-{number}"}
        record.conversation(**told)
        record.score(**told, Score=0.6, Threshold=threshold, Passed=threshold < 0.6)
    (found,) = rates(record, "mixed")
    assert found["Thresholds"] == [0.5, 0.8]
    text = printed(fail_rate.show(record.ask, Wanted(tenant="mixed")))
    assert "0.5, 0.8" in text
    assert "Thresholds differ within a row" in text


def test_other_rules_and_another_prompt_are_another_rate(record: Record, printed: Printed) -> None:
    for number, (rules, prompt) in enumerate((("aaaa1111", "p1"), ("aaaa1111", "p1"), ("bbbb2222", "p2"))):
        told = {"TenantId": "rules", "ConversationId": f"c-{number}"}
        record.conversation(**told)
        record.score(**told, Evaluator="Rules", Details=f'{{"rules_version": "{rules}"}}', Passed=number == 1)
        record.score(**told, Evaluator="Judged", Judge="gpt", JudgePrompt=prompt, Passed=number == 1)
    found = rates(record, "rules")
    assert [(row["Evaluator"], row["Rules"], row["JudgePrompt"], row["Fails"], row["Judged"]) for row in found] == [
        ("Judged", "", "p1", 1, 2),
        ("Judged", "", "p2", 1, 1),
        ("Rules", "aaaa1111", "", 1, 2),
        ("Rules", "bbbb2222", "", 1, 1),
    ]
    text = printed(fail_rate.show(record.ask, Wanted(tenant="rules")))
    assert all(each in text for each in ("prompt p1", "prompt p2", "rules aaaa1111", "rules bbbb2222"))
    assert "differ within a row" not in text
    assert "More than one model" not in text


def test_models_that_answered_as_one_judge_and_modes_that_differ_are_told(record: Record, printed: Printed) -> None:
    for number, (served, mode) in enumerate((("gpt-1", "judge"), ("gpt-2", "judge"), ("", "other"))):
        told = {"TenantId": "served", "ConversationId": f"c-{number}"}
        record.conversation(**told)
        record.score(**told, Judge="gpt", JudgeModel=served, Mode=mode)
    (found,) = rates(record, "served")
    assert (found["JudgeModels"], found["Modes"]) == (["gpt-1", "gpt-2"], ["judge", "other"])
    text = printed(fail_rate.show(record.ask, Wanted(tenant="served")))
    assert "More than one model answered as the judge within a row." in text
    assert "Modes differ within a row." in text


def test_a_threshold_that_no_verdict_tells_is_not_said_to_be_none(record: Record, printed: Printed) -> None:
    def shown(tenant: str, **columns: Any) -> str:
        told = {"TenantId": tenant, "ConversationId": "c-1"}
        record.conversation(**told)
        record.score(**told, **columns)
        return printed(fail_rate.show(record.ask, Wanted(tenant=tenant)))

    assert "none" not in shown("unscored", Status="not_applicable", Mode="", **NOTHING)
    assert "none" in shown("unbound", Threshold=None, Passed=None)


def test_what_is_shown_says_what_counts_twice_and_how_much_there_is(record: Record, printed: Printed) -> None:
    fill(record, "shown")
    text = printed(fail_rate.show(record.ask, Wanted(by=("tenant", "model_version"), tenant="shown", limit=2)))
    assert "100.0% [34.2%, 100.0%]" in text
    assert "2 of 2" in text
    assert "0 (2)" in text, "the mean beside its n"
    assert "2 of 4 rows." in text
    assert "A conversation with more than one model_version counts under each." in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_what_has_no_rate_does_not_push_rates_out_of_sight(record: Record) -> None:
    fill(record, "order")
    record.score(TenantId="order", ConversationId="c-1", Evaluator="ASRAccuracy", Score=0.9, Passed=None)
    found = rates(record, "order")
    assert [(row["Evaluator"], row["Judge"], row["Judged"]) for row in found] == [
        ("TaskCompletion", "", 3),
        ("ASRAccuracy", "", 0),
        ("TaskCompletion", "gpt-4o", 0),
    ]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--by", ""), "names nothing: allowed are tenant"),
        (("--since", "1h", "--until", "2h"), "'2h': allowed is a time after --since 1h"),
    ],
)
def test_what_could_answer_nothing_is_refused(options: tuple[str, ...], why: str) -> None:
    result = CliRunner().invoke(app, ["scores", "--fail-rate", *options])
    assert result.exit_code == 2
    assert why in " ".join(result.stderr.replace("│", " ").split())


def test_where_there_is_nothing_it_is_said(record: Record, printed: Printed) -> None:
    fill(record, "nothing")
    assert "of tenant 'nobody'" in printed(fail_rate.show(record.ask, Wanted(tenant="nobody")))
    asked = Wanted(tenant="nothing", evaluator="Tone", since=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert "There is no score by 'Tone' in that time of tenant 'nothing', though 4 conversations closed." in printed(
        fail_rate.show(record.ask, asked)
    )


def test_a_tenants_name_cannot_reach_into_the_question(record: Record) -> None:
    assert rates(record, "' OR 1 = 1 --") == []


def test_a_calibration_and_what_was_before_it_are_never_one_rate(record: Record) -> None:
    for number, version in enumerate(("1", "1+cal1", "1+cal1")):
        told = {"TenantId": "versions", "ConversationId": f"c-{number}"}
        record.conversation(**told)
        record.score(**told, EvaluatorVersion=version, Score=0.0, Passed=False)
    found = rates(record, "versions")
    assert [(row["EvaluatorVersion"], row["Fails"]) for row in found] == [("1", 1), ("1+cal1", 2)]

"""What Alertmanager and a webhook get, to the byte where it counts."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from spanwitness.alert import Alert, alertmanager, webhook
from spanwitness.metrics.meters import cut
from spanwitness.model import SwapClass
from spanwitness.testing import EPOCH
from tests.alert.swaps import SEEN, A, B, a_swap

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "alerts.md").read_text()
SCHEMA = json.loads((DOCS / "alert.schema.json").read_text())
RESEND = dt.timedelta(minutes=1)
SECRET = "s3cr3t"  # noqa: S105 - of this test


def firing(told_as: str = "", **changes: Any) -> Alert:
    row = a_swap(**changes)
    return Alert(row, "firing", row["Severity"], told_as, "d1")


def resolved(**changes: Any) -> Alert:
    return Alert(a_swap(**changes), "resolved", "page", "page", "d2")


def entries(*alerts: Alert, now: dt.datetime = EPOCH) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(alertmanager.payload(alerts, now, RESEND))
    return found


def body(alert: Alert) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(webhook.body(alert))
    jsonschema.validate(found, SCHEMA, format_checker=jsonschema.FormatChecker())
    return found


class TestAlertmanager:
    def test_one_that_stands_is_named_by_its_labels_and_ends_by_itself(self) -> None:
        (found,) = entries(firing())
        assert found["labels"] == {
            "alertname": "SpanWitnessModelSwap",
            "severity": "page",
            "tenant": "acme",
            "service": "claims",
            "agent": "triage",
            "role": "llm",
            "class": "version",
            "swap_id": a_swap()["SwapId"],
            "from_version": A,
            "to_version": B,
        }
        assert (found["startsAt"], found["endsAt"]) == ("2026-11-20T11:00:00.000Z", "2026-11-20T12:04:00.000Z")

    def test_labels_stay_whatever_else_becomes_of_it(self) -> None:
        changes = {"ConversationsAfter": 99, "ShareNow": 1.0, "Traffic": "all", "DeclaredBy": "ann", "EndedAt": EPOCH}
        assert entries(firing())[0]["labels"] == entries(resolved(**changes))[0]["labels"]

    def test_what_is_not_told_is_no_label(self) -> None:
        assert not {"service", "from_version"} & entries(firing(ServiceName="", FromVersion=""))[0]["labels"].keys()

    @pytest.mark.parametrize("length", [200, 201, 5000])
    def test_long_names_are_the_same_label_as_in_the_metrics(self, length: int) -> None:
        name = "n" * length
        assert entries(firing(TenantId=name, AgentName=name))[0]["labels"]["tenant"] == cut(name)

    def test_annotations_say_what_an_sre_asks_first(self) -> None:
        notes = entries(firing())[0]["annotations"]
        assert notes["first_trace"] == "0af7651916cd43dd8448eb211c80319c"
        assert (notes["first_conversation"], notes["since"], notes["share"]) == (
            "conv-7",
            "2026-11-20T11:00:00.000Z",
            "24 %",
        )
        assert notes["summary"].startswith("Silent model swap: tenant=acme")
        assert notes["description"].startswith("In 24 % of the slot's last conversations")
        assert notes["next"].splitlines()[0] == f"spanwitness swaps show {a_swap()['SwapId']}"

    def test_another_severity_ends_the_alert_that_stood_and_begins_another(self) -> None:
        old, new = entries(firing("page", Severity="info", Declared=True))
        assert (old["labels"].pop("severity"), new["labels"].pop("severity")) == ("page", "info")
        assert old["labels"] == new["labels"]
        assert (old["endsAt"], new["endsAt"]) == ("2026-11-20T12:00:00.000Z", "2026-11-20T12:04:00.000Z")

    @pytest.mark.parametrize(
        ("ended", "told"),
        [
            (EPOCH - dt.timedelta(minutes=5), "2026-11-20T11:55:00.000Z"),
            (None, "2026-11-20T12:00:00.000Z"),
            (SEEN - dt.timedelta(minutes=5), "2026-11-20T11:00:00.000Z"),
        ],
    )
    def test_the_end_is_when_it_ended_or_now_and_never_before_the_beginning(
        self, ended: dt.datetime | None, told: str
    ) -> None:
        assert entries(resolved(EndedAt=ended))[0]["endsAt"] == told

    def test_every_class_has_a_name_of_its_own(self) -> None:
        assert alertmanager.NAMES.keys() == set(get_args(SwapClass))
        assert len(set(alertmanager.NAMES.values())) == len(alertmanager.NAMES)
        assert all(f"`{name}`" in PAGE for name in alertmanager.NAMES.values())


class TestWebhook:
    def test_the_body_of_one_that_stands(self) -> None:
        found = body(firing())
        told = {name: found[name] for name in ("version", "delivery", "status", "severity", "class")}
        assert told == {"version": 1, "delivery": "d1", "status": "firing", "severity": "page", "class": "version"}
        assert found["previous_severity"] is None
        assert (found["swap"]["from_version"], found["swap"]["to_version"]) == (A, B)
        assert found["swap"]["evidence"] == {"conversations_between": 2}
        assert found["swap"]["ended_at"] is None
        assert found["text"].startswith("Silent model swap: tenant=acme")
        assert found["next"][0]["command"] == f"spanwitness swaps show {a_swap()['SwapId']}"

    def test_one_whose_severity_changed_says_what_it_was(self) -> None:
        found = body(firing("page", Severity="warning", Declared=True))
        assert (found["status"], found["severity"], found["previous_severity"]) == ("firing", "warning", "page")

    def test_one_that_is_over_says_when(self) -> None:
        found = body(resolved(EndedAt=EPOCH))
        assert (found["status"], found["swap"]["ended_at"]) == ("resolved", "2026-11-20T12:00:00.000Z")
        assert found["text"].startswith("Resolved, the slot had returned at")

    @pytest.mark.parametrize("name", get_args(SwapClass))
    @pytest.mark.parametrize("changes", [{}, {"FirstTraceId": "", "FirstConversationId": "", "FromVersion": ""}])
    def test_every_class_is_as_published(self, name: str, changes: dict[str, Any]) -> None:
        assert body(firing(Class=name, **changes))["class"] == name
        assert body(resolved(Class=name, Withdrawn=1, **changes))["status"] == "resolved"

    def test_the_published_schema_is_one_and_refuses_what_is_not_a_body(self) -> None:
        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        spoilt_by: list[dict[str, Any]] = [{"status": "over"}, {"swap": {}}, {"next": ["do"]}, {"delivery": ""}]
        for spoilt in spoilt_by:
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate({**body(firing()), **spoilt}, SCHEMA)

    def test_the_page_shows_a_body_as_published(self) -> None:
        (example,) = re.findall(r"```json\n(\{\n  \"version\".*?)```", PAGE, re.DOTALL)
        jsonschema.validate(json.loads(example), SCHEMA, format_checker=jsonschema.FormatChecker())

    def test_the_way_to_verify_that_the_page_shows_works(self) -> None:
        (snippet,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
        found: dict[str, Any] = {}
        exec(compile(snippet, "docs/alerts.md", "exec"), found)  # noqa: S102 - our own page
        content = webhook.body(firing())
        headers = webhook.headers("d1", content, SECRET, EPOCH)
        now = EPOCH.timestamp()
        assert found["verified"](headers, content, SECRET, now)
        assert not found["verified"](headers, content + b" ", SECRET, now)
        assert not found["verified"](headers, content, "another", now)
        assert not found["verified"](headers, content, SECRET, now + 600), "an old one is replayed"
        later = {**headers, webhook.TIMESTAMP: str(int(now) + 600)}
        assert not found["verified"](later, content, SECRET, now + 600), "its date is signed too"

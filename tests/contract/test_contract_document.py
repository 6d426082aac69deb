"""What a contract file may say, and how what is wrong with one is told."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from spanwitness.contract.document import Draft, files_in, parse, read
from spanwitness.contract.explain import explain, fields_told
from spanwitness.errors import ConfigError
from spanwitness.model import BundleTerms, Contract

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)
FULL = """\
tenant = "northwind-mutual"
name = "Master services agreement 2026-17, schedule C"
valid_from = 2026-11-01T00:00:00+01:00
valid_until = 2027-11-01
notice = "14d"
[models]
approved = ["openai/gpt-4o", "openai/gpt-4.1-mini-2025-04-14", "anthropic/claude-sonnet-4*"]
min_verified = 0.95
[models.aliases]
"claims-prod" = "gpt-4o"
[evaluate]
evaluators = ["TaskCompletion", "ConversationResolution"]
thresholds = { ConversationResolution = 0.8 }
judged = ["TaskCompletion"]
[evaluate.by_channel.voice]
evaluators = ["TaskCompletion", "ASRAccuracy"]
thresholds = { ASRAccuracy = 0.85 }
judged = ["TaskCompletion"]
[evaluate.by_channel.sms]
thresholds = { ConversationResolution = 1 }
[evaluate.parameters.TaskCompletion]
writes = ["send_message"]
max_agent_turns = 40
[[evaluate.parameters.CustomerAgentPromptConformance.rules]]
name = "no refund above 100"
amount = { above = 100 }
"""


def draft(text: str, source: str = "acme.toml") -> Draft:
    return parse(text, source, NOW)


def test_every_key_is_read() -> None:
    assert draft(FULL, "file.toml") == Draft(
        Contract(
            tenant="northwind-mutual",
            version=0,
            valid_from=dt.datetime(2026, 10, 31, 23, tzinfo=dt.UTC),
            valid_until=dt.datetime(2027, 11, 1, tzinfo=dt.UTC),
            approved=("openai/gpt-4o", "openai/gpt-4.1-mini-2025-04-14", "anthropic/claude-sonnet-4*"),
            aliases=(("claims-prod", "gpt-4o"),),
            min_verified=0.95,
            evaluators=("TaskCompletion", "ConversationResolution"),
            thresholds={"ConversationResolution": 0.8},
            notice=dt.timedelta(days=14),
            name="Master services agreement 2026-17, schedule C",
            source="file.toml",
            text=FULL,
            judged=("TaskCompletion",),
            parameters={
                "TaskCompletion": {"writes": ["send_message"], "max_agent_turns": 40},
                "CustomerAgentPromptConformance": {
                    "rules": [{"name": "no refund above 100", "amount": {"above": 100}}],
                },
            },
            channels={
                "voice": BundleTerms(("TaskCompletion", "ASRAccuracy"), {"ASRAccuracy": 0.85}, ("TaskCompletion",)),
                "sms": BundleTerms(thresholds={"ConversationResolution": 1.0}),
            },
        ),
        dated=True,
    )


def test_an_empty_file_is_a_contract_of_the_tenant_it_is_named_after_from_now_on() -> None:
    found = draft("", "north.wind.toml")
    assert found == Draft(Contract("north.wind", 0, NOW, source="north.wind.toml"), dated=False)


def test_times_are_kept_as_finely_as_the_store_keeps_them() -> None:
    assert draft("valid_from = 2026-11-01T00:00:00.123456Z").contract.valid_from.microsecond == 123_000


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("notise = '14d'", "unknown key notise; allowed: tenant, name, valid_from, valid_until, notice, models,"),
        ("[models]\nallowed = []", "unknown key models.allowed; allowed: models.approved, models.aliases,"),
        ("[evaluate]\nnames = []", "unknown key evaluate.names; allowed: evaluate.evaluators, evaluate.thresholds"),
        ("models = 3", "models = 3: allowed is a table [models]"),
        ("tenant = ''", "tenant = '': allowed is a text that is not empty"),
        ("tenant = 3", "tenant = 3: allowed is a text"),
        ("notice = 14", "notice = 14: allowed is a duration such as"),
        ("valid_from = '2026-11-01'", "valid_from = '2026-11-01': allowed is a date such as 2026-11-01"),
        ("valid_from = 2026-11-01T00:00:00", "valid_from = 2026-11-01T00:00:00: allowed is a date such as"),
        ("valid_from = 09:00:00", "valid_from = 09:00:00: allowed is a date"),
        ("valid_until = 9999-12-31", "valid_until = 9999-12-31: allowed is a date"),
        (
            "valid_from = 2026-11-02\nvalid_until = 2026-11-02",
            "valid_until = 2026-11-02T00:00:00+00:00: allowed is a time after valid_from = 2026-11-02T00:00:00+00:00",
        ),
        ("[models]\napproved = []", "models.approved = []: allowed is a list of models, one at least"),
        ("[models]\napproved = 'gpt-4o'", "models.approved = 'gpt-4o': allowed is a list of models"),
        ("[models]\napproved = ['openai/']", "models.approved = ['openai/']: allowed is MODEL or PROVIDER/MODEL"),
        ("[models]\nmin_verified = 95", "models.min_verified = 95: allowed is a share from 0 to 1"),
        ("[models]\nmin_verified = nan", "models.min_verified = nan: allowed is a share from 0 to 1"),
        ("[models]\nmin_verified = true", "models.min_verified = True: allowed is a share from 0 to 1"),
        (
            "[models.aliases]\nclaims = 'azure/gpt-4o'",
            "models.aliases.claims = 'azure/gpt-4o': allowed is a model without its provider (azure.ai.openai)",
        ),
        ("[models]\naliases = ['claims']", "models.aliases = ['claims']: allowed is a table of NAME = VALUE"),
        ("[evaluate]\nevaluators = []", "evaluate.evaluators = []: allowed is a list of evaluators, one at least"),
        ("[evaluate]\nthresholds = { A = inf }", "evaluate.thresholds.A = inf: allowed is a number"),
        ("[evaluate]\njudged = []", "evaluate.judged = []: allowed is a list of evaluators, one at least; without the"),
        ("[evaluate]\nby_channel = 1", "evaluate.by_channel = 1: allowed is a table [evaluate.by_channel.NAME]"),
        ("[evaluate.by_channel]\nsms = 1", "evaluate.by_channel.sms = 1: allowed is a table [evaluate.by_channel.sms]"),
        (
            "[evaluate.by_channel.sms]\nnames = 1",
            "unknown key evaluate.by_channel.sms.names; allowed: evaluate.by_channel.sms.evaluators, ",
        ),
        (
            "[evaluate.by_channel.sms.thresholds]\nA = 'low'",
            "evaluate.by_channel.sms.thresholds.A = 'low': allowed is a number",
        ),
        ("[evaluate.parameters]\nA = 1", "evaluate.parameters.A = 1: allowed is a table [evaluate.parameters.A]"),
        (
            "[evaluate.parameters.A]\nclass = 'acme:A'",
            "evaluate.parameters.A.class = 'acme:A': not in a contract; allowed in the configuration",
        ),
        (
            "[evaluate.parameters.A]\nsince = [{ of = 2026-11-01 }]",
            "evaluate.parameters.A.since = [{'of': datetime.date(2026, 11, 1)}]: allowed is what JSON knows",
        ),
        ("[evaluate.parameters.A]\nb = nan", "evaluate.parameters.A.b = nan: allowed is what JSON knows"),
        ("[evaluate]\nthresholds = { A = 'high' }", "evaluate.thresholds.A = 'high': allowed is a number"),
    ],
)
def test_what_is_not_allowed_is_told_by_file_key_and_value(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        draft(text)
    assert str(caught.value).startswith(f"contract file 'acme.toml': {told}")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[models]\napproved = [\n", "end of document"),
        ("notice = '1d'\nname = = 2", "line 2"),
        ("a = " + "[" * 5000, ""),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(text: str, where: str) -> None:
    with pytest.raises(ConfigError, match="contract file 'acme.toml' is not TOML: .*" + where):
        draft(text)


def test_a_file_is_kept_letter_by_letter(tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    path.write_bytes(b"# agreed in Graz, \xc3\xa4nderbar\r\nnotice = '1d'\r\n")
    assert read(path, NOW).contract.text == "# agreed in Graz, änderbar\r\nnotice = '1d'\r\n"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"contract file 'gone.toml': No such file"):
        read(tmp_path / "gone.toml", NOW)
    (tmp_path / "acme.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match=r"contract file 'acme.toml' is not TOML: 'utf-8' codec"):
        read(tmp_path / "acme.toml", NOW)


def test_a_folder_holds_what_ends_in_toml_and_is_not_hidden(tmp_path: Path) -> None:
    for name in ("b.toml", "a.toml", "a.toml~", "notes.md", ".a.toml.swp", ".b.toml"):
        (tmp_path / name).touch()
    assert [path.name for path in files_in(tmp_path)] == ["a.toml", "b.toml"]
    with pytest.raises(ConfigError, match=r"contracts.folder = .*: No such file or directory; allowed is a folder"):
        files_in(tmp_path / "nowhere")


def test_a_contract_is_explained_line_by_line() -> None:
    assert explain(draft(FULL)) == [
        ("holds", "from 2026-10-31T23:00:00+00:00 until 2027-11-01T00:00:00+00:00"),
        ("approved", "openai/gpt-4o: gpt-4o of openai, any snapshot"),
        ("approved", "openai/gpt-4.1-mini-2025-04-14: gpt-4.1-mini of openai, snapshot 2025-04-14 alone"),
        (
            "approved",
            "anthropic/claude-sonnet-4*: every model of anthropic with a name like claude-sonnet-4*",
        ),
        ("alias", "claims-prod answered by gpt-4o is no mismatch"),
        ("verified", "at least 95 % of the calls must tell which model answered"),
        ("notice", "14 days before a change"),
        ("fields", 'TaskCompletion.writes = ["send_message"]'),
        ("fields", "TaskCompletion.max_agent_turns = 40"),
        ("fields", "CustomerAgentPromptConformance.rules: tables, 1 of them"),
    ]


@pytest.mark.parametrize(
    ("notice", "told"),
    [("1d", "1 day before a change"), ("36h", "1 day, 12:00:00 before a change"), ("2h", "2:00:00 before a change")],
)
def test_a_notice_is_told_in_days_and_hours(notice: str, told: str) -> None:
    assert ("notice", told) in explain(draft(f"notice = '{notice}'"))


def test_an_empty_contract_is_explained_too() -> None:
    assert explain(draft("")) == [
        ("holds", "from when it is first read until further notice"),
        ("approved", "any model"),
        ("verified", "no share agreed"),
        ("notice", "none agreed"),
    ]
    assert explain(draft("[models]\napproved = ['gpt-4o']"))[1] == (
        "approved",
        "gpt-4o: gpt-4o of any provider, any snapshot",
    )


def test_a_credential_among_the_fields_is_not_shown() -> None:
    told = list(fields_told({"Polite": {"api_key": "hunter2", "max_tokens": 50}}))
    assert told == ["Polite.api_key = (not shown)", "Polite.max_tokens = 50"]

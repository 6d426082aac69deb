"""`check-policy` as users meet it: what rules mean, their tests, and transcripts of which some are tests too."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from spanwitness.cli import app

if TYPE_CHECKING:
    from typer.testing import Result

RULES = """
[[rules]]
name = "yes_first"
severity = "critical"
why = "Nothing is closed without a yes."
confirm_call = "close"

[[rules]]
name = "no_promises"
severity = "minor"
forbid_phrase = "guarantee"
"""
TEST = """
[[tests]]
name = "no promise"
messages = [{ agent = "I guarantee it." }]
expect = { no_promises = "%s" }
"""
CLOSE = {"role": "assistant", "content": "One moment.", "tool_calls": [{"name": "close", "arguments": {}}]}
ASKED = [{"role": "user", "content": "Close it."}, CLOSE]
PROMISED = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "I guarantee it."}]


def run(*arguments: str | Path, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["check-policy", *map(str, arguments)], input=given)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return path


def lines(path: Path, *given: Any) -> Path:
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in given))
    return path


def test_without_transcripts_it_says_what_the_rules_mean(rules: Path) -> None:
    result = run(rules)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.splitlines()[:7] == [
        "yes_first (critical)",
        "  The customer's last turn before each call of close must say yes.",
        "  why: Nothing is closed without a yes.",
        "",
        "no_promises (minor)",
        "  The agent must not say 'guarantee'.",
        "",
    ]
    assert result.stdout.splitlines()[7].startswith("2 rules, version ")


def test_the_meaning_as_json(rules: Path) -> None:
    result = run(rules, "--json")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {
            "name": "yes_first",
            "severity": "critical",
            "meaning": "The customer's last turn before each call of close must say yes.",
            "why": "Nothing is closed without a yes.",
        },
        {"name": "no_promises", "severity": "minor", "meaning": "The agent must not say 'guarantee'.", "why": ""},
    ]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_tests_of_the_file_that_hold(rules: Path, options: tuple[str, ...]) -> None:
    rules.write_text(RULES + TEST % "broken")
    result = run(rules, *options)
    assert (result.exit_code, result.stderr) == (0, "spanwitness: 1 test of the rule file ran, 1 held\n")


def test_a_test_of_the_file_that_does_not_hold(rules: Path) -> None:
    rules.write_text(RULES + TEST % "kept")
    result = run(rules)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "spanwitness: test 'no promise': rule no_promises: expected kept, got broken at message 0",
        "spanwitness: 1 test of the rule file ran, 0 held",
        "spanwitness: 1 failed",
    ]


def test_transcripts(rules: Path, tmp_path: Path) -> None:
    file = lines(tmp_path / "week.jsonl", {"id": "c1", "messages": ASKED}, PROMISED, {"conversation": []})
    result = run(rules, "--on", file)
    assert (result.exit_code, result.stderr) == (0, "")
    table = [line.split() for line in result.stdout.splitlines()]
    assert result.stdout.splitlines()[:2] == [
        "c1: yes_first (critical) broken at message 1",
        "line 2: no_promises (minor) broken at message 1",
    ]
    assert " ".join(table[2]).startswith("rule, in 3 transcripts, 0 tested")
    assert table[4:] == [["yes_first", "0", "1", "2", "0"], ["no_promises", "1", "1", "1", "0"]]


def test_transcripts_as_json_from_stdin(rules: Path) -> None:
    result = run(rules, "--on", "-", "--json", given=json.dumps({"id": "\ud800", "messages": ASKED}) + "\n")
    (row,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert (row["id"], row["line"], row["score"], row["label"], row["unmet"]) == (
        "\ud800",
        1,
        0.5,
        "broken_critical",
        [],
    )
    assert row["evidence"] == [{"rule": "yes_first", "message_index": 1, "span_id": ""}]


def test_lines_that_expect_something_and_lines_that_cannot_be_read(rules: Path, tmp_path: Path) -> None:
    file = lines(
        tmp_path / "tests.jsonl",
        {"messages": ASKED, "expect": {"yes_first": "broken"}},
        "{not json",
        {"messages": PROMISED, "expect": {"yes_first": "not_triggered", "no_promises": "kept"}},
        {"messages": PROMISED, "expect": {"no_promise": "kept"}},
        {"messages": PROMISED, "expect": {"no_promises": "fine"}},
        {"messages": PROMISED, "expect": 1},
        {"messages": [{"role": "boss"}]},
        PROMISED,
    )
    result = run(rules, "--on", file)
    assert result.exit_code == 1
    told = [line.removeprefix(f"spanwitness: {file}, ") for line in result.stderr.splitlines()]
    assert told[0].startswith("line 2: is no JSON: ")
    assert told[1:] == [
        "line 3: rule no_promises: expected kept, got broken at message 1",
        "line 4: expect = 'no_promise': allowed is the name of a rule: no_promises, yes_first",
        "line 5: expect.no_promises = 'fine': allowed is kept, broken, not_triggered, undecided",
        "line 6: expect = 1: allowed is a table",
        "line 7: conversation[0].role is 'boss'; allowed: system, user, assistant, tool",
        "spanwitness: 6 failed",
    ]
    assert "in 6 transcripts, 5 tested" in result.stdout


def test_expect_demands_that_every_line_says_what_it_expects(rules: Path, tmp_path: Path) -> None:
    expecting = {"messages": ASKED, "expect": {"yes_first": "broken"}}
    assert run(rules, "--on", lines(tmp_path / "a.jsonl", expecting), "--expect").exit_code == 0
    result = run(rules, "--on", lines(tmp_path / "b.jsonl", expecting, PROMISED), "--expect")
    assert result.exit_code == 1
    assert (
        "line 2: says nothing of what it expects; allowed is expect = {RULE: kept|broken|not_triggered|undecided}"
        in (result.stderr)
    )


def test_what_the_line_knows_besides_is_used(rules: Path, tmp_path: Path) -> None:
    rules.write_text(
        "now_after = 'Now:'\n[[rules]]\nname = 'old'\nforbid_call = 'close'\n"
        "when = [{ conversation = 'channel', is = 'voice' }, { argument = 'at', older_than = '1d' }]\n"
    )
    call = {"role": "assistant", "tool_calls": [{"name": "close", "arguments": {"at": "2026-11-19"}}]}
    line = {
        "messages": [call],
        "system_prompt": "Now: 2026-11-21",
        "channel": "voice",
        "expect": {"old": "broken"},
    }
    packed = tmp_path / "one.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(line).encode()))
    assert run(rules, "--on", packed, "--expect").exit_code == 0


@pytest.mark.parametrize("options", [(), ("--on", "x.jsonl")])
def test_what_is_wrong_with_the_rules_is_one_line(rules: Path, options: tuple[str, ...]) -> None:
    rules.write_text("[[rules]]\nname = 'r'\nforbid_cal = 't'\n")
    result = run(rules, *options)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        f"spanwitness: rules file '{rules}': rule 'r' has name, forbid_cal; allowed is exactly one of:"
    )


def test_a_file_that_is_not_there(rules: Path, tmp_path: Path) -> None:
    result = run(rules, "--on", tmp_path / "no.jsonl")
    assert (result.exit_code, result.stderr) == (
        1,
        f"spanwitness: {tmp_path / 'no.jsonl'}: No such file or directory\n",
    )


def test_expect_without_transcripts_is_wrong_usage(rules: Path) -> None:
    result = run(rules, "--expect")
    assert result.exit_code == 2
    assert "--on" in result.stderr


def test_what_a_terminal_would_act_on_is_told_as_its_escape(rules: Path, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", {"id": "\x1b[2J", "messages": ASKED})
    assert run(rules, "--on", file).stdout.startswith("\\x1b[2J: yes_first")


@pytest.mark.parametrize("name", ["airline", "retail"])
def test_the_shipped_rules_hold_their_tests(name: str) -> None:
    result = run(Path(__file__).parents[1] / "docs" / "policies" / f"{name}.toml")
    assert result.exit_code == 0, result.stderr
    assert " tests of the rule file ran" in result.stderr

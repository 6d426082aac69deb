"""Rules of a policy: what they mean, and what becomes of them in transcripts: `check-policy`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from spanwitness.cli.common import JsonOption, app, told
from spanwitness.errors import ConfigError, SpanWitnessError
from spanwitness.evaluators import CustomerAgentPromptConformance, Inputs
from spanwitness.evaluators.chat_file import BadLine, ChatLine, chat_lines, opened
from spanwitness.evaluators.policy import STATES, expected, lookup_meaning, meaning, read
from spanwitness.report.text import columns, plain
from spanwitness.terminal import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.table import Table

    from spanwitness.evaluators.policy import Rule, RuleFile
    from spanwitness.model import Score

_MOST_SHOWN: Final = 5  # messages of one rule


@app.command("check-policy")
def check_policy_command(
    rules: Annotated[Path, typer.Argument(metavar="RULES", help="A rule file in TOML; see docs/policy.md.")],
    on: Annotated[
        Path | None, typer.Option("--on", metavar="FILE", help="Transcripts, a JSON line each, or .gz; - for stdin.")
    ] = None,
    expect: Annotated[
        bool, typer.Option("--expect", help="With --on: a line that says nothing of what it expects fails as well.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """What the rules of a file mean, whether its tests hold, and what becomes of the rules in transcripts.

    A line of FILE is `{"messages": [...]}`, where it helps with `id`, `system_prompt`, `channel`, `intent`, `language`.
    With `"expect": {"RULE": "kept"}` (or broken, not_triggered, undecided) it is a test of the rules.

    Exit status: 0; 1 where a test or an expectation fails or a line cannot be read (the others still are); 2 wrong
    usage.

    Examples:

        spanwitness check-policy airline.toml

        spanwitness check-policy airline.toml --on last-week.jsonl

        spanwitness check-policy airline.toml --on tests.jsonl --expect

        spanwitness check-policy airline.toml --on last-week.jsonl --json | jq -r 'select(.evidence != []) | .id'
    """
    if expect and on is None:
        raise typer.BadParameter(
            "says what is demanded of the lines of --on, which is not given", param_hint="--expect"
        )
    with told():
        file = read(rules)
        evaluator = CustomerAgentPromptConformance.from_file(rules)
        broken = _tests(file, evaluator)
        failed = broken
        if on is None:
            _explain(file, as_json=as_json)
        else:
            tally = _Tally(tuple(rule.name for rule in file.policy.rules), expect)
            failed += _run(on, evaluator, tally, _as_json if as_json else _as_text)
            if not as_json:
                console().print(_summary(tally))
        sys.stdout.flush()
    _tell(file, broken, failed)


def _tell(file: RuleFile, broken: int, failed: int) -> None:
    """On stderr, beside the results: how many tests of the file held, and how much failed with those of the lines."""
    number = len(file.tests)
    if number:
        ran = f"{number} test{'' if number == 1 else 's'} of the rule file ran, {number - broken} held"
        sys.stderr.write(f"spanwitness: {ran}\n")
    if failed:
        sys.stderr.write(f"spanwitness: {failed} failed\n")
        raise typer.Exit(1)


def _tests(file: RuleFile, evaluator: CustomerAgentPromptConformance) -> int:
    """Runs the tests of a rule file; how many fail."""
    failed = 0
    for test in file.tests:
        wrong = list(_unmet(test.expect, evaluator.judge(Inputs(test.conversation))))
        failed += bool(wrong)
        for each in wrong:
            sys.stderr.write(plain(f"spanwitness: test {test.name!r}: {each}") + "\n")
    return failed


def _unmet(expect: Mapping[str, str], score: Score) -> Iterator[str]:
    states = {rule["name"]: rule["state"] for rule in score.details.get("rules", ())}
    for name, wanted in expect.items():
        if states[name] != wanted:
            yield f"rule {name}: expected {wanted}, got {states[name]}{_at(_places(score, name))}"


def _places(score: Score, name: str) -> list[int]:
    return [each.message_index for each in score.evidence if each.rule == name and each.message_index is not None]


def _at(places: list[int]) -> str:
    if not places:
        return ""
    shown = ", ".join(map(str, places[:_MOST_SHOWN]))
    return f" at message {shown}{', ...' if len(places) > _MOST_SHOWN else ''}"


@dataclass(slots=True)
class _Tally:
    """In how many transcripts each rule was kept, broken and so on.

    Attributes:
        strict: every line must say what it expects.
    """

    names: tuple[str, ...]
    strict: bool
    read: int = 0
    tested: int = 0
    states: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, score: Score) -> None:
        self.read += 1
        for rule in score.details.get("rules", ()):
            self.states.setdefault(rule["name"], Counter())[rule["state"]] += 1

    def expected(self, line: ChatLine) -> Mapping[str, str]:
        """What a line expects. Raises ConfigError where it is not allowed, or missing and demanded."""
        if "expect" not in line.others:
            if self.strict:
                raise ConfigError(f"says nothing of what it expects; allowed is expect = {{RULE: {'|'.join(STATES)}}}")
            return {}
        self.tested += 1
        return expected("expect", line.others["expect"], set(self.names))


def _run(
    on: Path,
    evaluator: CustomerAgentPromptConformance,
    tally: _Tally,
    shown: Callable[[ChatLine, Score, list[str]], str],
) -> int:
    """Tries the rules on the transcripts, one after the other, as they are read; how many lines failed."""
    failed = 0
    with opened(on) as (lines, done), _progress() as progress:
        task = progress.add_task("checking", total=_size(on))
        for line in chat_lines(lines):
            progress.update(task, completed=done())
            wrong = [line.why] if isinstance(line, BadLine) else _line(line, evaluator, tally, shown)
            failed += bool(wrong)
            for each in wrong:
                sys.stderr.write(plain(f"spanwitness: {on}, line {line.number}: {each}") + "\n")
    return failed


def _line(
    line: ChatLine,
    evaluator: CustomerAgentPromptConformance,
    tally: _Tally,
    shown: Callable[[ChatLine, Score, list[str]], str],
) -> list[str]:
    """Tries the rules on a transcript and shows what came of it; what was expected and is not so."""
    score = evaluator.judge(line.inputs)
    tally.add(score)
    try:
        wrong = list(_unmet(tally.expected(line), score))
    except SpanWitnessError as error:
        wrong = [str(error)]
    sys.stdout.write(shown(line, score, wrong))
    return wrong


def _as_json(line: ChatLine, score: Score, wrong: list[str]) -> str:
    """Escaped to ASCII, since an id may hold half a surrogate pair."""
    return json.dumps({"id": line.id, "line": line.number, **asdict(score), "unmet": wrong}, default=str) + "\n"


def _as_text(line: ChatLine, score: Score, _wrong: list[str]) -> str:
    """Each rule that was broken, and where; nothing where none was."""
    broken = [rule for rule in score.details.get("rules", ()) if rule["state"] == "broken"]
    return "".join(
        plain(f"{line.id}: {rule['name']} ({rule['severity']}) broken{_at(_places(score, rule['name']))}") + "\n"
        for rule in broken
    )


def _summary(tally: _Tally) -> Table:
    table = columns()
    table.add_column(f"rule, in {tally.read:,} transcript{'' if tally.read == 1 else 's'}, {tally.tested:,} tested")
    for state in STATES:
        table.add_column(state.replace("_", " "), justify="right", no_wrap=True)
    for name in tally.names:
        counts = tally.states.get(name, Counter())
        table.add_row(name, *(f"{counts[state]:,}" for state in STATES))
    return table


def _explain(file: RuleFile, *, as_json: bool) -> None:
    policy = file.policy
    if as_json:
        sys.stdout.write("".join(json.dumps(_row(rule)) + "\n" for rule in policy.rules))
        return
    if policy.lookups:
        sys.stdout.write("".join(plain(lookup_meaning(lookup)) + "\n" for lookup in policy.lookups) + "\n")
    sys.stdout.write("".join(map(_told, policy.rules)))
    number = len(policy.rules)
    sys.stdout.write(f"{number} rule{'' if number == 1 else 's'}, version {policy.digest}\n")


def _row(rule: Rule) -> dict[str, Any]:
    first, *more = meaning(rule)
    told = f"{first} {'; '.join(more)}." if more else first
    return {"name": rule.name, "severity": rule.severity, "meaning": told, "why": rule.why}


def _told(rule: Rule) -> str:
    first, *more = meaning(rule)
    lines = [f"{rule.name} ({rule.severity})", f"  {plain(first)}", *(f"  - {plain(each)}" for each in more)]
    if rule.why:
        lines.append(f"  why: {plain(rule.why)}")
    return "\n".join(lines) + "\n\n"


def _progress() -> Progress:
    """On stderr, and only where the results go elsewhere: on one terminal they show how far it is."""
    shown = Console(stderr=True, highlight=False)
    parts = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*parts, console=shown, disable=not shown.is_terminal or sys.stdout.isatty(), transient=True)


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None

"""Evaluators on chat transcripts, without any tracing or store: `evaluate`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from spanwitness.app import usual_bundle
from spanwitness.cli.common import ConfigOption, app, told
from spanwitness.config import EvaluateConfig, load
from spanwitness.errors import ConfigError
from spanwitness.evaluators import Bundle, ChatEvaluator, Evaluator, Inputs, run
from spanwitness.evaluators.chat_file import BadLine, ChatLine, chat_lines, opened
from spanwitness.report.text import Middle, columns, cut, lines, plain, prose, shortened
from spanwitness.terminal import console

if TYPE_CHECKING:
    from rich.table import Table

    from spanwitness.config import Config
    from spanwitness.model import Conversation, Score

    _Format = Callable[[ChatLine, Sequence[tuple["_Tally", Score]]], str]

_ID: Final = 14
_SCORE: Final = 6
_LABEL: Final = 16
_LEAST: Final = 20


@app.command("evaluate")
def evaluate_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Transcripts, a JSON line each, or .gz; - for stdin.")],
    evaluators: Annotated[
        str | None, typer.Option("--evaluators", metavar="NAME,NAME", help="Which; else those of the configuration.")
    ] = None,
    config: ConfigOption = None,
    judge: Annotated[
        bool, typer.Option("--judge", help="Ask the language model of [judge] as well, for those that it can judge.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="The first so many transcripts only.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a transcript.")] = False,
) -> None:
    """Score chat transcripts, without tracing and without a store.

    A line is a list of messages `{role, content, tool_calls?, tool_call_id?, name?, error?}`, or an object:
    messages, and where they are known id, system_prompt, documents, expected_actions, required_outputs, reference,
    nbest, channel, intent, language. See docs/evaluate.md.

    Exit status 1 where a line could not be read; the others are scored all the same.

    Examples:

        spanwitness evaluate transcripts.jsonl --evaluators TaskCompletion,ConversationResolution

        zcat transcripts.jsonl.gz | spanwitness evaluate - --json | jq '.scores.TaskCompletion.label'
    """
    with told():
        settings = load(config)
        bundle = _bundle(settings, _names(evaluators))
        with _judged(settings, bundle, judge) as judges:
            tallies = [_Tally(each, bundle.threshold(each.name)) for each in bundle.evaluators]
            tallies += [_Tally(each, bundle.threshold(each.name), judge=True) for each in judges]
            bad = _evaluate(file, limit, tallies, _as_json if as_json else _Rows(console(), tallies))
        if not bad and not tallies[0].statuses:
            sys.stderr.write(plain(f"spanwitness: {file}: holds no transcript") + "\n")
        if not as_json:
            console().print(_summary(tallies))
    if bad:
        raise typer.Exit(1)


@dataclass(slots=True)
class _Tally:
    """An evaluator and what came of it so far. `judge`: it asks a language model."""

    evaluator: Evaluator
    threshold: float | None
    judge: bool = False
    statuses: Counter[str] = field(default_factory=Counter)
    total: float = 0.0
    passes: int = 0

    @property
    def title(self) -> str:
        return f"{self.evaluator.name}, judged" if self.judge else self.evaluator.name

    def score(self, line: ChatLine) -> Score:
        score = run(_informed(self.evaluator, line.inputs), line.inputs.conversation)
        self.statuses[score.status] += 1
        if score.status == "completed" and score.score is not None:
            self.total += score.score
            self.passes += bool(self.passed(score))
        return score

    def passed(self, score: Score) -> bool | None:
        """The verdict; None where there is no number or no threshold."""
        if self.threshold is None or score.score is None or score.status != "completed":
            return None
        return score.score >= self.threshold


@dataclass(frozen=True, slots=True)
class _Informed:
    """An evaluator that is told what a line knows besides the conversation."""

    name: str
    version: str
    evaluator: ChatEvaluator
    inputs: Inputs

    def evaluate(self, conversation: Conversation) -> Score:
        return self.evaluator.judge(replace(self.inputs, conversation=conversation))


def _informed(evaluator: Evaluator, inputs: Inputs) -> Evaluator:
    """One that a user wrote without our base knows nothing but the conversation."""
    if not isinstance(evaluator, ChatEvaluator):
        return evaluator
    return cast("Evaluator", _Informed(evaluator.name, evaluator.version, evaluator, inputs))


def _names(text: str | None) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))
    if text is not None and not names:
        raise typer.BadParameter("names no evaluator", param_hint="--evaluators")
    return names


def _bundle(settings: Config, names: tuple[str, ...]) -> Bundle:
    """The configured evaluators, or those named, with their configured parameters and thresholds."""
    if not names:
        return usual_bundle(settings)
    kept = {name: value for name, value in settings.evaluate.thresholds.items() if name in names}
    return usual_bundle(replace(settings, evaluate=EvaluateConfig(evaluators=names, thresholds=kept)))


@contextmanager
def _judged(settings: Config, bundle: Bundle, wanted: bool) -> Iterator[list[Evaluator]]:
    """The judges of those evaluators that a language model can judge, while it is connected."""
    if not wanted:
        yield []
        return
    from spanwitness.judge import QUESTIONS
    from spanwitness.judge.endpoint import Endpoint
    from spanwitness.judge.judged import JudgedEvaluator
    from spanwitness.judge.settings import judge_settings

    asked = judge_settings(settings.judge)
    if asked is None:
        raise ConfigError("--judge asks the language model of the configuration; judge.model = '': allowed is one")
    for key in asked.in_the_clear:
        sys.stderr.write(f"spanwitness: {key} is http://: transcripts can be read on the way; https:// is safe\n")
    names = [each.name for each in bundle.evaluators if each.name in QUESTIONS]
    if not names:
        raise ConfigError(f"--judge: no language model is asked for these; allowed: {', '.join(QUESTIONS)}")
    with closing(Endpoint(asked)) as endpoint:
        yield [cast("Evaluator", JudgedEvaluator(name, endpoint)) for name in names]


def _evaluate(file: Path, limit: int | None, tallies: Sequence[_Tally], told_as: _Format) -> int:
    """Scores the transcripts one after the other, as they are read; how many lines could not be read."""
    bad = 0
    with opened(file) as (lines, read), _progress() as progress:
        task = progress.add_task("evaluating", total=_size(file))
        for line in islice(chat_lines(lines), limit):
            progress.update(task, completed=read())
            if isinstance(line, BadLine):
                bad += 1
                sys.stderr.write(plain(f"spanwitness: {file}, line {line.number}: {line.why}") + "\n")
            else:
                sys.stdout.write(told_as(line, [(tally, tally.score(line)) for tally in tallies]))
    sys.stdout.flush()
    return bad


def _progress() -> Progress:
    """On stderr, and only where the results go elsewhere: on one terminal they show how far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    shown = Console(stderr=True, highlight=False)
    return Progress(*columns, console=shown, disable=not shown.is_terminal or sys.stdout.isatty(), transient=True)


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def _as_json(line: ChatLine, scores: Sequence[tuple[_Tally, Score]]) -> str:
    """Escaped to ASCII, since a transcript may hold half a surrogate pair."""
    kinds: dict[str, dict[str, Any]] = {"scores": {}, "judged": {}}
    for tally, score in scores:
        fields = {**asdict(score), "threshold": tally.threshold, "passed": tally.passed(score)}
        kinds["judged" if tally.judge else "scores"][tally.evaluator.name] = fields
    told = {"id": line.id, "line": line.number, **{kind: found for kind, found in kinds.items() if found}}
    return json.dumps(told, default=str) + "\n"


class _Rows:
    """A table whose columns are set beforehand, so that a row can be shown as soon as it is there."""

    def __init__(self, shown: Console, tallies: Sequence[_Tally]) -> None:
        self._name = max(len(tally.title) for tally in tallies)
        self._width = shown.width
        self._unicode = shown.encoding.lower().startswith("utf")
        self._begun = False

    def __call__(self, line: ChatLine, scores: Sequence[tuple[_Tally, Score]]) -> str:
        head = "" if self._begun else self._row("id", "evaluator", "score", "label", "explanation")
        self._begun = True
        return head + "".join(
            self._row(line.id, tally.title, _number(score), score.label, score.explanation) for tally, score in scores
        )

    def _row(self, identity: str, name: str, score: str, label: str, explanation: str) -> str:
        gap = "…" if self._unicode else "..."
        cells = (
            set_cell_size(shortened(plain(identity), _ID, gap), _ID),
            set_cell_size(name, self._name),
            score.rjust(_SCORE),
            set_cell_size(cut(plain(label), _LABEL, gap), _LABEL),
        )
        told = " ".join(cells)
        text = f"{told} {cut(prose(explanation), max(self._width - cell_len(told) - 1, _LEAST), gap)}".rstrip()
        encoding = "utf-8" if self._unicode else "ascii"
        return text.encode(encoding, "backslashreplace").decode(encoding) + "\n"


def _number(score: Score) -> str:
    if score.status == "failed":
        return "error"
    return "-" if score.score is None else f"{score.score:.4g}"


def _summary(tallies: Sequence[_Tally]) -> Table:
    """How many each could judge, beside the mean of those."""
    table = columns()
    table.add_column("evaluator\n")
    for header in ("completed\n", "n. a.\n", "failed\n", "mean (n)\npassed (threshold)"):
        table.add_column(header, justify="right", no_wrap=True)
    for tally in tallies:
        counts = [f"{tally.statuses[status]:,}" for status in ("completed", "not_applicable", "failed")]
        done = tally.statuses["completed"]
        mean = f"{tally.total / done:.4g} ({done:,})" if done else "- (0)"
        passed = "no threshold" if tally.threshold is None else f"{tally.passes:,} of {done:,} (>= {tally.threshold:g})"
        table.add_row(Middle(tally.title), *counts, lines(mean, passed))
    return table

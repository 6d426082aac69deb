"""Agreement with what is known of tasks: rewards, end states and handoffs, on simulated and on written dialogues."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, Final

from spanwitness.calibration import fit, read_labels
from spanwitness.evaluators import CustomerAgentPromptConformance, TaskCompletion
from spanwitness.evaluators.chat_file import chat_lines, opened
from tests.bench import agreement_statistics as st
from tests.bench.agreement_data import Part, Table, group, policies, records, scored
from tests.bench.agreement_statistics import Figure, Pair, figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from spanwitness.model import Score

_DOMAINS: Final = {"tau_airline": "airline", "tau_retail": "retail", "tau_telecom": "telecom"}
_BY_RECORD: Final = ("airline", "retail")  # where the agent does all of the work
_RULES: Final = Path(__file__).resolve().parents[2] / "docs" / "policies" / "airline.toml"
_UNKNOWN: Final = 0.5  # where a mode says nothing: between a failure and a success
_EXACT: Final = 0.999
_STATES: Final = ("resolved", "recovered", "unresolved")

By = dict[str, list[Pair]]


def task_completion(folder: Path) -> Part:
    reference: By = defaultdict(list)
    evidence: By = defaultdict(list)
    signs: dict[str, list[bool]] = defaultdict(list)
    for file, domain in _DOMAINS.items():
        for record in records(folder, file):
            done, of = bool(record["labels"]["task_completed"]), group(record)
            by_reference = scored(
                "TaskCompletion",
                record["messages"],
                expected_actions=record["labels"].get("gold_calls") or [],
                required_outputs=record["meta"].get("gold_outputs") or [],
            )
            if by_reference.score is not None:
                reference[domain].append(Pair(by_reference.score, done, of))
            found = scored("TaskCompletion", record["messages"])
            evidence[domain].append(Pair(_UNKNOWN if found.score is None else found.score, done, of))
            for sign in found.details.get("signs", []):
                signs[sign].append(not done)
    figures = [*_reference(reference), *_calibrated(folder), *_evidence(evidence)]
    rows = [(f"`{sign}`", len(failed), f"{mean(failed):.0%}") for sign, failed in sorted(signs.items())]
    title = "Signs of failure in mode evidence, one by one; one that is not listed was not met:"
    return Part(
        "TaskCompletion", "customers or tasks", figures, [Table(title, ("sign", "flagged", "failed"), tuple(rows))]
    )


def _reference(by: By) -> list[Figure]:
    figures = [figure("reference, AUC", on, st.auc, pairs) for on, pairs in _parts(by, _BY_RECORD)]
    exact = {domain: _mapped(pairs, lambda score: score >= _EXACT) for domain, pairs in by.items()}
    for title, statistic in (("kappa", st.kappa), ("balanced accuracy", st.balanced_accuracy)):
        figures += [
            figure(f"reference, exactly 1.0, {title}", on, statistic, pairs) for on, pairs in _parts(exact, _BY_RECORD)
        ]
    return figures


def _calibrated(folder: Path) -> list[Figure]:
    """What `spanwitness calibrate` tells of itself, given a domain's labels: whole groups left out in turn."""
    figures = []
    for file, domain in _DOMAINS.items():
        with opened(folder / f"{file}.jsonl.gz") as (lines, _):
            labels = read_labels(chat_lines(lines), TaskCompletion())
        found = fit(labels, TaskCompletion()).agreement
        measure, on = "calibrated, cross-validated by group, AUC", f"{domain}, its own labels"
        figures.append(Figure(measure, on, found.auc, found.low, found.high, found.labels, found.groups))
    return figures


def _evidence(by: By) -> list[Figure]:
    """The truth of these pairs is turned round: what is flagged is a failure."""
    figures = [figure("evidence, AUC", on, st.auc, pairs) for on, pairs in _parts(by, tuple(by))]
    flagged = [Pair(pair.ours < _UNKNOWN, not pair.truth, pair.group) for pairs in by.values() for pair in pairs]
    on = " + ".join(by)
    above = figure("flagged, of these failing, above the share of all", on, st.above_base, flagged)
    return [*figures, *st.flags("failing", "evidence flagged", on, flagged), above]


def _parts(by: By, together: Sequence[str]) -> list[tuple[str, list[Pair]]]:
    """All of those that are told of together, then each domain."""
    pooled = [pair for domain in together for pair in by[domain]]
    return [(" + ".join(together), pooled), *by.items()]


def _mapped(pairs: Iterable[Pair], of: Callable[[Any], Any]) -> list[Pair]:
    return [Pair(of(pair.ours), pair.truth, pair.group) for pair in pairs]


def resolution(folder: Path) -> Part:
    rated = list(records(folder, "uss_sgd"))
    scores = [(record, scored("ConversationResolution", record["messages"])) for record in rated]
    ended = [(record, score) for record, score in scores if record["labels"]["end_state"] is not None]
    states = [Pair(score.label, record["labels"]["end_state"], group(record)) for record, score in ended]
    unresolved = [
        Pair(
            1.0 if score.score is None else -score.score,
            record["labels"]["end_state"] == "unresolved",
            group(record),
        )
        for record, score in ended
    ]
    judged = [pair for pair, (_, score) in zip(unresolved, ended, strict=True) if score.score is not None]
    on = "dialogues with a transaction"
    figures = [
        figure("resolved / recovered / unresolved, kappa", on, st.kappa, states),
        figure("resolved / recovered / unresolved, balanced accuracy", on, st.balanced_accuracy, states),
        figure("unresolved against the rest, AUC; not applicable ranked worst", on, st.auc, unresolved),
        figure("unresolved against the rest, AUC", "those of them that were scored", st.auc, judged),
        st.count("share that could be scored", on, len(judged) / len(ended), len(ended), len(ended)),
    ]
    return Part("ConversationResolution", "dialogues", figures, [_confusions(scores), _ratings(scores)])


def _confusions(scores: Sequence[tuple[dict[str, Any], Score]]) -> Table:
    met = Counter((record["labels"]["end_state"], score.label) for record, score in scores)
    ours = [*_STATES, *sorted({label for _, label in met} - set(_STATES))]
    rows = [
        (
            f"{truth or 'no transaction'} ({sum(met[truth, label] for label in ours)})",
            *(met[truth, label] for label in ours),
        )
        for truth in (*_STATES, None)
    ]
    return Table("Label (rows) against what we said (columns):", ("label", *ours), tuple(rows))


def _ratings(scores: Iterable[tuple[dict[str, Any], Score]]) -> Table:
    given = defaultdict(list)
    for record, score in scores:
        given[score.label].append(record["labels"]["overall_mean"])
    rows = [(f"`{label}`", len(each), f"{mean(each):.2f}") for label, each in sorted(given.items())]
    return Table("People's mean rating, 1 to 5, by what we said:", ("we said", "dialogues", "mean rating"), tuple(rows))


def escalation(folder: Path) -> Part:
    """From words alone, with the calls hidden, against whether a tool that transfers was called."""
    by: By = defaultdict(list)
    for file, domain in _DOMAINS.items():
        for record in records(folder, file):
            messages = record["messages"]
            called = any("transfer" in call["name"] for message in messages for call in message.get("tool_calls") or [])
            spoken = [
                {"role": message["role"], "content": message["content"]}
                for message in messages
                if message["role"] in ("user", "assistant")
            ]
            said = bool(scored("CustomerAgentHumanEscalation", spoken).details.get("handoff"))
            by[domain].append(Pair(said, called, group(record)))
    figures = [
        figure(f"handoff said, against handoff called, {title}", on, statistic, pairs)
        for title, statistic in (("kappa", st.kappa), ("balanced accuracy", st.balanced_accuracy))
        for on, pairs in _parts(by, tuple(by))
    ]
    pooled = [pair for pairs in by.values() for pair in pairs]
    rows = tuple(
        (title, sum(pair.truth == truth for pair in pooled), sum(pair.ours for pair in pooled if pair.truth == truth))
        for title, truth in (("called", True), ("not called", False))
    )
    table = Table("Handoffs:", ("by its call", "conversations", "of these, found in words"), rows)
    return Part("CustomerAgentHumanEscalation", "customers or tasks", figures, [table])


def conformance(folder: Path) -> Part:
    """Authored rules against the reward, which stands in for a label: a broken rule should go with a failed task."""
    evaluator = CustomerAgentPromptConformance.from_file(_RULES)
    prompts = policies(folder)
    rules: dict[str, list[bool]] = defaultdict(list)
    broken, critical, refusals, scores = [], [], [], []
    for record in records(folder, "tau_airline"):
        failed, of = not record["labels"]["task_completed"], group(record)
        score = evaluator.evaluate(record["messages"], system_prompt=prompts[record["system_prompt_ref"]])
        met = [rule for rule in score.details["rules"] if rule["state"] == "broken"]
        broken.append(Pair(bool(met), failed, of))
        critical.append(Pair(any(rule["severity"] == "critical" for rule in met), failed, of))
        if not _changes(record["labels"].get("gold_calls") or []):
            refusals.append(Pair(bool(met), failed, of))
        for rule in met:
            rules[rule["name"]].append(failed)
        scores.append(score)
    known = sum(score.score is not None for score in scores)
    groups = len({pair.group for pair in broken})
    figures = [
        *st.flags("failing", "a rule broken", "airline", broken),
        *st.flags("failing", "a critical rule broken", "airline", critical)[:2],
        *st.flags("failing", "a rule broken", "airline, a refusal expected", refusals),
        st.count("share that could be scored", "airline", known / len(scores), len(scores), groups),
    ]
    rows = [(f"`{rule}`", len(failed), f"{mean(failed):.0%}") for rule, failed in sorted(rules.items())]
    table = Table("Rule by rule:", ("rule", "broken in", "of these, failed"), tuple(rows))
    return Part("CustomerAgentPromptConformance", "customers", figures, [table])


def _changes(calls: Iterable[dict[str, Any]]) -> bool:
    return any(TaskCompletion().changes(call["name"]) for call in calls)

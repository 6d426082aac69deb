"""How fast each change of run is told, and as what: every run of a folder of conversations against every other.

    python tests/bench/drift_pairs.py FOLDER [--source tau-retail] [--rounds 2] [--reference 80] [--share 1.0]

FOLDER holds `conv-<source>-NN.jsonl.gz` and `models.jsonl.gz` (a line: {"id", "model", "run"}). A reference is drawn
from one run, the rest of it is the quiet time, then comes the other run, or, with --share 0.25, a quarter of it mixed
into the first. Nothing of the detector is learnt from such data, so every pair is one it has not seen; which features
there are and its few constants were chosen with the development folder in sight.

Beside them, two changes of users made from the same conversations: their messages in lower case without punctuation,
and with a polite preamble. Delay = conversations until the first verdict of a cause; '-' where there was none.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import json
import random
import statistics
import sys
from pathlib import Path
from typing import Any, Final

from spanwitness.drift import DriftDetector

Conversation = dict[str, Any]
_ROLES: Final = {"u": "user", "a": "assistant", "t": "tool"}
_USAGE: Final = (
    ("in_tok", "input_tokens"),
    ("out_tok", "output_tokens"),
    ("reason_tok", "reasoning_tokens"),
    ("cache_tok", "cache_read_tokens"),
)
_WITHIN: Final = 60


def read(folder: Path, source: str, *, hide_usage: bool) -> dict[tuple[str, str], list[Conversation]]:
    """Conversations by (model, run), those of a run in order of their identity."""
    with gzip.open(folder / "models.jsonl.gz", "rt") as lines:
        models = {one["id"]: (str(one["model"]), str(one["run"])) for one in map(json.loads, lines)}
    runs: dict[tuple[str, str], dict[str, Conversation]] = collections.defaultdict(dict)
    for path in sorted(folder.glob(f"conv-{source}-*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            for raw in map(json.loads, lines):
                runs[models[raw["id"]]][raw["id"]] = conversation(raw, hide_usage=hide_usage)
    return {run: [one for _, one in sorted(found.items())] for run, found in sorted(runs.items())}


def conversation(raw: dict[str, Any], *, hide_usage: bool) -> Conversation:
    """The detector's form of one recorded conversation."""
    messages = []
    for turn in raw["turns"]:
        message: Conversation = {"role": _ROLES[turn["r"]], "content": turn.get("c") or ""}
        if turn.get("tc"):
            message["tool_calls"] = [{"name": call["name"], "arguments": call.get("args")} for call in turn["tc"]]
        if "n" in turn:
            message["length"] = turn["n"]
        if turn.get("finish"):
            message["finish_reason"] = turn["finish"]
        if not hide_usage and not turn.get("canned"):
            usage = {name: turn[key] for key, name in _USAGE if turn.get(key) is not None}
            message |= {"usage": usage} if usage else {}
            message |= {"latency_ms": turn["ms"]} if turn.get("ms") is not None else {}
        messages.append(message)
    return {"topic": raw.get("topic") or "", "messages": messages}


def terse(one: Conversation) -> Conversation:
    """The same users, in lower case and without punctuation."""
    return _said(one, lambda text: "".join(c for c in text.lower() if c.isalnum() or c == " "))


def polite(one: Conversation) -> Conversation:
    """The same users, with a polite preamble."""
    return _said(one, lambda text: f"Hello there! I hope you are well, thank you so much for your time. {text}")


def _said(one: Conversation, change: Any) -> Conversation:
    messages = [m | {"content": change(m["content"])} if m["role"] == "user" else m for m in one["messages"]]
    return one | {"messages": messages}


def delays(reference: list[Conversation], quiet: list[Conversation], after: list[Conversation]) -> dict[str, int]:
    """Conversations after the change until each cause was first told; a negative one came before the change."""
    detector = DriftDetector.fit(reference)
    first: dict[str, int] = {}
    for at, one in enumerate(quiet + after, 1 - len(quiet)):
        verdict = detector.update(one)
        if verdict.alarm:
            first.setdefault(verdict.cause, at)
    return first


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", default="tau-retail")
    parser.add_argument("--rounds", type=int, default=2, help="draws for each pair")
    parser.add_argument("--reference", type=int, default=80)
    parser.add_argument("--share", type=float, default=1.0, help="of the traffic that goes over")
    parser.add_argument("--hide-usage", action="store_true")
    options = parser.parse_args()
    runs = read(options.folder, options.source, hide_usage=options.hide_usage)
    dice = random.Random(0)  # noqa: S311 - a draw that can be repeated
    sys.stdout.write(" ".join(["python", *sys.argv]) + "\n")
    quiet_alarms, quiet = collections.Counter[str](), 0
    told = collections.defaultdict[str, list[dict[str, int]]](list)
    for before, mine in runs.items():
        others: dict[str, list[Conversation]] = {
            f"{run[0]} / {run[1]}": found for run, found in runs.items() if run != before
        }
        for name in ("users terse", "users polite", *others):
            for _ in range(options.rounds):
                drawn = dice.sample(mine, len(mine))
                reference, calm = drawn[: options.reference], drawn[options.reference :]
                then = {"users terse": list(map(terse, drawn)), "users polite": list(map(polite, drawn))}.get(name)
                after = dice.sample(then or others[name], min(_WITHIN, len(then or others[name])))
                mixed = [one if dice.random() < options.share else dice.choice(drawn) for one in after]
                found = delays(reference, calm, mixed)
                quiet += len(calm)
                quiet_alarms.update(cause for cause, at in found.items() if at < 1)
                told[f"{before[0]} / {before[1]} -> {name}"].append(found)
    for pair, rows in told.items():
        causes = collections.Counter(min(row, key=row.__getitem__) if row else "-" for row in rows)
        accused = [row["model"] for row in rows if row.get("model", 0) > 0]
        middle = statistics.median(accused) if accused else "-"
        sys.stdout.write(
            f"{pair}: first told as {dict(causes)}; 'model' in {len(accused)} of {len(rows)}, median delay {middle}\n"
        )
    sys.stdout.write(f"quiet: {dict(quiet_alarms)} in {quiet} conversations\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

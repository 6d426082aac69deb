"""How far each evaluator agrees with labelled data: docs/evaluators/agreement.json and the blocks of the pages.

    python -m tests.bench.agreement DATA_DIR [--half development] [--only NAME]

DATA_DIR holds gzipped JSON lines; the pages name each set's origin. Nothing of the data is written, figures alone. With
--only, the other evaluators' figures stay as they are.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

# Run as a plain script, Python looks for modules beside this file only.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from spanwitness.evaluators import BUILT_IN
from spanwitness.judge import QUESTIONS
from tests.bench import agreement_page, agreement_talk, agreement_tasks, agreement_texts
from tests.bench.agreement_statistics import DRAWS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.bench.agreement_data import Part

PARTS: Final[Mapping[str, Callable[[Path], Part]]] = {
    "TaskCompletion": agreement_tasks.task_completion,
    "ConversationResolution": agreement_tasks.resolution,
    "CustomerAgentConversationQuality": agreement_talk.quality,
    "CustomerAgentHumanEscalation": agreement_tasks.escalation,
    "CustomerAgentQueryHandling": agreement_talk.query_handling,
    "CustomerAgentPromptConformance": agreement_tasks.conformance,
    "Groundedness": agreement_texts.groundedness,
    "ASRAccuracy": agreement_texts.asr,
    "PII": agreement_texts.pii,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", default="development", choices=("development", "held-out"))
    parser.add_argument("--only", choices=sorted(PARTS))
    options = parser.parse_args()
    evaluators: dict[str, Any] = {}
    if options.only:
        there = agreement_page.figures()
        if there["half"] != options.half:
            parser.error(f"--half is {options.half}; allowed with --only: {there['half']}, that of the other figures")
        evaluators = there["evaluators"]
    for name in [options.only] if options.only else PARTS:
        part = PARTS[name](options.folder)
        evaluators[name] = _told(part)
        for figure in part.figures:
            sys.stdout.write(f"{name:34} {figure.measure:55} {figure.on:28} {figure.value:7.3f} n={figure.n}\n")
    agreement_page.write({"half": options.half, "draws": DRAWS, "evaluators": evaluators})
    return 0


def _told(part: Part) -> dict[str, Any]:
    return {
        "version": BUILT_IN[part.name].version,
        "group": part.group,
        "judged": part.name in QUESTIONS,
        "figures": [asdict(each) for each in part.figures],
        "tables": [asdict(each) for each in part.tables],
    }


if __name__ == "__main__":
    raise SystemExit(main())

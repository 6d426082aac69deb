"""Disguised model swaps: the name on the spans stays, another model answers. See docs/drift.md.

detector = DriftDetector.fit(conversations, false_alarms_per_1000=1.0)
verdict = detector.update(conversation)
"""

from spanwitness.drift.detector import DriftDetector
from spanwitness.drift.explain import Shift
from spanwitness.drift.verdict import Cause, Verdict

__all__ = ["Cause", "DriftDetector", "Shift", "Verdict"]

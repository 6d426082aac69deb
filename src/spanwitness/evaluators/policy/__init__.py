"""Rules of a policy that people write in TOML, and what becomes of each in a conversation. See docs/policy.md."""

from spanwitness.evaluators.policy.file import STATES, RuleFile, RuleTest, expected, parse, read
from spanwitness.evaluators.policy.language import SEVERITIES, Policy, Rule
from spanwitness.evaluators.policy.plain_words import lookup_meaning, meaning
from spanwitness.evaluators.policy.reading import policy_of
from spanwitness.evaluators.policy.running import Outcome, run, worst_first

__all__ = [
    "SEVERITIES",
    "STATES",
    "Outcome",
    "Policy",
    "Rule",
    "RuleFile",
    "RuleTest",
    "expected",
    "lookup_meaning",
    "meaning",
    "parse",
    "policy_of",
    "read",
    "run",
    "worst_first",
]

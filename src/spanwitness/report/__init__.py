"""What the record says, at a glance: a file a report.

Each has `rows` (plain data, columns named as in the tables, for --json), `render` (rows as something for a rich
console) and `show` (both, with what must be said besides and with an answer to an empty record).
"""

from spanwitness.report import conversation, scores, swaps, versions
from spanwitness.report.sql import Ask, literal

__all__ = ["Ask", "conversation", "literal", "scores", "swaps", "versions"]

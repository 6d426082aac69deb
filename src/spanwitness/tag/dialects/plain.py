"""Spans of no known dialect: the application's own, which may carry the conversation's id for the trace below them.

| what | where |
|---|---|
| conversation | gen_ai.conversation.id, session.id, langfuse.session.id |
| all else | is not read |
"""

from spanwitness.tag.dialect import Dialect
from spanwitness.tag.dialects.common import CONVERSATION

DIALECT = Dialect(name="", conversation=CONVERSATION)

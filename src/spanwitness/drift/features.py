"""The catalogue of what is counted of a conversation, each with the words that explain it in an alarm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from spanwitness.drift.lexicon import FUNCTION_WORDS, MARKS, OPENINGS, PHRASES

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["hand", "text", "tools", "tokens", "prompt", "user", "latency"]
TOOL_SLOTS: Final = 12
_MOST_LOG: Final = 700.0


@dataclass(frozen=True, slots=True)
class Feature:
    """One number of a conversation.

    `kind` "hand" is how something is written, whatever is said: what no prompt asks for; "text" is the rest of writing.
    `says` completes "there is a change in ...". `log`: the number is a logarithm, log(1 + x) or log x, of what is told.
    """

    name: str
    kind: Kind
    says: str
    log: Literal["", "log1p", "log"] = ""

    def told(self, value: float) -> float:
        """The value as a person reads it."""
        if self.log and value < _MOST_LOG:
            return math.expm1(value) if self.log == "log1p" else math.exp(value)
        return value


def _features() -> Iterator[Feature]:
    for name, (says, _) in MARKS.items():
        yield Feature(name, "hand", f"{says} per 1,000 characters")
    for name, (says, _) in PHRASES.items():
        yield Feature(name, "text", f"{says} per 1,000 characters")
    for word in FUNCTION_WORDS:
        yield Feature(f"word:{word}", "hand", f'the word "{word}" per 100 words')
    for word in OPENINGS:
        yield Feature(f"opens:{word}", "text", f'messages that open with "{word}"')
    for table in (_TEXT, _TOOLS, _TOKENS, _PROMPT, _USER, _LATENCY):
        yield from table
    for slot in range(TOOL_SLOTS):
        yield Feature(f"tool:{slot}", "tools", f"calls to tool {slot}, as a share of the calls")


_TEXT: Final = (
    Feature("upper", "hand", "capital letters per 1,000 characters"),
    Feature("digits", "hand", "digits per 1,000 characters"),
    Feature("spaces", "hand", "spaces per 1,000 characters"),
    Feature("lines", "hand", "line breaks per 1,000 characters"),
    Feature("blank_lines", "hand", "blank lines per 1,000 characters"),
    Feature("trailing", "hand", "lines that end in spaces"),
    Feature("not_ascii", "hand", "characters outside ASCII per 1,000"),
    Feature("emoji", "hand", "emoji per 1,000 characters"),
    Feature("numbered", "hand", "numbered list items per 1,000 characters"),
    Feature("bulleted", "hand", "bulleted list items per 1,000 characters"),
    Feature("sub_items", "hand", "indented list items per 1,000 characters"),
    Feature("headings", "hand", "markdown headings per 1,000 characters"),
    Feature("bold", "hand", "bold passages per 1,000 characters"),
    Feature("code", "hand", "code blocks per 1,000 characters"),
    Feature("word_length", "text", "letters per word"),
    Feature("long_words", "text", "words of eight letters or more, as a share"),
    Feature("sentence_length", "text", "words per sentence"),
    Feature("paragraph_length", "text", "characters per paragraph"),
    Feature("variety", "text", "different words among the first 150"),
    Feature("message_length", "text", "characters per message", "log1p"),
    Feature("longest_message", "text", "characters of the longest message", "log1p"),
    Feature("first_length", "text", "characters of the first answer", "log1p"),
    Feature("last_length", "text", "characters of the last answer", "log1p"),
    Feature("length_spread", "text", "how much the lengths of messages differ"),
    Feature("ends_asking", "text", "messages that end in a question"),
    Feature("ends_full_stop", "text", "messages that end in a full stop"),
    Feature("ends_colon", "text", "messages that end in a colon"),
    Feature("starts_mark", "text", "messages that start with a mark or a digit"),
    Feature("messages", "text", "messages with text per user message"),
)
_TOOLS: Final = (
    Feature("calls", "tools", "tool calls per user message"),
    Feature("calling", "tools", "model calls that call a tool, as a share"),
    Feature("parallel", "tools", "tool calls made side by side, as a share"),
    Feature("talks_calling", "tools", "tool calls that come with text, as a share"),
    Feature("repeated", "tools", "tool calls that repeat an earlier one, as a share"),
    Feature("tools_used", "tools", "different tools used"),
    Feature("other_tools", "tools", "calls to tools that the reference rarely or never used, as a share"),
    Feature("arguments", "tools", "arguments per tool call"),
    Feature("argument_length", "tools", "characters of the arguments per tool call", "log1p"),
    Feature("empty_arguments", "tools", "empty or null arguments per tool call"),
    Feature("numbers_as_text", "tools", "numbers sent as text per tool call"),
    Feature("fractions", "tools", "numbers written with a fraction per tool call"),
    Feature("spaced_json", "tools", "arguments written with spaces after the separators, as a share"),
    Feature("finish_length", "tools", "answers cut off at the length limit, as a share"),
    Feature("finish_other", "tools", "answers that finish for a reason other than stop or tool call, as a share"),
    Feature("finish_stop_calling", "tools", "tool calls that finish as 'stop', as a share"),
    Feature("calls_first", "tools", "model calls before the first tool call"),
)
_TOKENS: Final = (
    Feature("text_per_token", "tokens", "characters per output token", "log"),
    Feature("argument_per_token", "tokens", "characters of arguments per output token, calls without text", "log"),
    Feature("input_per_token", "tokens", "characters of new input per input token", "log"),
    Feature("reasoning", "tokens", "reasoning tokens as a share of the output"),
    Feature("any_reasoning", "tokens", "calls with reasoning tokens, as a share"),
    Feature("output", "tokens", "output tokens per call", "log1p"),
    Feature("output_spread", "tokens", "how much the output tokens of calls differ"),
)
_PROMPT: Final = (Feature("first_input", "prompt", "input tokens of the first call beyond the user's message"),)
_USER: Final = (
    Feature("user_length", "user", "characters of the first user message", "log1p"),
    Feature("user_upper", "user", "capital letters of the first user message"),
    Feature("user_digits", "user", "digits of the first user message"),
    Feature("user_commas", "user", "commas of the first user message"),
    Feature("user_stops", "user", "full stops of the first user message"),
    Feature("user_questions", "user", "question marks of the first user message"),
    Feature("user_exclaims", "user", "exclamation marks of the first user message"),
    Feature("user_dashes", "user", "dashes of the first user message"),
    Feature("user_quotes", "user", "quotes and apostrophes of the first user message"),
    Feature("user_not_ascii", "user", "characters outside ASCII in the first user message"),
    Feature("user_lines", "user", "line breaks of the first user message"),
    Feature("user_word_length", "user", "letters per word of the first user message"),
    Feature("user_sentence", "user", "words per sentence of the first user message"),
    Feature("user_first_person", "user", "first person in the first user message"),
    Feature("user_polite", "user", "please, thanks and greetings in the first user message"),
    Feature("user_function", "user", "function words of the first user message"),
)
_LATENCY: Final = (
    Feature("latency", "latency", "time per call", "log1p"),
    Feature("latency_per_token", "latency", "time per output token", "log1p"),
    Feature("cached", "latency", "cached input tokens, as a share"),
)
FEATURES: Final = tuple(_features())
INDEX: Final = {feature.name: at for at, feature in enumerate(FEATURES)}
COVARIATES: Final = ("user_size", "user_messages", "result_size", "user_code", "user_list", "user_ask")

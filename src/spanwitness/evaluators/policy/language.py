"""What a rule file can say: rules, conditions and what they look at, as frozen values. See docs/policy.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    import datetime as dt

    from spanwitness.evaluators.policy.phrases import Phrases
    from spanwitness.evaluators.policy.values import Path

Severity = Literal["critical", "major", "minor"]
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "major", "minor")  # the worst first
Speaker = Literal["agent", "customer"]
SPEAKERS: Final[tuple[Speaker, ...]] = ("agent", "customer")
Turn = Literal["first_turn", "last_turn"]
TURNS: Final[tuple[Turn, ...]] = ("first_turn", "last_turn")
Attribute = Literal["channel", "intent", "language"]
ATTRIBUTES: Final[tuple[Attribute, ...]] = ("channel", "intent", "language")
Scalar: TypeAlias = str | int | float | bool
Operator = Literal[
    "is",
    "is_not",
    "above",
    "below",
    "at_least",
    "at_most",
    "in",
    "not_in",
    "contains",
    "older_than",
    "newer_than",
    "missing",
]
OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)


@dataclass(frozen=True, slots=True)
class Tools:
    """Tool names, with `*` and `?` as in a shell. A namespace before the name need not be written.

    Attributes:
        spared: what is not meant, though it is named.
    """

    names: tuple[str, ...]
    spared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Literals:
    """Values that stand in the rule file itself."""

    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class OfArgument:
    """What the call that is being judged was given."""

    path: Path


@dataclass(frozen=True, slots=True)
class OfConversation:
    attribute: Attribute


@dataclass(frozen=True, slots=True)
class Lookup:
    """The newest earlier call that went through, of these tools, that fits.

    Attributes:
        where: each path is looked for in the earlier call's arguments, then in its result, and must hold one of the
            values of the source beside it.
        returned: the whole result is this text or number.
        name: what the rule file calls it, where it has a name.
    """

    tools: Tools
    where: tuple[tuple[Path, Source], ...] = ()
    returned: Scalar | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class OfResult:
    """What an earlier call brought back; without a path, the whole of it."""

    lookup: Lookup
    path: Path


Source: TypeAlias = Literals | OfArgument | OfConversation | OfResult


@dataclass(frozen=True, slots=True)
class Compared:
    """Holds when at least one of the values that `source` has meets the operator."""

    source: Source
    operator: Operator
    against: Source | dt.timedelta | bool


@dataclass(frozen=True, slots=True)
class Called:
    lookup: Lookup


@dataclass(frozen=True, slots=True)
class HasSaid:
    by: Speaker
    phrases: Phrases


@dataclass(frozen=True, slots=True)
class Not:
    condition: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    conditions: tuple[Condition, ...]


Condition: TypeAlias = Compared | Called | HasSaid | Not | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class BeforeCall:
    tools: Tools


@dataclass(frozen=True, slots=True)
class BeforePhrase:
    phrases: Phrases


@dataclass(frozen=True, slots=True)
class AtEnd:
    """Somewhere in the conversation."""


@dataclass(frozen=True, slots=True)
class InTurn:
    turn: Turn


@dataclass(frozen=True, slots=True)
class ForbidCall:
    tools: Tools


@dataclass(frozen=True, slots=True)
class ForbidPhrase:
    phrases: Phrases


@dataclass(frozen=True, slots=True)
class RequireCall:
    lookup: Lookup
    moment: BeforeCall | BeforePhrase | AtEnd


@dataclass(frozen=True, slots=True)
class RequirePhrase:
    phrases: Phrases
    by: Speaker
    moment: BeforeCall | BeforePhrase | AtEnd | InTurn


@dataclass(frozen=True, slots=True)
class ConfirmCall:
    """`yes`: how the customer says it; None: the English words that the evaluators know."""

    tools: Tools
    yes: Phrases | None


@dataclass(frozen=True, slots=True)
class SpeakLanguage:
    """`codes`: ISO 639-1, lower case; "customer" stands for the language that the customer writes in."""

    codes: tuple[str, ...]


Demand: TypeAlias = ForbidCall | ForbidPhrase | RequireCall | RequirePhrase | ConfirmCall | SpeakLanguage


@dataclass(frozen=True, slots=True)
class Rule:
    """One clause of a policy.

    Attributes:
        when: for a ban, when it bans; for all others, when the rule applies. Empty: always.
        why: the clause in the author's words, for people.
    """

    name: str
    severity: Severity
    demand: Demand
    when: AllOf = AllOf(())
    why: str = ""


@dataclass(frozen=True, slots=True)
class Clock:
    """What time it is for `older_than` and `newer_than`.

    Attributes:
        now: a fixed time.
        after: the words of the system prompt behind which the time stands.
            Neither: when the span of the call, or of the last message that has one, ended.
    """

    now: dt.datetime | None = None
    after: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in the order in which they were written.

    Attributes:
        lookups: those that have a name.
        digest: 8 hex digits of what was written; other rules, another digest.
    """

    rules: tuple[Rule, ...]
    clock: Clock
    lookups: tuple[Lookup, ...]
    digest: str

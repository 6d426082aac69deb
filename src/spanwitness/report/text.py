"""How values become text on a console. They come from spans, that is, from anybody: none can steer the terminal."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from spanwitness.identity import is_judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LEAST_ID: Final = 12
_LEAST_PROSE: Final = 20
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_BLOCKS_ASCII: Final = "12345678"
_GOES_ON: Final = " \\"
_SHELL: Final = "spanwitness"
_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_ALMOST: Final = 0.99
_ROUNDING: Final = 1e-9  # 0.29 * 100 is 28.999999999999996


def plain(value: str) -> str:
    """Printable text, all on one line: what a terminal may act on is told as its escape."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in value)


def prose(value: str) -> str:
    """The same of a text whose line breaks mean nothing."""
    return plain(" ".join(value.split()))


def line(value: str) -> Text:
    """A value as text, never read as markup."""
    return Text(plain(value))


def command(*words: str) -> str:
    """A command as it can be pasted into a shell; the last word may begin with a dash."""
    last = ["--", words[-1]] if words[-1].startswith("-") else [words[-1]]
    return shlex.join([_SHELL, *words[:-1], *last])


def clock(moment: str, *, milliseconds: bool = False) -> str:
    """An ISO time in UTC as people read it."""
    return moment[: 23 if milliseconds else 19].replace("T", " ").rstrip("Z")


def count(number: int, one: str, many: str = "") -> str:
    """`3 calls`, `1 call`, `no calls`."""
    noun = one if number == 1 else many or f"{one}s"
    return f"{number:,} {noun}" if number else f"no {noun}"


def verified(share: float) -> str:
    """How much of what a version did is known to be its doing. Rounded down: all but one is not all."""
    if share >= 1:
        return "verified"
    if share <= 0:
        return "not told by the instrumentation"
    return f"{percent(min(share, _ALMOST))} verified"


def percent(share: float) -> str:
    """A share from 0 to 1, rounded down: `100 %` is all of it, `0 %` none."""
    whole = int(share * 100 + _ROUNDING)
    return f"{whole} %" if whole or share <= 0 else "under 1 %"


def span(seconds: float) -> str:
    """How long something took, in its two largest units: `3 d 4 h`, `16 min`, `40 s`."""
    largest = next((at for at, (_, length) in enumerate(_UNITS) if seconds >= length), len(_UNITS) - 1)
    rest = round(seconds)
    told: list[str] = []
    for unit, length in _UNITS[largest : largest + 2]:
        number, rest = divmod(rest, length)
        told += [f"{number} {unit}"] if number or not told else []
    return " ".join(told)


def place(row: Mapping[str, Any]) -> str:
    """Where a model is expected: tenant, service, agent and kind of call; and whether it judges, and serves nobody."""
    judges = is_judge(row["StepKind"])
    names = (
        row["TenantId"] or "(no tenant)",
        row["ServiceName"] or "(no service)",
        row["AgentName"] or "(no agent)",
    )
    return f"{' / '.join(names)}, {row['StepKind'] or '(no kind)'}{' (the judge that scores)' if judges else ''}"


def columns() -> Table:
    """An open table, its columns still to be added. Where it is too wide, the widest that may wrap gives way first."""
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False, header_style="bold")


def labelled(entries: Iterable[tuple[str, RenderableType]], *, indent: int = 2) -> Table:
    """Labels and what stands beside them. An entry that says nothing is left out."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in entries:
        if value not in ("", Text("")):
            grid.add_row(Text(" " * indent + label), line(value) if isinstance(value, str) else value)
    return grid


def lines(*parts: RenderableType | str) -> Group:
    """Parts one below the other. Strings are values, not markup."""
    return Group(*(line(part) if isinstance(part, str) else part for part in parts))


@dataclass(frozen=True, slots=True)
class Whole:
    """A value that is never shortened. Broken at the edge only where no line of the console could hold it."""

    value: str
    style: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for part in chop_cells(plain(self.value), max(options.max_width, 2)):
            yield Text(part, self.style, no_wrap=True, overflow="ignore")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return _measure(self.value, cell_len(plain(self.value)), options)


@dataclass(frozen=True, slots=True)
class Middle:
    """An id: shortened in the middle where it does not fit, since ids differ at their ends."""

    value: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(shortened(plain(self.value), options.max_width, _gap(options)), no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return _measure(self.value, _LEAST_ID, options)


@dataclass(frozen=True, slots=True)
class Runnable:
    """A command of the shell on lines of its own: where it is too long it goes on in the next, to be pasted as it is.

    In a table it would be filled up with blanks, and a backslash before a blank is another thing.
    """

    value: str
    indent: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        row, room = " " * self.indent, max(options.max_width - len(_GOES_ON), 1)
        for number, word in enumerate(map(shlex.quote, shlex.split(plain(self.value)))):
            if number and cell_len(row) + 1 + cell_len(word) > room:
                yield Text(row + _GOES_ON, no_wrap=True, overflow="ignore")
                row = f"{' ' * (self.indent + 2)}{word}"
            else:
                row = f"{row} {word}" if number else f"{row}{word}"
        yield Text(row, no_wrap=True, overflow="ignore")


@dataclass(frozen=True, slots=True)
class Clipped:
    """Prose in at most so many lines, its end cut where there is more."""

    value: str
    rows: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wrapped = Text(prose(self.value)).wrap(console, max(options.max_width, 1), overflow="fold", no_wrap=False)
        yield from wrapped[: self.rows - 1]
        if len(wrapped) >= self.rows:
            rest = " ".join(part.plain.strip() for part in wrapped[self.rows - 1 :])
            yield Text(cut(rest, options.max_width, _gap(options)), no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return _measure(self.value, _LEAST_PROSE, options)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Shares from 0 to 1, a block each. A dot is a share of nothing; a blank, None, that there was nothing to share.

    With `since`, an indented line in two parts: what was before a change, and what since.
    """

    shares: Sequence[float | None]
    since: Sequence[float | None] | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = _row(self.shares, options)
        yield Text(shown if self.since is None else f"  {shown}|{_row(self.since, options)}", no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = len(self.shares) + (0 if self.since is None else len(self.since) + 3)
        return Measurement(width, width).clamp(None, options.max_width)


def _row(shares: Sequence[float | None], options: ConsoleOptions) -> str:
    blocks, dot = (_BLOCKS_ASCII, ".") if options.ascii_only else (_BLOCKS, "·")
    return "".join(" " if share is None else _block(share, blocks, dot) for share in shares)


def shortened(value: str, width: int, gap: str = "…") -> str:
    """`value` in at most `width` cells, its middle left out where it is longer."""
    if cell_len(value) <= width:
        return value
    room = max(width - len(gap), 0)
    head, tail = (room + 1) // 2, room // 2
    return set_cell_size(value, head) + gap[:width] + set_cell_size(value[::-1], tail)[::-1]


def cut(value: str, width: int, gap: str = "…") -> str:
    """`value` in at most `width` cells, its end left out where it is longer."""
    if cell_len(value) <= width:
        return value
    return set_cell_size(value, max(width - len(gap), 0)).rstrip() + gap[:width]


def _block(share: float, blocks: str, dot: str) -> str:
    return blocks[min(int(share * len(blocks)), len(blocks) - 1)] if share > 0 else dot


def _gap(options: ConsoleOptions) -> str:
    return "..." if options.ascii_only else "…"


def _measure(value: str, least: int, options: ConsoleOptions) -> Measurement:
    width = cell_len(plain(value))
    return Measurement(min(least, width), width).clamp(None, options.max_width)

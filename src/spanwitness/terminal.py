"""How answers look on a terminal, or where there is none."""

from __future__ import annotations

import os
import sys
from typing import Any

import orjson
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text


def console() -> Console:
    """Tables go to stdout: as wide as the terminal, 100 columns where there is none."""
    return Console(width=None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", "100")), highlight=False)


def table_of(answer: bytes) -> Group:
    """The rows of an answer in JSONCompactEachRowWithNames as a table, and how many there are; nothing of nothing."""
    names, *rows = [orjson.loads(line) for line in answer.splitlines()] or [None]
    if names is None:
        return Group()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(_cell(name))
    for row in rows:
        table.add_row(*map(_cell, row))
    return Group(table, Text(f"{len(rows)} row{'' if len(rows) == 1 else 's'}", style="dim"))


def _cell(value: Any) -> Text:
    """What stands in a table: as it is, whatever of it looks like markup."""
    if value is None:
        return Text("-")
    return Text(value if isinstance(value, str) else orjson.dumps(value).decode())

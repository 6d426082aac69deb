"""The schema as numbered SQL files, applied in order, each once."""

from __future__ import annotations

import re
from importlib import resources
from typing import NamedTuple


class Step(NamedTuple):
    """One numbered file: its version and the statements in it."""

    version: int
    statements: tuple[str, ...]


def steps() -> tuple[Step, ...]:
    """All files `NNN_name.sql` in order of their number."""
    files = [file for file in resources.files(__package__).iterdir() if file.name.endswith(".sql")]
    return tuple(sorted(Step(int(file.name.split("_")[0]), statements(file.read_text())) for file in files))


def statements(sql: str) -> tuple[str, ...]:
    """The statements of a file: `;` at a line's end parts them, comments are dropped."""
    bare = re.sub(r"--[^\n]*", "", sql)
    return tuple(part.strip() for part in re.split(r";\s*(?:\n|$)", bare) if part.strip())

"""The block of an evaluator's page that tells how far it agrees, made from docs/evaluators/agreement.json."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PAGES: Final = Path(__file__).resolve().parents[2] / "docs" / "evaluators"
FIGURES: Final = PAGES / "agreement.json"
_HALVES: Final = {
    "development": "on the development half of the labelled data; the other half was not looked at",
    "held-out": "on the held-out half of the labelled data, which nothing was fitted or chosen on",
}
_JUDGES: Final = "How far a [judge](../judges.md) agrees is not measured: no language model was within reach."
_WIDTH: Final = 120
_DEEPEST: Final = 3  # the whole, the evaluators, one of them, its figures
_BEGIN, _END = "<!-- agreement:begin -->", "<!-- agreement:end -->"
_BLOCK: Final = re.compile(f"{_BEGIN}\n.*?{_END}", re.DOTALL)


def figures() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FIGURES.read_text())
    return found


def rendered(made: Mapping[str, Any], name: str) -> str:
    """The lines between the two marks, for the evaluator of this name."""
    of = made["evaluators"][name]
    told = (
        f"Made by `make agreement` with version {of['version']} of the evaluator, through the public interface alone, "
        f"{_HALVES[made['half']]}. Brackets: 95 % bootstrap over {of['group']} ({made['draws']:,} draws)."
    )
    if of["judged"]:
        told += f" {_JUDGES}"
    lines = [textwrap.fill(told, _WIDTH, break_on_hyphens=False), ""]
    lines += _table(("measure", "on", "value", "n", "groups"), map(_row, of["figures"]))
    for table in of["tables"]:
        lines += ["", table["title"], "", *_table(table["head"], table["rows"])]
    return "\n".join(lines) + "\n"


def block(page: str) -> str:
    """What stands between the marks of a page. Raises ValueError where they are not there exactly once."""
    found = _BLOCK.findall(page)
    if len(found) != 1:
        raise ValueError(f"{len(found)} blocks between {_BEGIN} and {_END}; needed: one")
    text: str = found[0]
    return text.removeprefix(f"{_BEGIN}\n").removesuffix(_END)


def replaced(page: str, lines: str) -> str:
    """The page with these lines between its marks. Raises ValueError as `block`."""
    block(page)
    return _BLOCK.sub(lambda _: f"{_BEGIN}\n{lines}{_END}", page)


def write(made: Mapping[str, Any]) -> None:
    """Into the JSON and into each page."""
    FIGURES.write_text(f"{_lines(made)}\n")
    for name in made["evaluators"]:
        path = PAGES / f"{name}.md"
        path.write_text(replaced(path.read_text(), rendered(made, name)))


def _lines(value: Any, depth: int = 0) -> str:
    """JSON in which a figure, or a row of a table, is one line."""
    if depth > _DEEPEST or not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False)
    keys = [f"{json.dumps(key)}: " for key in value] if isinstance(value, dict) else [""] * len(value)
    each = [f"{key}{_lines(one, depth + 1)}" for key, one in zip(keys, _values(value), strict=True)]
    start, end = "{}" if isinstance(value, dict) else "[]"
    return start + "\n" + ",\n".join(textwrap.indent(one, " ") for one in each) + "\n" + end


def _values(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _row(figure: Mapping[str, Any]) -> tuple[object, ...]:
    value = f"{figure['value']:.3f}"
    if figure["low"] is not None:
        value += f" [{figure['low']:.3f}, {figure['high']:.3f}]"
    return figure["measure"], figure["on"], value, f"{figure['n']:,}", f"{figure['groups']:,}"


def _table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    titles = [str(cell) for cell in head]
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    yield from (f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)

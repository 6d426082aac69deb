"""What tenants' own labels taught: each calibration, since when, and how far it agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from spanwitness.report.sql import Ask, fetch, matching
from spanwitness.report.text import Clipped, Middle, clock, columns, command, line, lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table

Row = dict[str, Any]

_STRONGEST = 3

_CALIBRATIONS = """
SELECT TenantId, Evaluator, Version, if(Version = max(Version) OVER (PARTITION BY TenantId, Evaluator), 'in force',
       'replaced') AS State, ValidFrom, EvaluatorVersion, Labels, Positives, Groups, Auc, AucLow, AucHigh, Bar, Source,
       Model
FROM calibrations WHERE {where}
ORDER BY TenantId, Evaluator, Version DESC
"""


def rows(ask: Ask, *, tenant: str | None = None) -> list[Row]:
    """A row each, of every tenant and evaluator the newest first. `Model` is JSON text."""
    return fetch(ask, _CALIBRATIONS.replace("{where}", matching(TenantId=tenant)))


def show(ask: Ask, *, tenant: str | None = None) -> RenderableType:
    """The report, or what to run where there is nothing to report."""
    found = rows(ask, tenant=tenant)
    if found:
        return _table(found)
    whose = "" if tenant is None else f" of tenant {tenant!r}"
    return line(f"No calibration is on record{whose}: `{command('calibrate', 'LABELS.jsonl')}` makes one.")


def _table(found: Sequence[Row]) -> Table:
    table = columns()
    table.add_column("tenant\nevaluator")
    table.add_column("version\n", no_wrap=True)
    table.add_column("in force from\nlabels", no_wrap=True)
    table.add_column("AUC [95 %]\nneeded", no_wrap=True)
    table.add_column("source\nstrongest traits")
    for row in found:
        model = orjson.loads(row["Model"])
        groups = f"{row['Groups']:,} groups{'' if model['agreement']['grouped'] else ' (not named)'}"
        table.add_row(
            lines(Middle(row["TenantId"]), Middle(f"{row['Evaluator']} {row['EvaluatorVersion']}")),
            lines(f"{row['Version']}", "" if row["State"] == "in force" else row["State"]),
            lines(
                clock(row["ValidFrom"]),
                f"{row['Labels']:,}, {row['Positives']:,} completed, {groups}",
            ),
            lines(f"{row['Auc']:.2f} [{row['AucLow']:.2f}, {row['AucHigh']:.2f}]", f"above {row['Bar']:g}"),
            lines(Middle(row["Source"]), Clipped(strongest(model), 1)),
        )
    return table


def strongest(model: Row, most: int = _STRONGEST) -> str:
    """The traits with the greatest weights of a calibration's model, each with its sign."""
    weights = sorted(model["weights"], key=lambda weight: (-abs(weight["weight"]), weight["trait"]))
    return ", ".join(f"{weight['trait']} {weight['weight']:+.2f}" for weight in weights[:most])

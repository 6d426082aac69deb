"""The index of the evaluators: what it shows works, and what it lists is what there is."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from spanwitness.config import parse
from spanwitness.evaluators import BUILT_IN, BUNDLE, run
from spanwitness.judge import QUESTIONS
from spanwitness.model import Conversation, Message
from spanwitness.pipeline.bundles import configured_by

if TYPE_CHECKING:
    import pytest

PAGE = (Path(__file__).parents[2] / "docs/evaluators/README.md").read_text()
THANKS = Conversation((Message("user", "Hello"), Message("assistant", "Kindly wait.")))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_table_names_what_is_built_in_with_its_threshold() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \|.*\| ([\w.]+) \|$", PAGE, re.MULTILINE)
    assert {name: link for name, link, _ in rows} == {name: name for name in BUILT_IN}
    told = {name: None if threshold == "none" else float(threshold) for name, _, threshold in rows}
    assert told == dict(BUNDLE.thresholds)


def test_as_many_are_judged_as_it_says() -> None:
    assert len(QUESTIONS) == 7
    assert "asked the same of seven of them" in PAGE


def test_the_example_of_bundles_is_accepted() -> None:
    found = configured_by(parse(tomllib.loads(blocks("toml")[0])))
    assert [one.name for one in found.of("voice").evaluators][-1] == "ASRAccuracy"
    assert found.of("voice").judged == found.bundle.judged == ("TaskCompletion",)


def test_the_evaluator_of_ones_own_runs_as_it_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_quality.py").write_text(blocks("python")[1])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_quality", raising=False)
    bundle = configured_by(parse(tomllib.loads(blocks("toml")[1]))).bundle
    assert [run(one, THANKS).label for one in bundle.evaluators if one.name == "Politeness"] == ["polite"]
    assert bundle.threshold("Politeness") == 1.0

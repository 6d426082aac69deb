"""What the documents say is there is there, and the other way round."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from spanwitness import attributes
from spanwitness.cli import app
from spanwitness.config import Config, parse
from spanwitness.evaluators import BUILT_IN
from spanwitness.store.schema import steps
from spanwitness.tag.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
RECORD = (ROOT / "docs/record.md").read_text()


def keys() -> Iterator[str]:
    for section in fields(Config):
        defaults = getattr(Config(), section.name)
        yield from (f"{section.name}.{key.name}" for key in fields(defaults))


@pytest.mark.parametrize("name", sorted(typer.main.get_command(app).commands))  # type: ignore[attr-defined]
def test_every_command_is_in_the_readme(name: str) -> None:
    assert re.search(rf"`{name}\b", README)


@pytest.mark.parametrize("key", sorted(keys()))
def test_every_configuration_key_is_documented(key: str) -> None:
    assert f"| `{key}` |" in CONFIGURATION


def test_no_key_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", CONFIGURATION, re.MULTILINE)) == set(keys())


def test_the_example_configuration_is_accepted() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", CONFIGURATION, re.DOTALL)
    found = parse(tomllib.loads(example))
    assert found.tenant.header == "x-tenant-id"
    assert found.evaluate.thresholds == {"ConversationResolution": 0.8}


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_evaluator_has_a_page_that_the_readme_names(name: str) -> None:
    assert f"docs/evaluators/{name}.md" in README


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_of_the_readme_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_every_table_and_view_is_in_the_record_page() -> None:
    statements = [statement for step in steps() for statement in step.statements]
    created = [re.match(r"CREATE (?:TABLE|VIEW) IF NOT EXISTS (\w+)", statement) for statement in statements]
    assert {found[1] for found in created if found} <= set(re.findall(r"`(\w+)`", RECORD))


@pytest.mark.parametrize("name", sorted(value for key, value in vars(attributes).items() if key.isupper()))
def test_every_attribute_of_ours_is_in_the_record_page(name: str) -> None:
    assert f"`{name}`" in RECORD


@pytest.mark.parametrize("dialect", [dialect for dialect in DIALECTS if dialect.scopes], ids=lambda d: str(d.name))
def test_every_known_scope_is_in_the_instrumentations_page(dialect: object) -> None:
    page = (ROOT / "docs/instrumentations.md").read_text()
    scopes = [scope.rstrip("*") for scope in dialect.scopes]  # type: ignore[attr-defined]
    assert any(scope in page for scope in scopes)


def test_the_readme_shows_a_result_and_no_placeholder() -> None:
    assert "DEMO_RESULT" not in README
    assert "openai/gpt-4o-mini-2024-07-18" in README

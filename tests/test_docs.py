"""What the documents say is there is there, and the other way round."""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import fields, is_dataclass
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

    from spanwitness.tag.dialect import Dialect

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
RECORD = (ROOT / "docs/record.md").read_text()
INDEX = ROOT / "docs/instrumentations.md"
PAGES = sorted((ROOT / "docs/instrumentations").glob("*.md"))


def keys() -> Iterator[str]:
    for section in fields(Config):
        defaults = getattr(Config(), section.name)
        if is_dataclass(defaults):  # what an evaluator takes stands on its page
            yield from (f"{section.name}.{key.name}" for key in fields(defaults))


@pytest.mark.parametrize("name", sorted(typer.main.get_command(app).commands))  # type: ignore[attr-defined]
def test_every_command_is_in_the_readme(name: str) -> None:
    assert re.search(rf"`{name}\b", README)


@pytest.mark.parametrize("key", sorted(keys()))
def test_every_configuration_key_is_documented(key: str) -> None:
    assert f"| `{key}` |" in CONFIGURATION


def test_no_key_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"^\| `([a-z_]+\.[a-z_0-9]+)` \|", CONFIGURATION, re.MULTILINE)) == set(keys())


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


def named_dialects(page: Path) -> list[str]:
    """The dialects that an instrumentation's page says it is about."""
    lines = re.findall(r"^Dialects: (.+)$", page.read_text(), re.MULTILINE)
    return [name for line in lines for name in re.findall(r"`(\w+)`", line)]


def links(page: Path) -> set[str]:
    """The files that a page links to, as it writes them."""
    return {link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()) if "://" not in link}


def test_every_dialect_is_told_of_on_exactly_one_page() -> None:
    told = [name for page in PAGES for name in named_dialects(page)]
    assert sorted(told) == sorted(dialect.name for dialect in DIALECTS if dialect.name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_instrumentations_page_is_in_the_index_and_says_what_it_is_about(page: Path) -> None:
    assert f"instrumentations/{page.name}" in links(INDEX)
    assert named_dialects(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_instrumentations_page_says_what_is_seen_what_is_not_and_how_to_get_more(page: Path) -> None:
    text = page.read_text()
    assert re.search(r"^Read from |^Spans of a scope", text, re.MULTILINE)
    assert "| seen | where |" in text
    assert "**Hidden.**" in text or "does not believe" in text
    (more,) = re.findall(r"^## How to get more$(.*)", text, re.MULTILINE | re.DOTALL)
    assert re.search(r"^```(python|sh|ts)$", more, re.MULTILINE)


@pytest.mark.parametrize("page", [INDEX, *PAGES], ids=lambda page: page.stem)
def test_every_link_of_an_instrumentations_page_leads_somewhere(page: Path) -> None:
    assert [link for link in sorted(links(page)) if not (page.parent / link).exists()] == []


def test_the_sections_that_instrumentations_pages_link_to_are_there() -> None:
    text = "".join(page.read_text() for page in (INDEX, *PAGES))
    wanted = set(re.findall(r"\]\((?:\.\./)?([\w./-]+)#([\w-]+)\)", text))
    there = {
        (name, re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")))
        for name in {name for name, _ in wanted}
        for heading in re.findall(r"^#+ (.+)$", (ROOT / "docs" / name).read_text(), re.MULTILINE)
    }
    assert ("sdk.md", "probe") in wanted
    assert wanted <= there


@pytest.mark.parametrize("page", [INDEX, *PAGES], ids=lambda page: page.stem)
def test_every_python_example_of_an_instrumentations_page_is_python(page: Path) -> None:
    for example in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        compile(example, page.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("dialect", [dialect for dialect in DIALECTS if dialect.scopes], ids=lambda d: str(d.name))
def test_every_known_scope_is_on_the_instrumentations_pages(dialect: Dialect) -> None:
    text = "".join(page.read_text() for page in (INDEX, *PAGES))
    assert any(re.sub(r"\W*$", "", scope) in text for scope in dialect.scopes)


def test_the_readme_shows_a_result_and_no_placeholder() -> None:
    assert "DEMO_RESULT" not in README
    assert "openai/gpt-4o-mini-2024-07-18" in README

"""The documents speak of what there is: their links lead somewhere, and the commands that they name exist."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from config.embedded import home

PAGES = sorted([*home.BASE.glob("*.md"), *(home.BASE / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page: Path) -> None:
    named = re.findall(
        r"`((?:docs|config|foundation|staff|profiles|consent|segments|messaging|journeys|insights|playbooks"
        r"|tests|benchmarks|static|templates)/[\w./-]*[\w/])`",
        page.read_text(),
    )
    assert [name for name in named if not (home.BASE / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z]+):", (home.BASE / "Makefile").read_text(), re.MULTILINE))
    asked = set(re.findall(r"`make ([a-z]+)", text)) | set(re.findall(r"^make ([a-z]+)", text, re.MULTILINE))
    assert asked - targets == set()
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) - set(get_commands()) == set()


def test_every_page_is_reached_from_the_readme() -> None:
    readme = (home.BASE / "README.md").read_text()
    assert [page.name for page in (home.BASE / "docs").glob("*.md") if f"docs/{page.name}" not in readme] == []

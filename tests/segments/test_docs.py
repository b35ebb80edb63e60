"""The page on conditions says what is so: each example is read, asked, and reads as the sentence under it."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from segments.comparing import OPERATORS
from segments.kinds import KINDS
from segments.language import parse
from segments.moments import UNITS

PAGE = (Path(__file__).parents[2] / "docs" / "conditions.md").read_text()
EXAMPLES = re.findall(r"```json\n(.*?)```\n> ([^\n]*)\n", PAGE, re.DOTALL)


@pytest.mark.django_db
@pytest.mark.parametrize(("definition", "sentence"), EXAMPLES, ids=[sentence[:50] for _, sentence in EXAMPLES])
def test_an_example_is_valid_and_reads_as_it_says(definition: str, sentence: str, now: datetime) -> None:
    condition = parse(json.loads(definition))
    assert condition.sentence() == sentence
    assert condition.matching(None, at=now) == set()


def test_each_block_has_a_sentence() -> None:
    assert len(EXAMPLES) == PAGE.count("```json")


def test_every_kind_has_its_chapter_with_an_example() -> None:
    chapters = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE))
    assert sorted(chapters) == KINDS.keys()
    assert all(f'"kind": "{kind}"' in chapter for kind, chapter in chapters.items())


@pytest.mark.parametrize("word", [*OPERATORS, *UNITS])
def test_every_operator_and_unit_is_named(word: str) -> None:
    assert f"`{word}`" in PAGE or f'"{word}"' in PAGE


@pytest.mark.parametrize("kind", KINDS.keys())
def test_every_field_of_a_kind_is_named(kind: str) -> None:
    import dataclasses

    chapter = PAGE.split(f"### {kind}\n")[1].split("\n### ")[0]
    shared: set[str] = {"name", "op", "value", "window", "count", "where", "compare", "of", "share"}
    variant: Any = KINDS[kind]
    for field in dataclasses.fields(variant):
        assert field.name in shared or field.name in chapter

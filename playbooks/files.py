"""Playbooks as files: teams, topics, segments, snippets, templates and journeys that belong together, in YAML."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from foundation.errors import Invalid
from journeys.testing import keeping

_LIBRARY = Path(__file__).parent / "library"
PARTS = ("teams", "topics", "segments", "snippets", "templates", "journeys")
"""What a playbook holds, what is rested on before what rests on it."""


@dataclass(frozen=True)
class Playbook:
    """What a file holds: each part a list of definitions, in the words of the verbs that save them."""

    slug: str
    name: str
    what: str
    teams: list[dict[str, Any]] = field(default_factory=list)
    topics: list[dict[str, Any]] = field(default_factory=list)
    segments: list[dict[str, Any]] = field(default_factory=list)
    snippets: list[dict[str, Any]] = field(default_factory=list)
    templates: list[dict[str, Any]] = field(default_factory=list)
    journeys: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tests(self) -> list[tuple[str, dict[str, Any]]]:
        """The tests that its journeys must pass, each with the slug of its journey."""
        return [(row["slug"], test) for row in self.journeys for test in row.get("tests", [])]


def slugs() -> list[str]:
    """The playbooks that come with Cairn."""
    return sorted(file.stem for file in _LIBRARY.glob("*.yaml"))


def load(slug: str) -> Playbook:
    """The playbook of that name from the library."""
    file = _LIBRARY / f"{slug}.yaml"
    if not file.is_file():
        raise Invalid.at("", f"There is no playbook {slug!r}; there are {', '.join(slugs())}.")
    return read(slug, file.read_text(encoding="utf-8"))


def read(slug: str, text: str) -> Playbook:
    """The playbook in a file's text; says what is wrong with it where something is."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Invalid.at("", f"The playbook {slug} is no YAML: {error}") from None
    if not isinstance(found, dict):
        raise Invalid.at("", f"The playbook {slug} must hold name, what and {', '.join(PARTS)}.")
    if unknown := sorted(found.keys() - {"name", "what", *PARTS}):
        raise Invalid.at(str(unknown[0]), "is no part of a playbook")
    for part in PARTS:
        rows = found.setdefault(part, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("slug") for row in rows):
            raise Invalid.at(part, "must be a list of definitions, each with a slug")
    for row in found["journeys"]:
        _read_tests(row)
    return Playbook(slug=slug, **{"name": slug, "what": "", **found})


def _read_tests(row: dict[str, Any]) -> None:
    """Has the tests of a journey say all as it is kept."""
    if "tests" not in row:
        return
    path = f"journeys.{row['slug']}.tests"
    if not isinstance(row["tests"], list):
        raise Invalid.at(path, "must be a list of tests, each with a name")
    row["tests"] = [keeping.read_row(test, f"{path}[{place}]") for place, test in enumerate(row["tests"])]


def written(playbook: Playbook) -> str:
    """The text of its file."""
    parts = {part: rows for part in PARTS if (rows := getattr(playbook, part))}
    return dumped({"name": playbook.name, **({"what": playbook.what} if playbook.what else {}), **parts})


def dumped(value: Any) -> str:
    """YAML in the order in which things are said, for people to read and compare."""
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110))

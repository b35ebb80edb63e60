"""What a playbook would change: each definition in it against the one that there is."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from playbooks import exporting, files
from playbooks.files import Playbook


@dataclass(frozen=True, slots=True)
class Difference:
    """`lines` begin with + for what comes, - for what goes, and a space for what stays around it."""

    kind: str
    slug: str
    name: str
    how: Literal["new", "same", "changed"]
    lines: list[str]

    def __str__(self) -> str:
        said = {"new": "is new", "same": "stays as it is", "changed": "changes"}[self.how]
        return f"The {self.kind} “{self.name}” {said}."


def differences(playbook: Playbook) -> Iterator[Difference]:
    """One for each definition, in the order in which they are made."""
    for part in files.PARTS:
        kind = part.removesuffix("s")
        for row in getattr(playbook, part):
            before = exporting.row(kind, row["slug"])
            name = str(row.get("name") or row["slug"])
            if before is None:
                yield Difference(kind, row["slug"], name, "new", [f"+{line}" for line in _lines(row)])
                continue
            lines = between(before, row)
            yield Difference(kind, row["slug"], name, "changed" if lines else "same", lines)


def between(before: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """What a definition would be after it was applied, against what it is: line by line, none if it is the same."""
    after = _in_order({**before, **row, **_tests(before, row)}, before)
    return list(difflib.unified_diff(_lines(before), _lines(after), lineterm="", n=2))[2:]


def _in_order(value: Any, before: Any) -> Any:
    """The value with its names in the order of before: what is stored has another, which says nothing."""
    if isinstance(value, dict):
        known = before if isinstance(before, dict) else {}
        order = [*(name for name in known if name in value), *(name for name in value if name not in known)]
        return {name: _in_order(value[name], known.get(name)) for name in order}
    if isinstance(value, list):
        old = before if isinstance(before, list) else []
        return [_in_order(one, old[place] if place < len(old) else None) for place, one in enumerate(value)]
    return value


def _tests(before: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """The tests of a journey after it was applied: those of other names stay."""
    if "tests" not in row:
        return {}
    named = {test["name"]: test for test in row["tests"]}
    return {"tests": list({**{test["name"]: test for test in before.get("tests", [])}, **named}.values())}


def _lines(row: dict[str, Any]) -> list[str]:
    return files.dumped(row).splitlines()

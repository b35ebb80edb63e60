import re
from pathlib import Path

import pytest

from tests.house.looking import APPS, BASE, modules

_NAME = re.compile(r"^-- name: (\w+)\s*\n(.*)$", re.MULTILINE)
FILES = sorted(path for app in APPS for path in (BASE / app).glob("sql/*.sql"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(BASE)))
def test_each_statement_says_what_it_does_and_is_used(path: Path) -> None:
    statements = _NAME.findall(path.read_text())
    assert statements, "no statement has a name"
    assert [name for name, following in statements if not following.startswith("--")] == [], "these say nothing"
    code = "".join(module.read_text() for module in modules(path.parts[-3]))
    assert [name for name, _ in statements if f'"{name}"' not in code] == [], "nobody runs these"

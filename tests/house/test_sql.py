import re
from pathlib import Path

import pytest

from tests.house.looking import APPS, BASE, modules

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
FILES = sorted(path for app in APPS for path in (BASE / app).glob("sql/*.sql"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(BASE)))
def test_each_statement_is_used(path: Path) -> None:
    names = _NAME.findall(path.read_text())
    assert names, "no statement has a name"
    code = "".join(module.read_text() for module in modules(path.parts[-3]))
    assert [name for name in names if f'"{name}"' not in code] == [], "nobody runs these"

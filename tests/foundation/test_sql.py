import sys
from pathlib import Path

import pytest
from django.db import connection

from foundation.sql import Statements

TEXT = """-- What this file is about.

-- name: doubled
-- Twice what is asked.
SELECT %(n)s::int * 2;

-- name: note
-- Writes a loop down.
INSERT INTO foundation_loop (name) SELECT unnest(%(names)s::text[]);
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    sql = tmp_path / "aside" / "sql"
    sql.mkdir(parents=True)
    (tmp_path / "aside" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "aside", raising=False)
    return sql


@pytest.mark.django_db
def test_statements_go_by_their_names(package: Path) -> None:
    (package / "some.sql").write_text(TEXT)
    statements = Statements("aside", "some")
    assert statements.rows("doubled", {"n": 21}) == [(42,)]
    assert statements.run("note", {"names": ["test.a", "test.b"]}) == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM foundation_loop WHERE name LIKE 'test.%%'")
        assert cursor.fetchone() == (2,)
    assert statements["doubled"].startswith("-- Twice what is asked.")


def test_a_name_given_twice_is_refused(package: Path) -> None:
    (package / "some.sql").write_text(TEXT + "\n-- name: note\nSELECT 1;\n")
    with pytest.raises(ValueError, match="gives two statements one name"):
        Statements("aside", "some")


def test_an_unknown_name_is_an_error(package: Path) -> None:
    (package / "some.sql").write_text(TEXT)
    with pytest.raises(KeyError):
        Statements("aside", "some")["tripled"]

"""Named SQL: each app's statements live in `<app>/sql/*.sql`, each under its name and one sentence.

A file is a row of statements, each opened by `-- name: the_name` and a comment that says what it does.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any
from uuid import UUID

from django.db import connection

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


class Statements:
    """The statements of one file, by name."""

    def __init__(self, package: str, file: str) -> None:
        text = resources.files(package).joinpath("sql", f"{file}.sql").read_text()
        parts = _NAME.split(text)
        self._texts = {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}
        if len(self._texts) != len(parts) // 2:
            raise ValueError(f"{package}/sql/{file}.sql gives two statements one name")

    def __getitem__(self, name: str) -> str:
        return self._texts[name]

    def rows(self, name: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Runs the statement and returns what it returned; `params` fill its `%(name)s`."""
        with connection.cursor() as cursor:
            cursor.execute(self[name], _sent(params))
            return list(cursor.fetchall())

    def run(self, name: str, params: Mapping[str, Any] | None = None) -> int:
        """Runs the statement and returns how many rows it wrote."""
        with connection.cursor() as cursor:
            cursor.execute(self[name], _sent(params))
            return int(cursor.rowcount)


def _sent(params: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The parameters as they travel."""
    return params and {name: array(value) if _holds_ids(value) else value for name, value in params.items()}


def _holds_ids(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(one) is UUID for one in value)


def array(ids: Iterable[UUID]) -> str:
    """Ids as the text of an array, which is written ten times as fast as psycopg writes a list of them."""
    return f"{{{','.join([f'{id.int:032x}' for id in ids])}}}"


def array_of_moments(moments: Iterable[datetime | None]) -> str:
    """The same of moments; None is NULL."""
    return f"{{{','.join(['NULL' if at is None else at.isoformat() for at in moments])}}}"


@cache
def statements(package: str, file: str) -> Statements:
    """The statements of `<package>/sql/<file>.sql`, read once."""
    return Statements(package, file)

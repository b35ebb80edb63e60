"""The same people and events in DuckDB, in columns of their own types, with the nine questions in its own words."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb
from django.db import connections

_PEOPLE = "SELECT id, attributes->>'plan', (attributes->>'mrr')::int FROM profiles_profile"
_EVENTS = "SELECT profile_id, name_id, occurred_at, properties->>'format', properties->>'feature' FROM profiles_event"
_TABLES = """
    CREATE TABLE person (id UUID, plan VARCHAR, mrr INTEGER);
    CREATE TABLE event (person UUID, name INTEGER, t TIMESTAMPTZ, format VARCHAR, feature VARCHAR);
"""
QUESTIONS = {
    "S1": "SELECT id FROM person WHERE plan = 'pro' AND mrr > 100",
    "S2": "SELECT person FROM event WHERE name = 1 AND t > {at} - INTERVAL 30 DAY AND t <= {at}"
    " GROUP BY 1 HAVING count(*) >= 5",
    "S3": "SELECT person FROM event WHERE t <= {at} GROUP BY 1"
    " HAVING max(t) <= {at} - INTERVAL 14 DAY AND max(t) > {at} - INTERVAL 30 DAY",
    "S4": "SELECT person FROM event WHERE name = 2 AND t > {at} - INTERVAL 90 DAY AND t <= {at}"
    " AND format = 'pdf' GROUP BY 1 HAVING count(*) >= 3",
    "S5": "SELECT person FROM event WHERE name = 1 AND t > {at} - INTERVAL 30 DAY AND t <= {at}"
    " GROUP BY 1 HAVING count(DISTINCT feature) >= 5",
    "S6": "SELECT DISTINCT a.person FROM (SELECT person, t FROM event WHERE name = 3 AND t <= {at}) a"
    " ASOF JOIN (SELECT person, t FROM event WHERE name = 2 AND t <= {at}) b ON a.person = b.person AND a.t < b.t"
    " WHERE b.t <= a.t + INTERVAL 7 DAY",
    "S7": "SELECT person FROM event WHERE t > {at} - INTERVAL 14 DAY AND t <= {at} GROUP BY 1"
    " HAVING count(*) FILTER (WHERE t <= {at} - INTERVAL 7 DAY) > 0"
    " AND 2 * count(*) FILTER (WHERE t > {at} - INTERVAL 7 DAY) <= count(*) FILTER (WHERE t <= {at} - INTERVAL 7 DAY)",
    "S8": "SELECT person FROM (SELECT person, rank() OVER (ORDER BY n DESC) AS r, count(*) OVER () AS of FROM ("
    "SELECT person, count(*) AS n FROM event WHERE name = 1 AND t > {at} - INTERVAL 30 DAY AND t <= {at} GROUP BY 1))"
    " WHERE r <= ceil(of * 0.1)",
    "S9": "SELECT id FROM person WHERE ((plan = 'pro' AND mrr > 100) OR id IN ({S2}))"
    " AND id NOT IN ({S7}) AND id NOT IN ({S4})",
}
Ask = Callable[[str], int]


@contextmanager
def copied(at: datetime) -> Iterator[Ask]:
    """DuckDB in memory with all that is stored, on as many threads as it likes: how many match a question."""
    with tempfile.TemporaryDirectory(prefix="cairn-duck-") as folder, duckdb.connect() as duck:
        duck.execute("SET TimeZone = 'UTC'")
        duck.execute(_TABLES)
        for table, rows in (("person", _PEOPLE), ("event", _EVENTS)):
            file = Path(folder) / f"{table}.csv"
            _write(rows, file)
            duck.execute(f"COPY {table} FROM '{file}' (FORMAT csv, HEADER false)")
            file.unlink()
        words = {key: sql.replace("{at}", f"TIMESTAMPTZ '{at.isoformat()}'") for key, sql in QUESTIONS.items()}

        def ask(key: str) -> int:
            sql = words[key]
            for inner in words:
                sql = sql.replace(f"{{{inner}}}", words[inner])
            found = duck.execute(f"SELECT count(*) FROM ({sql})").fetchone()
            return int(found[0]) if found else 0

        yield ask


def _write(rows: str, file: Path) -> None:
    with (
        connections["default"].cursor() as cursor,
        file.open("wb") as out,
        cursor.cursor.copy(f"COPY ({rows}) TO STDOUT (FORMAT csv)") as copy,
    ):
        for piece in copy:
            out.write(piece)

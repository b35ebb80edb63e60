"""Nothing leaves the house while this holds: after a restored backup nobody knows what was sent since it was made.

All else goes on. It ends when an operator says so.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection


@dataclass(frozen=True, slots=True)
class Standstill:
    """Since when nothing leaves, and why, in a sentence."""

    since: datetime
    why: str


def current() -> Standstill | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT since, why FROM foundation_standstill")
        row = cursor.fetchone()
    return Standstill(*row) if row else None


def holds() -> bool:
    return current() is not None


def begin(why: str, *, now: datetime) -> None:
    """From now on nothing leaves; one that holds already stays as it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO foundation_standstill (since, why) VALUES (%s, %s) ON CONFLICT DO NOTHING", [now, why]
        )


def end() -> bool:
    """Lets go of what waits; whether there was anything to end."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM foundation_standstill")
        return bool(cursor.rowcount)

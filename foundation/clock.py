"""What time it is, for everybody: PostgreSQL's clock, or the one row that a manual clock keeps."""

from datetime import datetime

from django.conf import settings
from django.db import connection


def is_manual() -> bool:
    return settings.CAIRN_CLOCK == "manual"


def now() -> datetime:
    """The moment that counts, in UTC.

    Never a worker's own clock: workers drift apart, and PostgreSQL's `now()` stands still inside a transaction.
    With a manual clock it is the row that `set_to` wrote, or real time after `release`.
    """
    with connection.cursor() as cursor:
        if is_manual():
            cursor.execute("SELECT coalesce((SELECT at FROM foundation_clock), clock_timestamp())")
        else:
            cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    moment: datetime = row[0]
    return moment


def wall() -> datetime:
    """Real time, whatever a manual clock says."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def set_to(at: datetime) -> None:
    """Moves the manual clock to `at`; only forwards, since what has happened stays so."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO foundation_clock AS c (only_row, at) VALUES (true, %s)"
            " ON CONFLICT (only_row) DO UPDATE SET at = greatest(c.at, excluded.at)",
            [at],
        )


def release() -> None:
    """Lets the manual clock run with real time from here on."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO foundation_clock (only_row, at) VALUES (true, NULL)"
            " ON CONFLICT (only_row) DO UPDATE SET at = NULL"
        )


def stop() -> None:
    """Holds the manual clock where real time stands, unless it holds a time already."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO foundation_clock (only_row, at) VALUES (true, clock_timestamp()) ON CONFLICT DO NOTHING"
        )

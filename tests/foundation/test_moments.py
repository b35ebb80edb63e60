from datetime import UTC, datetime

import pytest
from django.db import DataError, connection


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-11-24 10:00:00+00", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("2026-11-24 10:00:00.5+02", datetime(2026, 11, 24, 8, 0, 0, 500_000, tzinfo=UTC)),
        ("0001-01-01 00:00:00.000001+00", datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
        ("9999-12-31 23:59:59.999999+00", datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_moments_come_in_utc_to_the_microsecond(db: None, said: str, meant: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz, array[%s::timestamptz]", [said, said])
        moment, several = cursor.fetchone()
    assert (moment, several) == (meant, [meant])
    assert moment.tzinfo is UTC


@pytest.mark.parametrize("said", ["infinity", "10000-01-01 00:00:00+00", "0044-03-15 12:00:00+00 BC"])
def test_what_no_datetime_can_hold_is_refused(db: None, said: str) -> None:
    with connection.cursor() as cursor, pytest.raises(DataError):
        cursor.execute("SELECT %s::timestamptz", [said])
        cursor.fetchone()

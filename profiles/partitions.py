"""The months of the event table: there is one for every month that an event may fall in. Only the owner makes them."""

from datetime import date

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

MONTHS_BACK = 36  # older events share one partition, as they are few
MONTHS_AHEAD = 3

_NOW = "SELECT coalesce((SELECT at FROM foundation_clock), clock_timestamp())::date"
_EXISTING = """
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'profiles_event'::regclass
"""


def ensure(connection: BaseDatabaseWrapper, until: date | None = None) -> int:
    """Makes the missing months up to `until` (by default three ahead of now); how many it made."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW)
        today: date = cursor.fetchone()[0]
        cursor.execute(_EXISTING)
        existing = {row[0] for row in cursor.fetchall()}
        monthly = sorted(name for name in existing if name != "profiles_event_older")
        # The months begin where the first migration put them: what is before is one partition.
        first = _month_of(monthly[0]) if monthly else _plus(today, -MONTHS_BACK)
        last = _plus(max(until or today, today), MONTHS_AHEAD)
        if "profiles_event_older" not in existing:
            cursor.execute(
                "CREATE TABLE profiles_event_older PARTITION OF profiles_event"
                f" FOR VALUES FROM (MINVALUE) TO ('{first} 00:00+00')"
            )
        made = 0
        month = first
        while month <= last:
            name = f"profiles_event_{month:%Y_%m}"
            if name not in existing:
                cursor.execute(
                    f"CREATE TABLE {name} PARTITION OF profiles_event"
                    f" FOR VALUES FROM ('{month} 00:00+00') TO ('{_plus(month, 1)} 00:00+00')"
                )
                made += 1
            month = _plus(month, 1)
        return made


def drop_expired(connection: BaseDatabaseWrapper) -> list[str]:
    """Drops the months that lie wholly before the retention; their names. Rollups stay."""
    if settings.EVENT_RETENTION_DAYS is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT ({_NOW}) - {int(settings.EVENT_RETENTION_DAYS)}")
        horizon: date = cursor.fetchone()[0]
        cursor.execute(_EXISTING)
        dropped = []
        for (name,) in cursor.fetchall():
            if name != "profiles_event_older" and _plus(_month_of(name), 1) <= horizon:
                cursor.execute(f"DROP TABLE {name}")
                dropped.append(name)
        return dropped


def _month_of(name: str) -> date:
    year, month = name.rsplit("_", 2)[1:]
    return date(int(year), int(month), 1)


def _plus(day: date, months: int) -> date:
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)
